import re
from dataclasses import replace

import pytest

from demo.outcome import Answer, Comparison, Failure, Fetching, NotChosen, Ready
from demo.text import Text
from demo.verdict import are_at_odds, judge, render_verdict
from tests.demo.conftest import FACTS, answer, reading


def verdict(left, right, problem=""):
    return judge(Comparison((left, right), None, problem), 0.7, Text("en"))[1]


def unlike(source, labels=("cat", "dog")):
    return Answer(replace(FACTS, source=source, labels=labels), reading(is_unlike=True))


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


def test_the_verdict_says_when_it_looks_like_something_else():
    anyway = "this does not look like cat or dog; each model had to name one anyway."
    assert verdict(unlike("A"), unlike("B")) == f"To A and B {anyway}"
    cannot_tell = answer("B")
    assert verdict(unlike("A"), cannot_tell) == f"To A {anyway}"
    likes_it = Answer(replace(FACTS, source="B"), reading(is_unlike=False))
    assert verdict(unlike("A"), likes_it) == (
        "Both models say cat. To A it does not look like cat or dog."
    )
    many = verdict(unlike("A", ("a", "b", "c", "d")), likes_it)
    assert many.endswith("To A it does not look like one of its classes.")


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


@pytest.mark.parametrize(
    ("right", "kind"),
    [
        (answer("B"), "agree"),
        (answer("B", "dog"), "differ"),
        (Failure("B", "no"), "wait"),
    ],
)
def test_each_verdict_has_its_icon_and_is_read_aloud(right, kind):
    html = render_verdict(Comparison((answer("A"), right)), 0.7, Text("en"))
    assert html.startswith(f'<div role="status" class="verdict {kind}">')
    assert "<svg" in html


def test_nothing_of_a_stranger_becomes_markup():
    evil = "<script>alert(1)</script>"
    for comparison in (
        Comparison((answer(evil), answer(evil, "dog"))),
        Comparison((answer("A"),), None, evil),
    ):
        html = render_verdict(comparison, 0.7, Text("en"))
        assert "<script" not in html
        assert re.search("alert", html)


def test_models_are_at_odds_when_two_name_different_classes():
    assert are_at_odds([answer("A"), answer("B", "dog")])
    assert not are_at_odds([answer("A"), answer("B")])
    assert not are_at_odds([answer("A"), Failure("B", "no")])
