"""What the smaller tabs show."""

import re

import gradio as gr
import pytest

from demo import tab_compare
from demo.endpoints import answer_program
from demo.outcome import Failure, Fetching, Ready
from demo.service import Service
from demo.settings import Settings
from demo.tab_about import list_versions, read_card
from demo.tab_models import render_models
from demo.text import Text
from tests.demo.conftest import FACTS
from tests.demo.test_loader import wait_for

SAY = Text("en")


@pytest.fixture(scope="module")
def service(cards):
    return Service(Settings(cards=cards))


def words(html):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", html)).strip()


def test_the_table_of_models_says_what_became_of_each():
    shown = words(
        render_models(
            {
                "one": Ready(FACTS),
                "two": Fetching("two", 3.0, 4_000_000),
                "three": Failure("three", "no such thing"),
                "four": None,
            },
            SAY,
        )
    )
    assert "one in memory resnet18 0.0 MB" in shown
    assert "two Fetching two from the hub: 4.0 MB in 3 s." in shown
    assert "three This model cannot be used. no such thing." in shown
    assert shown.endswith("four not loaded yet")


def test_a_source_of_a_stranger_is_no_markup():
    assert "<script" not in render_models({"<script>": Failure("<script>", "<script>")}, SAY)


def test_a_card_is_shown_without_its_front_matter(cards):
    card = read_card(cards / "resnet-tiny")
    assert card.strip()
    assert not card.startswith("---")
    assert "model-index" not in card
    assert read_card(cards / "missing") == ""


def test_the_versions_are_those_installed():
    assert f"- gradio {gr.__version__}" in list_versions().splitlines()


def test_a_program_gets_classes_times_and_the_model(service, cat):
    said = answer_program(service, cat, "mobilenet-tiny")
    assert said["model"] == "mobilenet-tiny"
    assert said["predictions"][0]["label"] == "cat"
    assert said["predictions"][0]["probability"] == pytest.approx(0.9526, abs=1e-4)
    assert set(said["milliseconds"]) == {"decode", "preprocess", "forward"}


def test_a_program_gets_a_sentence_for_everything_else(service, cat, tmp_path, silent_hub):
    (tmp_path / "notes.jpg").write_bytes(b"just some text")
    for path, source, sentence in (
        (tmp_path / "notes.jpg", "mobilenet-tiny", "notes.jpg: not a picture"),
        (cat, str(tmp_path), "no config.json in this folder"),
        (cat, "owner/slow", "owner/slow is being fetched; ask again"),
        (None, "mobilenet-tiny", "a picture and the name of a model are needed"),
        (cat, "", "a picture and the name of a model are needed"),
    ):
        with pytest.raises(gr.Error) as caught:
            answer_program(service, path, source)
        assert sentence in caught.value.message


def test_the_page_looks_again_though_a_fetch_ended_while_it_drew(cards, cat, slow_hub):
    class Late(Service):
        """By the time it hands over its answer, every model it speaks of is there or has failed."""

        def compare(self, path, *sources):
            comparison = super().compare(path, *sources)
            slow_hub.set()
            for source in sources:
                wait_for(lambda source=source: self.loader.is_settled(source))
            return comparison

    show = tab_compare._shower(Late(Settings(cards=cards)), 0.7, SAY)
    left, _, _, clock = show(cat, "owner/late", "resnet-tiny")
    assert "Fetching owner/late" in left
    assert clock.active
