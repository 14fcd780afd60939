"""What the trade-off tab makes of a comparison."""

import asyncio
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from demo.service import Service
from demo.settings import Settings
from demo.tab_tradeoff import _measurer
from demo.text import CATALOGUES, Text
from demo.tradeoff import (
    _SCENARIOS,
    draw,
    explain,
    render_choice,
    render_scenarios,
    render_tradeoff,
)
from demo.ui import build_page
from hub_models.recommend import PRIORITIES, Wish, as_candidates, recommend
from hub_models.recommendation_words import as_sentence
from hub_models.scenarios import read_scenarios
from tests.comparisons import compared, measurement, model
from tests.demo.conftest import COMPARISON
from tests.demo.test_tabs import words

SAY = Text("en")


@pytest.mark.parametrize("priority", PRIORITIES)
@pytest.mark.parametrize("language", CATALOGUES)
def test_the_page_chooses_what_the_command_line_chooses(priority, language):
    found = recommend(COMPARISON, Wish(priority))
    shown = words(render_choice(COMPARISON, Wish(priority), Text(language)))
    assert found.choice.name in shown
    numbers = {part for part in as_sentence(COMPARISON, found).split() if part.endswith("%")}
    assert all(number in shown for number in numbers)


def test_the_reason_names_what_decided_and_what_did_not():
    alike = compared(model("a", 900, measurement(40)), model("b", 900, measurement(5)))
    reason = explain(alike, recommend(alike, Wish("accuracy")), SAY)
    assert reason == (
        "b, before a: Accuracy 90.00% against 90.00% (no difference that can be shown); "
        "time of a picture 5.0 ms against 40.0 ms (this decides)."
    )


def test_a_limit_that_nobody_keeps_is_said_of_each():
    found = recommend(COMPARISON, Wish("accuracy", max_latency_ms=1))
    reason = explain(COMPARISON, found, SAY)
    assert reason.startswith("No model keeps the limits: accurate-one takes ")
    assert reason.count("the limit is 1 ms") == 2


def test_every_scenario_of_the_library_has_words_and_an_answer():
    assert {scenario.title for scenario in read_scenarios()} == set(_SCENARIOS)
    shown = words(render_scenarios(COMPARISON, SAY))
    for key in _SCENARIOS.values():
        assert SAY(key) in shown


def test_the_table_holds_the_measured_numbers_and_says_where_they_come_from():
    shown = words(render_tradeoff(COMPARISON, SAY))
    for number in ("99.00%", "90.00%", "40.0 ms", "5.0 ms", COMPARISON.machine.cpu):
        assert number in shown


def test_the_picture_places_the_faster_left_and_the_more_accurate_above():
    drawn = ElementTree.fromstring(draw(as_candidates(COMPARISON), SAY))
    accurate, faster = drawn.iter("circle")
    assert float(faster.get("cx")) < float(accurate.get("cx"))
    assert float(faster.get("cy")) > float(accurate.get("cy"))


def test_without_speed_there_is_a_table_and_a_sentence_in_place_of_the_choice():
    bare = compared(model("a", 990), model("b", 900))
    shown = render_tradeoff(bare, SAY)
    assert "<svg" not in shown
    assert "not measured" in shown
    assert "needs speed and memory" in render_choice(bare, Wish("speed"), SAY)


def test_a_name_of_a_stranger_is_no_markup():
    hostile = replace(COMPARISON.models[0], name="<script>")
    bad = compared(hostile, COMPARISON.models[1])
    assert "<script" not in render_tradeoff(bad, SAY) + render_scenarios(bad, SAY)
    assert "<script" not in render_choice(bad, Wish("accuracy"), SAY)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "python -m training.compare --model A"),
        ("{}", "The measured comparison cannot be used: "),
    ],
)
def test_a_comparison_that_is_missing_or_wrong_is_a_sentence(tmp_path, content, sentence):
    if content:
        (tmp_path / "comparison.json").write_text(content)
    settings = Settings(cards=tmp_path)

    async def build():
        return build_page(Service(settings), settings, SAY)

    components = asyncio.run(build()).get_config_file()["components"]
    shown = next(c["props"] for c in components if c["props"].get("elem_id") == "tradeoff")
    assert sentence in words(shown["value"])
    assert str(tmp_path) not in shown["value"]


def test_a_model_that_cannot_be_timed_is_a_sentence(cards):
    measure = _measurer(Service(Settings(cards=cards)), SAY)
    *_, last = measure("", None)
    assert "Choose a model to begin." in last
    *_, last = measure("resnet-tiny", "x" * 301)
    assert "that is not the name of a model" in last
