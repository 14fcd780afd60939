import csv
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet
import pytest

from hub_models import ImageClassifier, parts
from hub_models.cli import main
from hub_models.drawn import draw
from hub_models.export_cache import cached_export
from hub_models.share import Share
from tests import pictures
from tests.processes import HANG_S

Captured = pytest.CaptureFixture[str]
COUNT = 40


@pytest.fixture(scope="module")
def checkpoint(lively_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with a fitted temperature, which every answer must hold to."""
    folder = tmp_path_factory.mktemp("warm") / "warm"
    classifier = ImageClassifier.from_pretrained(lively_folder)
    classifier.config = replace(classifier.config, temperature=3.0)
    classifier.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def model(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An exported file: it starts without PyTorch."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HUB_MODELS_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield cached_export(checkpoint)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bulk") / "photos"
    for number in range(COUNT):
        path = folder / f"{number % 3}" / f"{number:02}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(pictures.encode(draw(number).resize((64, 48)), "JPEG"))
    return folder


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "CHUNK", 3)


def classify(photos: Path, model: Path, target: Path, *more: str) -> int:
    return main(["classify", str(photos), "--model", str(model), "--to", str(target), *more])


def read_lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def whole(photos: Path, model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What an undisturbed run writes."""
    target = tmp_path_factory.mktemp("whole") / "results.jsonl"
    assert classify(photos, model, target) == 0
    return target


def test_every_picture_has_the_answer_of_the_classifier(
    photos: Path, checkpoint: Path, whole: Path
) -> None:
    classifier = ImageClassifier.from_pretrained(checkpoint)
    rows = read_lines(whole)
    names = sorted(path.relative_to(photos).as_posix() for path in photos.rglob("*.jpg"))
    assert [row["picture"] for row in rows] == names
    assert len({row["probability"] for row in rows}) == COUNT
    for row in rows:
        expected = classifier.classify(photos / str(row["picture"]))
        assert row["label"] == expected[0].label
        assert row["probability"] == row[f"p_{row['label']}"]
        for prediction in expected:
            assert row[f"p_{prediction.label}"] == pytest.approx(prediction.probability, abs=1e-4)


def test_nothing_is_left_beside_the_table(whole: Path) -> None:
    assert list(whole.parent.iterdir()) == [whole]


def test_the_three_kinds_of_table_hold_the_same(
    photos: Path, model: Path, whole: Path, tmp_path: Path
) -> None:
    for kind in ("csv", "parquet"):
        assert classify(photos, model, tmp_path / f"t.{kind}") == 0
    expected = read_lines(whole)
    rows = pyarrow.parquet.read_table(tmp_path / "t.parquet").to_pylist()
    for row, line in zip(rows, expected, strict=True):
        assert row == pytest.approx(line, abs=1e-6)
    with open(tmp_path / "t.csv", encoding="utf-8-sig", newline="") as stream:
        cells = list(csv.reader(stream))
    assert cells[0] == list(expected[0])
    assert cells[1:] == [["" if v is None else str(v) for v in row.values()] for row in expected]


def test_several_models_have_a_row_each_and_the_classes_of_all(
    photos: Path, model: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    ImageClassifier.create("mobilenetv2_025", ["cat", "fox"]).save_pretrained(other)
    more = ["--model", str(other), "--json"]
    assert classify(photos / "0", model, tmp_path / "t.jsonl", *more) == 0
    rows = read_lines(tmp_path / "t.jsonl")
    assert [row["model"] for row in rows[:4]] == [str(model), str(other)] * 2
    assert list(rows[0])[-4:] == ["p_cat", "p_dog", "p_owl", "p_fox"]
    assert rows[0]["p_fox"] is None
    assert rows[1]["p_cat"] + rows[1]["p_fox"] == pytest.approx(1, abs=1e-5)


def test_unreadable_pictures_are_rows_that_say_why(
    model: Path, tmp_path: Path, capsys: Captured
) -> None:
    folder = tmp_path / "mixed"
    folder.mkdir()
    for name in ("a.jpg", "d.jpg"):
        (folder / name).write_bytes(pictures.encode(pictures.photo(64, 48), "JPEG"))
    (folder / "b.jpg").write_text("not a picture")
    (folder / os.fsdecode(b"caf\xe9.jpg")).touch()
    assert classify(folder, model, tmp_path / "t.jsonl", "--json") == 0
    out, err = capsys.readouterr()
    a, b, cafe, d = read_lines(tmp_path / "t.jsonl")
    assert a["probability"] == d["probability"]
    assert b["label"] is None
    assert str(b["error"]).startswith("not a picture of a known kind")
    assert (cafe["picture"], cafe["error"]) == ("caf\\udce9.jpg", "the file is empty (0 bytes)")
    assert "hub-models: b.jpg: not a picture" in err
    assert "2 of 4 pictures could not be read" in err
    assert json.loads(out) == {
        "to": str(tmp_path / "t.jsonl"),
        "pictures": 4,
        "unreadable": 2,
        "models": [str(model)],
    }


def test_if_no_picture_can_be_read_the_command_fails(
    model: Path, tmp_path: Path, capsys: Captured
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "b.jpg").write_text("not a picture")
    assert classify(tmp_path / "in", model, tmp_path / "t.jsonl") == 1
    assert "none of 1 pictures could be read" in capsys.readouterr().err
    assert read_lines(tmp_path / "t.jsonl")[0]["error"]


def test_a_folder_without_pictures_is_named(model: Path, tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "in").mkdir()
    assert classify(tmp_path / "in", model, tmp_path / "t.jsonl") == 1
    assert capsys.readouterr().err == f"hub-models: {tmp_path / 'in'}: no pictures\n"
    assert not (tmp_path / "t.jsonl.partial").exists()


def test_a_table_that_is_there_is_not_overwritten(
    photos: Path, model: Path, tmp_path: Path, capsys: Captured
) -> None:
    (tmp_path / "t.csv").write_text("mine")
    assert classify(photos, model, tmp_path / "t.csv") == 1
    assert "t.csv: is there already" in capsys.readouterr().err
    assert (tmp_path / "t.csv").read_text() == "mine"


def test_a_table_that_cannot_be_written_is_named(
    photos: Path, model: Path, tmp_path: Path, capsys: Captured
) -> None:
    (tmp_path / "file").touch()
    assert classify(photos, model, tmp_path / "file" / "t.csv") == 1
    assert "t.csv: cannot be written" in capsys.readouterr().err


def test_top_does_not_go_with_a_table(photos: Path, model: Path, capsys: Captured) -> None:
    assert classify(photos, model, Path("t.csv"), "--top", "1") == 1
    assert "--top does not go with --to" in capsys.readouterr().err


IN_PARTS_OF_3 = "import sys; from hub_models import cli, parts; parts.CHUNK = 3\n"
WAITING_AFTER_TWO = """
import signal, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
write = parts.Parts.write
def write_and_wait(self, number, rows):
    write(self, number, rows)
    if number == 1:
        print("two parts are there", flush=True)
    while number == 1:  # until a signal comes
        time.sleep(0.05)
parts.Parts.write = write_and_wait
"""


def stop_early(photos: Path, model: Path, target: Path, how: int) -> tuple[int, str]:
    """Start the command, send it a signal once two parts are there, and see what it says."""
    code = f"{IN_PARTS_OF_3}{WAITING_AFTER_TWO}sys.exit(cli.main())"
    command = [sys.executable, "-c", code, "classify", str(photos), "--model", str(model)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([*command, "--to", target], **pipes, text=True) as process:
        assert process.stdout.readline() == "two parts are there\n", process.stderr.read()
        process.send_signal(how)
        said = process.stderr.read()
    assert not target.exists()
    return process.returncode, said


def test_ctrl_c_says_how_to_go_on_and_the_same_command_does(
    photos: Path, model: Path, whole: Path, tmp_path: Path
) -> None:
    target = tmp_path / "t.jsonl"
    code, said = stop_early(photos, model, target, signal.SIGINT)
    assert code == 1
    assert said == f"hub-models: {target}: stopped; the same command goes on from here\n"
    assert classify(photos, model, target) == 0
    assert target.read_bytes() == whole.read_bytes()


def test_a_killed_run_goes_on_and_other_arguments_are_refused(
    photos: Path, model: Path, whole: Path, tmp_path: Path, capsys: Captured
) -> None:
    target = tmp_path / "t.jsonl"
    folder = tmp_path / "t.jsonl.partial" / "parts"
    assert stop_early(photos, model, target, signal.SIGKILL) == (-signal.SIGKILL, "")
    (folder / "00000000.jsonl").write_text(  # marked: what is there is not made again
        (folder / "00000000.jsonl").read_text().replace(str(model), "kept")
    )
    ImageClassifier.create("mobilenetv2_025", ["cat", "fox"]).save_pretrained(tmp_path / "other")
    assert classify(photos, tmp_path / "other", target) == 1
    assert "a run with other models began it" in capsys.readouterr().err
    assert classify(photos / "0", model, target) == 1
    assert "a run with other pictures began it" in capsys.readouterr().err
    assert classify(photos, model, target) == 0
    expected = read_lines(whole)
    for row in expected[:3]:
        row["model"] = "kept"
    assert read_lines(target) == expected


def test_two_processes_share_the_pictures_and_the_last_one_joins(
    photos: Path, model: Path, whole: Path, tmp_path: Path
) -> None:
    target = tmp_path / "t.jsonl"
    command = [sys.executable, "-c", f"{IN_PARTS_OF_3}sys.exit(cli.main())"]
    command += ["classify", str(photos)]
    command += ["--model", str(model), "--to", str(target)]
    ranks = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}
    processes = [
        subprocess.Popen(
            command, env=os.environ | ranks | {"RANK": rank}, stderr=subprocess.PIPE, text=True
        )
        for rank in "01"
    ]
    said = [process.communicate(timeout=HANG_S)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], said
    assert sum("the last of 2 writes" in err for err in said) == 1
    assert target.read_bytes() == whole.read_bytes()
    assert list(tmp_path.iterdir()) == [target]


def test_the_parts_of_one_of_two_processes_are_half_of_the_work(
    photos: Path, model: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "t.jsonl"
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    assert classify(photos, model, target) == 0
    made = sorted(int(p.stem) for p in (tmp_path / "t.jsonl.partial" / "parts").iterdir())
    assert made == list(range(1, -(-COUNT // 3), 2))
    monkeypatch.setenv("RANK", "0")
    assert classify(photos, model, target) == 0
    assert target.read_bytes() == whole.read_bytes()
    assert classify(photos, model, target) == 0  # a process that comes late finds all done
    monkeypatch.setenv("WORLD_SIZE", "1")
    assert classify(photos, model, target) == 1


def test_a_process_that_comes_after_the_join_leaves_no_lock_behind(tmp_path: Path) -> None:
    assert parts.Parts(tmp_path / "t.csv", Share(1, 2, 2)).join({}) is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_nothing_of_pytorch_is_needed_for_an_exported_file(
    photos: Path, model: Path, tmp_path: Path
) -> None:
    code = "import sys; from hub_models import cli; cli.main(); print('torch' in sys.modules)"
    command = [sys.executable, "-c", code, "classify", str(photos), "--model", str(model)]
    done = subprocess.run(
        [*command, "--to", str(tmp_path / "t.csv")], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "False"
