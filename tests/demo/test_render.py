import re
from dataclasses import replace

import pytest

from demo.outcome import Answer, Comparison, Facts, Failure, Fetching, NotChosen, Ready
from demo.render import render_card, render_verdict
from hub_models import Prediction

FACTS = Facts("resnet", "resnet18", 224, ("cat", "dog"), {"start": "ImageNet"}, {})


def answer(source="resnet", label="cat", probability=0.9):
    other = "dog" if label == "cat" else "cat"
    predictions = (Prediction(label, probability), Prediction(other, 1 - probability))
    return Answer(replace(FACTS, source=source), predictions, 12.345, 5, 2)


def words(html):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", html)).strip()


def verdict(left, right, problem=""):
    html = render_verdict(Comparison(left, right, problem), 0.7)
    assert html.startswith('<div role="status"')
    assert "<svg" in html
    return words(html)


def test_a_card_shows_label_probabilities_time_and_model():
    shown = words(render_card(answer(probability=0.8764), 0.7))
    assert shown.startswith("resnet cat cat 87.6% dog 12.4% 12.3 ms")
    assert "median of 5 forward passes after a warm-up · this machine, CPU, 2 threads" in shown
    assert "Architecture resnet18, 224 px" in shown
    assert "Started from ImageNet" in shown


def test_a_probability_below_the_threshold_is_marked_unsure():
    assert "unsure" in words(render_card(answer(probability=0.69), 0.7))
    assert "unsure" not in words(render_card(answer(probability=0.7), 0.7))


def test_only_the_first_classes_are_shown_and_the_others_counted():
    predictions = tuple(Prediction(f"class {i}", 0.1) for i in range(10))
    shown = words(render_card(replace(answer(), predictions=predictions), 0.0))
    assert "class 4" in shown
    assert "class 5" not in shown
    assert "and 5 more classes" in shown


def test_the_measured_accuracy_is_shown_with_its_split():
    results = {"train": {"accuracy": 1.0}, "test": {"accuracy": 0.98531, "images": 2326}}
    shown = words(render_card(Ready(replace(FACTS, results=results)), 0.7))
    assert "Accuracy 98.53% of 2,326 pictures (test)" in shown


@pytest.mark.parametrize("results", [{}, {"test": {}}, {"test": {"accuracy": "high"}}])
def test_an_accuracy_that_is_not_there_is_not_made_up(results):
    shown = words(render_card(Ready(replace(FACTS, results=results)), 0.7))
    assert "Accuracy not measured" in shown


def test_a_model_of_the_hub_links_to_its_commit():
    facts = replace(FACTS, source="owner/name@main", revision="0123456789abcdef")
    html = render_card(Ready(facts), 0.7)
    assert "/owner/name/tree/0123456789abcdef" in html
    assert ">0123456</a>" in html


def test_a_fetch_and_a_failure_are_said():
    assert words(render_card(Fetching("owner/name"), 0.7)) == (
        "owner/name Fetching owner/name from the hub. This can take a minute; "
        "the page goes on working."
    )
    failed = render_card(Failure("owner/name", "owner/name: no such thing."), 0.7)
    assert words(failed).endswith("This model cannot be used. owner/name: no such thing.")
    assert words(render_card(NotChosen(), 0.7)) == "Choose a model above."


def test_the_verdict_says_whether_the_models_agree():
    sure, unsure = answer("A"), answer("B", probability=0.6)
    assert verdict(sure, answer("B")) == "Both models say cat."
    assert verdict(sure, unsure) == "Both models say cat, but B is unsure."
    both = verdict(answer("A", probability=0.55), unsure)
    assert both == "Both models lean to cat, and both are unsure."
    dog = answer("B", "dog")
    assert verdict(sure, dog) == "The models disagree: A says cat, B says dog."
    doubtful = answer("B", "dog", 0.6)
    assert verdict(sure, doubtful).endswith("A says cat, B says dog. B is unsure.")
    assert verdict(answer("A", probability=0.5), doubtful).endswith("Both are unsure.")


def test_the_verdict_says_why_there_is_none():
    failure = Failure("B", "no such thing")
    assert verdict(answer("A"), failure) == "Only one model answered: A says cat."
    so_far = verdict(answer("A"), Fetching("B"))
    assert so_far == "A says cat. The other model is on its way."
    assert verdict(failure, failure) == "Neither model could answer."
    assert verdict(Fetching("A"), failure) == "The models are on their way."
    assert verdict(NotChosen(), NotChosen()) == "Choose a model to begin."
    assert verdict(Ready(FACTS), failure).startswith("Waiting for a picture")
    problem = verdict(Ready(FACTS), Ready(FACTS), "a.jpg: damaged")
    assert problem == "This picture cannot be used. a.jpg: damaged."


def test_nothing_of_a_stranger_becomes_markup():
    evil = "<script>alert('x')</script>\"&"
    facts = Facts(evil, evil, 1, (evil,), {"start": evil}, {evil: {"accuracy": 1.0}}, evil)
    said = Answer(facts, (Prediction(evil, 1.0),), 1.0, 1, 1)
    shown = [render_card(o, 0.7) for o in (said, Ready(facts), Fetching(evil), Failure(evil, evil))]
    shown.append(render_verdict(Comparison(said, said, ""), 0.7))
    shown.append(render_verdict(Comparison(said, said, evil), 0.7))
    for html in shown:
        assert "<script" not in html
        assert "alert(&#x27;x&#x27;)" in html
