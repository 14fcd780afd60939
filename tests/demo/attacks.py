"""Every attack on the demo that we know of, and the test that shows it refused.

    python -m tests.demo.attacks

Runs those tests and prints the table. None of them needs a browser.
"""

import sys
from collections import defaultdict
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ATTACKS = {
    "name a file of the server in place of an upload": (
        "test_server.py::test_a_path_that_was_not_uploaded_is_refused_whether_it_exists_or_not"
    ),
    "fetch a file of the server": (
        "test_server.py::test_a_file_that_was_not_uploaded_is_not_served"
    ),
    "hide a picture in the JSON": "test_server.py::test_a_picture_inside_the_request_is_refused",
    "send more than is taken": (
        "test_guard.py::test_a_body_over_the_limit_is_refused_announced_or_not"
    ),
    "send a file over the limit": "test_server.py::test_a_file_over_the_limit_is_not_kept",
    "fill the disk, slowly": (
        "test_guard.py::test_no_upload_is_taken_while_the_disk_holds_too_much"
    ),
    "fill the disk, at once": "test_guard.py::test_uploads_count_before_they_are_on_the_disk",
    "pictures that are bombs, or none": (
        "test_service.py::test_a_bad_picture_is_one_sentence_and_the_models_stay"
    ),
    "use the server as a relay": (
        "test_server.py::test_no_other_server_is_asked_in_the_demos_name"
    ),
    "reach what the page does not use": "test_guard.py::test_everything_else_is_closed",
    "use another method": "test_guard.py::test_other_methods_are_refused",
    "rebind a name to the server": ("test_guard.py::test_a_name_that_is_not_the_demos_is_refused"),
    "ask from another site's page": ("test_guard.py::test_another_sites_page_cannot_ask_for_work"),
    "say where the page is, in a header": (
        "test_guard.py::test_a_stranger_cannot_say_where_the_page_is"
    ),
    "write lines into the log": (
        "test_guard.py::test_nothing_of_a_stranger_ends_a_line_of_the_log"
    ),
    "go around the queue": "test_server.py::test_the_queue_cannot_be_gone_around",
    "ask too often": ("test_guard.py::test_a_visitor_who_asks_too_much_is_told_when_to_come_back"),
    "ask all at once": ("test_server.py::test_more_requests_than_can_wait_are_asked_to_come_back"),
    "run a script in the page": "test_guard.py::test_every_answer_carries_the_security_headers",
    "names that lead out of an archive": (
        "test_archive.py::test_a_name_that_leads_out_of_the_archive_is_refused"
    ),
    "a ZIP bomb": "test_archive.py::test_what_unpacks_to_far_more_than_it_is_is_refused",
    "a ZIP bomb whose header lies": (
        "test_archive.py::test_a_header_that_lies_about_the_size_does_not_get_past_the_limit"
    ),
    "a ZIP of very many entries": (
        "test_archive.py::test_an_archive_of_too_many_entries_is_refused"
    ),
    "a link in a ZIP": "test_archive.py::test_a_link_is_not_followed",
    "one bad picture against a batch": (
        "test_batch.py::test_each_picture_is_asked_of_each_model_and_a_bad_one_is_a_row"
    ),
    "formulas in the CSV": "test_batch.py::test_no_cell_of_the_csv_is_a_formula",
    "markup as a file's name": "test_batch.py::test_nothing_of_a_stranger_becomes_markup",
    "markup as a class": "test_render.py::test_nothing_of_a_stranger_becomes_markup",
    "markup as the name of a model": ("test_tabs.py::test_a_source_of_a_stranger_is_no_markup"),
    "markup in a comparison": "test_tradeoff.py::test_a_name_of_a_stranger_is_no_markup",
    "learn which folders there are": (
        "test_loader.py::test_a_stranger_learns_nothing_about_folders"
    ),
    "a model that eats the machine": ("test_service.py::test_a_model_for_huge_pictures_is_refused"),
    "talk a language model into naming a path": (
        "test_tools.py::test_paths_addresses_and_other_files_are_one_sentence"
    ),
    "many models at once": "test_loader.py::test_only_a_few_models_are_fetched_at_a_time",
}


class _Outcomes:
    """Hears from pytest how each test ended."""

    def __init__(self) -> None:
        self.failed: dict[str, int] = defaultdict(int)
        self.passed: dict[str, int] = defaultdict(int)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        name = Path(report.nodeid.partition("[")[0]).name
        if report.when == "call" and report.passed:
            self.passed[name] += 1
        elif not report.passed:
            self.failed[name] += 1


def main() -> int:
    """Run the tests and print the table; 0 if every attack was refused."""
    outcomes = _Outcomes()
    tests = [str(HERE / test) for test in ATTACKS.values()]
    result = pytest.main(["-q", "-o", "addopts=", *tests], plugins=[outcomes])
    for attack, test in ATTACKS.items():
        passed, failed = outcomes.passed[test], outcomes.failed[test]
        state = "refused" if passed and not failed else "NOT REFUSED"
        name = test.rpartition("::")[2]
        sys.stdout.write(f"{attack:48} {state:11} {passed:3} ways  {name}\n")
    return int(result)


if __name__ == "__main__":
    sys.exit(main())
