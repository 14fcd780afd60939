"""Two outcomes to one sentence: whether the models agree, how surely, and on what."""

from collections.abc import Sequence

from demo.outcome import Answer, Comparison, Fetching, NotChosen, Outcome, Ready
from demo.render import line
from demo.text import Text

NAMED_CLASSES = 3  # more than these are called "one of its classes"


def render_verdict(comparison: Comparison, unsure_below: float, say: Text) -> str:
    """Say in words and with an icon whether the models agree.

    Args:
        comparison: What became of two models.
        unsure_below: A top probability under this is named, 0 to 1.
        say: The words of the page.

    Returns:
        HTML with the role "status".
    """
    return status(*judge(comparison, unsure_below, say))


def status(kind: str, sentence: str) -> str:
    """Draw one sentence as the page's status line.

    Args:
        kind: As of `line`.
        sentence: Plain text.

    Returns:
        HTML with the role "status".
    """
    return f'<div role="status" class="verdict {kind}">{line(kind, sentence)}</div>'


def judge(comparison: Comparison, unsure_below: float, say: Text) -> tuple[str, str]:
    """Say whether the models agree.

    Args:
        comparison: What became of two models.
        unsure_below: A top probability under this is named, 0 to 1.
        say: The words of the page.

    Returns:
        The kind of line, and its sentence as plain text.
    """
    if comparison.problem:
        return "problem", say("bad_picture", problem=comparison.problem.rstrip("."))
    answers = [outcome for outcome in comparison.outcomes if isinstance(outcome, Answer)]
    if not answers:
        return _no_answer(comparison.outcomes, say)
    if len(answers) == 1:
        return "wait", _one(answers[0], comparison.outcomes, say)
    can_tell = [answer for answer in answers if answer.reading.is_unlike is not None]
    unlike = [answer for answer in can_tell if answer.reading.is_unlike]
    kind, sentence = _both(answers, unsure_below, say)
    if not unlike:
        return kind, sentence
    models = say("and", first=unlike[0].facts.source, last=unlike[-1].facts.source)
    said = {
        "models": unlike[0].facts.source if len(unlike) == 1 else models,
        "classes": _classes(unlike[0], say),
    }
    if len(unlike) == len(can_tell):  # the others were never measured, and would not know
        return "unsure", say("neither", **said)
    return kind, say("unlike_to", verdict=sentence, **said)


def are_at_odds(outcomes: Sequence[Outcome]) -> bool:
    """Tell whether two of the models that answered name different classes.

    Args:
        outcomes: Of one picture.

    Returns:
        False where fewer than two answered.
    """
    said = {o.reading.predictions[0].label for o in outcomes if isinstance(o, Answer)}
    return len(said) > 1


def _both(answers: list[Answer], unsure_below: float, say: Text) -> tuple[str, str]:
    left, right = ((a.facts.source, a.reading.predictions[0].label) for a in answers)
    unsure = [
        a.facts.source for a in answers if a.reading.predictions[0].probability < unsure_below
    ]
    doubt = {"model": unsure[0]} if unsure else {}
    if left[1] == right[1]:
        key = ("both_say", "both_say_but", "both_lean")[len(unsure)]
        return ("unsure" if len(unsure) > 1 else "agree"), say(key, label=left[1], **doubt)
    key = ("disagree", "disagree_but", "disagree_unsure")[len(unsure)]
    names = {"left": left[0], "left_label": left[1], "right": right[0], "right_label": right[1]}
    return "differ", say(key, **names, **doubt)


def _one(answer: Answer, outcomes: Sequence[Outcome], say: Text) -> str:
    is_waiting = any(isinstance(outcome, Fetching) for outcome in outcomes)
    model, label = answer.facts.source, answer.reading.predictions[0].label
    return say("one_so_far" if is_waiting else "only_one", model=model, label=label)


def _no_answer(outcomes: Sequence[Outcome], say: Text) -> tuple[str, str]:
    kinds = {type(outcome) for outcome in outcomes}
    if Ready in kinds:
        return "wait", say("no_picture")
    if Fetching in kinds:
        return "wait", say("no_model_yet")
    if kinds == {NotChosen}:
        return "wait", say("no_model")
    return "problem", say("no_answer")


def _classes(answer: Answer, say: Text) -> str:
    labels = answer.facts.labels
    if len(labels) > NAMED_CLASSES:
        return say("a_class_of_it")
    return say("or", first=", ".join(labels[:-1]), last=labels[-1]) if labels[1:] else labels[0]
