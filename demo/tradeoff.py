"""A measured comparison to what the trade-off tab shows: table, picture, choice and scenarios."""

from collections.abc import Sequence
from html import escape
from typing import Final

from demo.text import Text
from demo.verdict import status
from hub_models.comparison import Comparison
from hub_models.errors import ConfigError
from hub_models.recommend import (
    CHAINS,
    Candidate,
    Recommendation,
    Wish,
    as_candidates,
    is_better,
    pareto_front,
    recommend,
)
from hub_models.scenarios import read_scenarios

_SCENARIOS: Final = {  # the library's titles; one without words here keeps its own
    "web upload": "scenario_web",
    "mobile app": "scenario_mobile",
    "edge device": "scenario_edge",
    "video stream": "scenario_video",
    "moderation": "scenario_moderation",
}
_MISSES: Final = {
    "max_latency_ms": "miss_latency",
    "max_mb": "miss_size",
    "max_memory_mb": "miss_memory",
    "min_accuracy": "miss_accuracy",
}
_WIDTH: Final = 640  # of the picture, in its own units
_HEIGHT: Final = 320
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 620, 20, 270


def render_tradeoff(comparison: Comparison, say: Text) -> str:
    """Draw the models' numbers, and accuracy against latency where that was measured.

    Args:
        comparison: What was measured.
        say: The words of the page.

    Returns:
        HTML.
    """
    candidates = as_candidates(comparison)
    keys = ("model", "accuracy", "interval", "size", "parameters", "a_picture", "memory")
    rows = [_numbers(candidate, say) for candidate in candidates]
    machine = comparison.machine
    note = say(
        "measured_on",
        images=f"{comparison.images:,}",
        data=comparison.data,
        split=comparison.split,
        cpu=machine.cpu,
        cores=machine.cores,
    )
    shown = table([say(key) for key in keys], rows)
    if all(candidate.measurement for candidate in candidates):
        shown += draw(candidates, say)
    return f'{shown}<p class="note">{escape(note)}</p>'


def render_choice(comparison: Comparison, wish: Wish, say: Text) -> str:
    """Say which model to ship, and why.

    Args:
        comparison: What was measured.
        wish: Priority and limits.
        say: The words of the page.

    Returns:
        HTML with the role "status".
    """
    try:
        return status("agree", explain(comparison, recommend(comparison, wish), say))
    except ConfigError as error:
        return status("problem", str(error))


def render_scenarios(comparison: Comparison, say: Text) -> str:
    """Draw which model suits which of the library's typical uses.

    Args:
        comparison: What was measured.
        say: The words of the page.

    Returns:
        HTML.
    """
    rows = []
    for scenario in read_scenarios():
        try:
            found = recommend(comparison, scenario.wish)
            name = found.choice.name if found.choice else say("none")
            reason = explain(comparison, found, say)
        except ConfigError as error:
            name, reason = say("none"), str(error)
        key = _SCENARIOS.get(scenario.title)
        rows.append([say(key) if key else scenario.title, name, reason])
    return table([say("use"), say("model"), say("reason")], rows)


def explain(comparison: Comparison, found: Recommendation, say: Text) -> str:
    """Say in words what decided, with the numbers.

    Args:
        comparison: What was measured.
        found: The recommendation.
        say: The words of the page.

    Returns:
        Plain text.
    """
    choice, other = found.choice, found.runner_up
    if choice is None:
        missed = (
            say(_MISSES[m.limit], name=m.name, value=f"{m.value:.4g}", allowed=f"{m.allowed:.4g}")
            for m in found.misses
        )
        return say("no_choice", misses="; ".join(missed))
    if other is None:
        return say("only_choice", name=choice.name)
    reasons = []
    for criterion in CHAINS[found.wish.priority]:
        if criterion == "balanced":
            ours, theirs = (found.scores[each.name] for each in (choice, other))
            is_won, is_lost = ours < theirs, False
            numbers = (f"{ours:.2f}", f"{theirs:.2f}")
        else:
            is_won = is_better(comparison, criterion, choice, other)
            is_lost = is_better(comparison, criterion, other, choice)
            numbers = (_cost(choice, criterion, say), _cost(other, criterion, say))
        outcome = say("decides" if is_won else "other_better" if is_lost else "no_difference")
        said = {"criterion": say(criterion), "ours": numbers[0], "theirs": numbers[1]}
        reasons.append(say("one_reason", **said, outcome=outcome))
        if is_won:
            break
    return say("choice", name=choice.name, other=other.name, reasons="; ".join(reasons))


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Draw a table, the first column naming the row.

    Args:
        heads: Plain text.
        rows: The same.

    Returns:
        HTML.
    """
    top = "".join(f'<th scope="col">{escape(head)}</th>' for head in heads)
    body = "".join(
        f'<tr><th scope="row">{escape(row[0])}</th>'
        + "".join(f"<td>{escape(cell)}</td>" for cell in row[1:])
        + "</tr>"
        for row in rows
    )
    return (
        f'<div class="scroll" tabindex="0"><table class="rows"><thead><tr>{top}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def draw(candidates: Sequence[Candidate], say: Text) -> str:
    """Draw accuracy against latency, with intervals, and a line through the models none beats.

    Args:
        candidates: With measurements.
        say: The words of the page.

    Returns:
        An SVG in the page's colours.
    """
    most_ms = max(c.cost("speed") or 0 for c in candidates) * 1.25
    low = min(c.model.accuracy_low for c in candidates)
    span = max(max(c.model.accuracy_high for c in candidates) - low, 1e-6)

    def place(candidate: Candidate, accuracy: float) -> tuple[float, float]:
        x = _LEFT + (candidate.cost("speed") or 0) / most_ms * (_RIGHT - _LEFT)
        return x, _BOTTOM - (accuracy - low) / span * (_BOTTOM - _TOP)

    parts = [f'<path class="axes" d="M{_LEFT} {_TOP}V{_BOTTOM}H{_RIGHT}"/>']
    front = [place(c, c.model.accuracy) for c in pareto_front(candidates)]
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in front)
    parts.append(f'<polyline class="front" points="{points}"/>')
    for candidate in candidates:
        model = candidate.model
        x, y = place(candidate, model.accuracy)
        bottom, top = (place(candidate, a)[1] for a in (model.accuracy_low, model.accuracy_high))
        side = "end" if x > (_LEFT + _RIGHT) / 2 else "start"
        parts.append(
            f'<path class="axes" d="M{x:.1f} {bottom:.1f}V{top:.1f}"/>'
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="6"/>'
            f'<text x="{x + (-12 if side == "end" else 12):.1f}" y="{y + 5:.1f}" '
            f'text-anchor="{side}">{escape(model.name)}</text>'
        )
    for share in (low, low + span):
        y = _BOTTOM - (share - low) / span * (_BOTTOM - _TOP)
        parts.append(f'<text x="{_LEFT - 6}" y="{y + 5:.1f}" text-anchor="end">{share:.1%}</text>')
    for part in (0.5, 1.0):
        x, number = _LEFT + part * (_RIGHT - _LEFT), f"{part * most_ms:.1f}"
        parts.append(
            f'<text x="{x:.1f}" y="{_BOTTOM + 20}" text-anchor="end">'
            f"{escape(say('milliseconds', number=number))}</text>"
        )
    title = escape(say("tradeoff_picture"))
    return (
        f'<svg class="tradeoff" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{title}">'
        f'{"".join(parts)}<text x="{_LEFT}" y="{_HEIGHT - 8}">{title}</text></svg>'
    )


def _numbers(candidate: Candidate, say: Text) -> list[str]:
    model = candidate.model
    cells = [
        model.name,
        f"{model.accuracy:.2%}",
        f"{model.accuracy_low:.2%} \N{EN DASH} {model.accuracy_high:.2%}",
        say("megabytes", number=f"{candidate.file_bytes / 1e6:.1f}"),
        f"{model.parameters:,}",
    ]
    measured = candidate.measurement
    if measured is None:
        return [*cells, say("not_measured"), say("not_measured")]
    engine = say("engine_threads", engine=measured.engine, threads=measured.threads)
    return [
        *cells,
        f"{say('milliseconds', number=f'{measured.p50_ms:.1f}')} ({engine})",
        say("megabytes", number=f"{measured.peak_bytes / 1e6:.0f}"),
    ]


def _cost(candidate: Candidate, criterion: str, say: Text) -> str:
    if criterion == "accuracy":
        return f"{candidate.model.accuracy:.2%}"
    cost = candidate.cost(criterion)
    if cost is None:
        return say("not_measured")
    if criterion == "speed":
        return say("milliseconds", number=f"{cost:.1f}")
    return say("megabytes", number=f"{cost / 1e6:.1f}")
