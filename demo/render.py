"""Outcomes to HTML: one card per model and one verdict. Everything not ours is escaped."""

from html import escape
from typing import Final
from urllib.parse import quote

from huggingface_hub import constants

from demo import text
from demo.outcome import (
    Answer,
    Comparison,
    Facts,
    Failure,
    Fetching,
    NotChosen,
    Outcome,
    Ready,
)

SHOWN_CLASSES: Final = 5
_PATHS: Final = {  # 24 × 24, drawn with strokes
    "agree": "M4 12.5l5.5 5.5L20 7",
    "differ": "M5 9h14M5 15h14M16 4L8 20",
    "wait": "M12 6v6l4 2.5M12 3a9 9 0 100 18 9 9 0 000-18z",
    "problem": "M12 8v5m0 3.5v.1M12 3L2.5 20h19L12 3z",
}


def render_card(outcome: Outcome, unsure_below: float) -> str:
    """Draw what one model says.

    Args:
        outcome: What became of the model.
        unsure_below: A top probability under this is marked, 0 to 1.

    Returns:
        HTML.
    """
    match outcome:
        case Answer():
            body = _answer(outcome, unsure_below) + _facts(outcome.facts)
            return _card(outcome.facts.source, "answer", body)
        case Ready():
            return _card(outcome.facts.source, "ready", _facts(outcome.facts))
        case Fetching():
            return _card(outcome.source, "wait", _line("wait", text.fetching(outcome.source)))
        case Failure():
            return _card(outcome.source, "problem", _line("problem", _unusable(outcome)))
        case NotChosen():
            return _card("", "ready", f"<p>{escape(text.NOT_CHOSEN)}</p>")


def render_verdict(comparison: Comparison, unsure_below: float) -> str:
    """Say in words and with an icon whether the models agree.

    Args:
        comparison: Both outcomes.
        unsure_below: A top probability under this is named, 0 to 1.

    Returns:
        HTML with the role "status".
    """
    kind, sentence = _verdict(comparison, unsure_below)
    return verdict_line(kind, sentence)


def verdict_line(kind: str, sentence: str) -> str:
    """Draw one sentence as the page's status line.

    Args:
        kind: "agree", "differ", "wait" or "problem".
        sentence: Plain text.

    Returns:
        HTML with the role "status".
    """
    return f'<div role="status" class="verdict {kind}">{_line(kind, sentence)}</div>'


def _verdict(comparison: Comparison, unsure_below: float) -> tuple[str, str]:
    if comparison.picture_problem:
        return "problem", text.bad_picture(comparison.picture_problem.rstrip("."))
    sides = (comparison.left, comparison.right)
    answers = [side for side in sides if isinstance(side, Answer)]
    if not answers:
        return _no_answer(sides)
    said = [(answer.facts.source, answer.predictions[0].label) for answer in answers]
    if len(answers) == 1:
        is_waiting = any(isinstance(side, Fetching) for side in sides)
        return "wait", (text.one_so_far if is_waiting else text.only_one)(*said[0])
    unsure = [a.facts.source for a in answers if a.predictions[0].probability < unsure_below]
    if said[0][1] != said[1][1]:
        return "differ", text.they_disagree(said[0], said[1], unsure)
    label = said[0][1]
    return "agree", text.both_say_unsure(label, unsure) if unsure else text.both_say(label)


def _no_answer(sides: tuple[Outcome, Outcome]) -> tuple[str, str]:
    kinds = {type(side) for side in sides}
    if Ready in kinds:
        return "wait", text.NO_PICTURE
    if Fetching in kinds:
        return "wait", text.NO_MODEL_YET
    return ("wait", text.NO_MODEL) if kinds == {NotChosen} else ("problem", text.NO_ANSWER)


def _card(name: str, kind: str, body: str) -> str:
    title = f"<h2>{escape(name)}</h2>" if name else ""
    return f'<article class="model-card {kind}">{title}{body}</article>'


def _answer(answer: Answer, unsure_below: float) -> str:
    top = answer.predictions[0]
    mark = f'<span class="unsure">{text.UNSURE}</span>' if top.probability < unsure_below else ""
    rows = "".join(
        f'<li><span class="label">{escape(p.label)}</span>'
        f'<span class="bar" aria-hidden="true"><i style="width:{p.probability:.2%}"></i></span>'
        f'<span class="probability">{p.probability:.1%}</span></li>'
        for p in answer.predictions[:SHOWN_CLASSES]
    )
    hidden = len(answer.predictions) - SHOWN_CLASSES
    more = f'<p class="more">{text.more_classes(hidden)}</p>' if hidden > 0 else ""
    note = text.forward_time(answer.passes, answer.threads)
    return (
        f'<p class="top"><strong>{escape(top.label)}</strong>{mark}</p>'
        f'<ul class="classes">{rows}</ul>{more}'
        f'<p class="time"><strong>{answer.forward_ms:.1f} ms</strong> <span>{note}</span></p>'
    )


def _facts(facts: Facts) -> str:
    start = str(facts.origin.get("start") or text.START_UNKNOWN)
    rows = {
        "Architecture": escape(f"{facts.architecture}, {facts.side_px} px"),
        "Accuracy": escape(_accuracy(facts)),
        "Started from": escape(start),
    }
    if facts.revision:
        rows["Revision"] = _hub_link(facts.source, facts.revision)
    inner = "".join(f"<dt>{term}</dt><dd>{html}</dd>" for term, html in rows.items())
    return f'<dl class="facts">{inner}</dl>'


def _accuracy(facts: Facts) -> str:
    """Say the measured accuracy; results are anybody's JSON, so nothing about them is taken."""
    split = "test" if "test" in facts.results else next(iter(facts.results), "")
    numbers = facts.results.get(split, {})
    accuracy, images = numbers.get("accuracy"), numbers.get("images")
    if not isinstance(accuracy, int | float):
        return text.ACCURACY_UNKNOWN
    counted = f" of {images:,} pictures" if isinstance(images, int) else ""
    return f"{accuracy:.2%}{counted} ({split})"


def _hub_link(source: str, revision: str) -> str:
    repo_id = source.partition("@")[0]
    address = f"{constants.ENDPOINT}/{quote(repo_id)}/tree/{quote(revision)}"
    return f'<a href="{escape(address)}" target="_blank" rel="noopener">{escape(revision[:7])}</a>'


def _unusable(failure: Failure) -> str:
    return text.unusable(failure.sentence.rstrip("."))


def _line(kind: str, sentence: str) -> str:
    icon = (
        '<svg viewBox="0 0 24 24" aria-hidden="true" fill="none" stroke="currentColor" '
        'stroke-width="2.2" stroke-linecap="round" stroke-linejoin="round">'
        f'<path d="{_PATHS[kind]}"/></svg>'
    )
    return f'<p class="line">{icon}<span>{escape(sentence)}</span></p>'
