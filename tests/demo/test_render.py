import re
from dataclasses import replace

import pytest

from demo.outcome import Answer, Failure, Fetching, NotChosen, Ready
from demo.render import CardRenderer
from demo.text import Text
from hub_models import Prediction
from tests.demo.conftest import FACTS, answer, reading

PICTURE = "gradio_api/file=/uploads/a.jpg"


def words(html):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", html)).strip()


def card(outcome, unsure_below=0.7, picture="", language="en"):
    return CardRenderer(Text(language), unsure_below, picture).card(outcome, "left")


def test_a_card_shows_label_probabilities_times_and_model():
    shown = words(card(answer(probability=0.8764)))
    assert shown.startswith("resnet cat cat 87.6% dog 12.4% ")
    assert "decode 1.2 ms preprocess 3.4 ms forward 12.3 ms" in shown
    assert "threads: 2 · forward: median of the latest 5 passes, warm-up left out" in shown
    assert "decode and preprocess: once" in shown
    assert "Architecture resnet18, 224 px" in shown
    assert "Started from ImageNet" in shown


def test_a_card_shows_how_large_the_model_is():
    facts = replace(FACTS, parameters=11_177_538, weight_bytes=44_748_000)
    assert "Parameters 11,177,538 Weights 44.7 MB" in words(card(Ready(facts)))


def test_a_probability_below_the_threshold_is_marked_unsure():
    assert "unsure" in words(card(answer(probability=0.69)))
    assert "unsure" not in words(card(answer(probability=0.7)))


def test_a_picture_of_something_else_is_marked_instead():
    shown = words(card(Answer(FACTS, reading(probability=0.6, is_unlike=True))))
    assert "cat unlike its classes" in shown
    assert "unsure" not in shown


def test_every_mapped_class_has_a_map_and_the_first_is_chosen():
    html = card(answer(), picture=PICTURE)
    assert re.findall(r'name="left-class" class="pick-(\d)"[^>]*?( checked)?>', html) == [
        ("0", " checked"),
        ("1", ""),
    ]
    assert re.findall(r'class="map map-(\d)"', html) == ["0", "1"]
    assert 'type="range"' in html
    assert f'src="{PICTURE}"' in html


def test_the_card_shows_the_part_of_the_picture_that_the_model_saw():
    zoomed = Answer(replace(FACTS, zoom=256 / 224), reading())
    assert "--zoom:1.1429" in card(zoomed, picture=PICTURE)
    assert 'class="view"' in card(zoomed, picture=PICTURE)
    squashed = Answer(replace(FACTS, is_squashed=True), reading())
    assert 'class="view squashed"' in card(squashed, picture=PICTURE)


def test_without_a_picture_to_show_there_is_no_map():
    html = card(answer())
    assert "<img" not in html
    assert "radio" not in html


def test_only_the_first_classes_are_shown_and_the_others_counted():
    predictions = tuple(Prediction(f"class {i}", 0.1) for i in range(20))
    facts = replace(FACTS, labels=tuple(f"class {i}" for i in range(1000)))
    shown = words(card(Answer(facts, reading(predictions=predictions)), 0.0))
    assert "class 4" in shown
    assert "class 5" not in shown
    assert "and 995 more" in shown


def test_the_measured_accuracy_is_shown_with_its_split():
    results = {"train": {"accuracy": 1.0}, "test": {"accuracy": 0.98531, "images": 2326}}
    shown = words(card(Ready(replace(FACTS, results=results))))
    assert "Accuracy 98.53% of 2,326 pictures (test)" in shown


@pytest.mark.parametrize("results", [{}, {"test": {}}, {"test": {"accuracy": "high"}}])
def test_an_accuracy_that_is_not_there_is_not_made_up(results):
    assert "Accuracy not measured" in words(card(Ready(replace(FACTS, results=results))))


def test_a_model_of_the_hub_links_to_its_commit():
    facts = replace(FACTS, source="owner/name@main", revision="0123456789abcdef")
    html = card(Ready(facts))
    assert "/owner/name/tree/0123456789abcdef" in html
    assert ">0123456</a>" in html


def test_a_fetch_and_a_failure_are_said():
    assert words(card(Fetching("owner/name"))) == (
        "owner/name Fetching owner/name from the hub. This can take a minute; "
        "the page goes on working."
    )
    assert "from the hub: 12.3 MB in 7 s." in words(card(Fetching("owner/name", 7.8, 12_345_678)))
    failed = card(Failure("owner/name", "owner/name: no such thing."))
    assert words(failed).endswith("This model cannot be used. owner/name: no such thing.")
    assert words(card(NotChosen())) == "Choose a model above."


def test_a_card_speaks_chinese():
    shown = words(card(answer(probability=0.6), picture=PICTURE, language="zh-CN"))
    assert "没有把握" in shown
    assert "解码 1.2 毫秒" in shown
    assert "Parameters" not in shown


def test_nothing_of_a_stranger_becomes_markup():
    evil = "<script>alert('x')</script>\"&"
    facts = replace(
        FACTS,
        source=evil,
        architecture=evil,
        origin={"start": evil},
        results={evil: {"accuracy": 1.0}},
        revision=evil,
    )
    said = Answer(facts, reading(predictions=(Prediction(evil, 1.0),)))
    for outcome in (said, Ready(facts), Fetching(evil), Failure(evil, evil)):
        html = card(outcome, picture=f'"><script>{PICTURE}')
        assert "<script" not in html
        assert "alert(&#x27;x&#x27;)" in html
