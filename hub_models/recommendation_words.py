"""A recommendation in sentences, with the measured numbers that decided it."""

from typing import Final

from hub_models.comparison import Comparison
from hub_models.recommend import CHAINS, Candidate, Miss, Recommendation, is_better

_UNITS: Final = {
    "max_latency_ms": "takes {:.1f} ms for 95 % of pictures",
    "max_mb": "has {:.1f} MB",
    "max_memory_mb": "needs {:.0f} MB of memory",
    "min_accuracy": "is right in {:.2%}",
}
_LIMITS: Final = {
    "max_latency_ms": "the limit is {:g} ms",
    "max_mb": "the limit is {:g} MB",
    "max_memory_mb": "the limit is {:g} MB",
    "min_accuracy": "at least {:.2%} is wanted",
}
_BETTER: Final = {
    "accuracy": "more accurate",
    "speed": "faster",
    "size": "smaller",
    "memory": "needs less memory",
}


def as_sentence(comparison: Comparison, recommendation: Recommendation) -> str:
    """Say why the choice was made.

    Args:
        comparison: What it was made from.
        recommendation: By `recommend`.

    Returns:
        One or two sentences; if no model keeps the limits, what each of them breaks.
    """
    choice, runner_up = recommendation.choice, recommendation.runner_up
    if choice is None:
        return f"no model keeps the limits: {'; '.join(map(miss_words, recommendation.misses))}"
    if runner_up is None:
        only = "the only model" if not recommendation.misses else "the only one within the limits"
        return f"{choice.name} is {only}: {facts(choice)}"
    reasons = [
        _reason(comparison, recommendation, criterion, choice, runner_up)
        for criterion in _until_decided(comparison, recommendation, choice, runner_up)
    ]
    return f"{choice.name}, before {runner_up.name}: {'; '.join(reasons)}"


def facts(candidate: Candidate) -> str:
    """Give a model's numbers in one line.

    Args:
        candidate: The model as it would run.

    Returns:
        Accuracy, size and, if measured, time and memory with engine and threads.
    """
    words = [f"{candidate.model.accuracy:.2%} right", f"{candidate.file_bytes / 1e6:.1f} MB"]
    if measured := candidate.measurement:
        threads = f"{measured.threads} thread{'s' * (measured.threads > 1)}"
        words += [
            f"{measured.p50_ms:.1f} ms a picture (95 % within {measured.p95_ms:.1f} ms)",
            f"{measured.peak_bytes / 1e6:.0f} MB of memory ({measured.engine}, {threads})",
        ]
    return ", ".join(words)


def miss_words(miss: Miss) -> str:
    """Say which limit a model breaks.

    Args:
        miss: Of a recommendation.

    Returns:
        Such as "resnet18 takes 31.0 ms for 95 % of pictures, the limit is 20 ms".
    """
    is_wrong, wanted = _UNITS[miss.limit], _LIMITS[miss.limit]
    return f"{miss.name} {is_wrong.format(miss.value)}, {wanted.format(miss.allowed)}"


def _until_decided(
    comparison: Comparison, recommendation: Recommendation, choice: Candidate, other: Candidate
) -> list[str]:
    """List the criteria up to the first that tells the two apart."""
    chain = CHAINS[recommendation.wish.priority]
    for number, criterion in enumerate(chain, start=1):
        if criterion == "balanced":
            is_decided = recommendation.scores[choice.name] < recommendation.scores[other.name]
        else:
            is_decided = is_better(comparison, criterion, choice, other)
        if is_decided:
            return list(chain[:number])
    return list(chain)


def _reason(
    comparison: Comparison,
    recommendation: Recommendation,
    criterion: str,
    choice: Candidate,
    other: Candidate,
) -> str:
    if criterion == "balanced":
        ours, theirs = recommendation.scores[choice.name], recommendation.scores[other.name]
        mean = (
            f"mean rank {ours:.2f} against {theirs:.2f} (half accuracy, half speed, size, memory)"
        )
        return f"better balanced, {mean}" if ours < theirs else f"balanced alike, {mean}"
    numbers = _numbers(comparison, criterion, choice, other)
    if is_better(comparison, criterion, choice, other):
        return f"{_BETTER[criterion]}, {numbers}"
    if is_better(comparison, criterion, other, choice):
        return f"not {_BETTER[criterion]}, {numbers}"
    return f"no difference in {criterion} can be shown, {numbers}"


def _numbers(comparison: Comparison, criterion: str, choice: Candidate, other: Candidate) -> str:
    if criterion == "accuracy":
        p_value = comparison.pair(choice.name, other.name).p_value
        shares = f"{choice.model.accuracy:.2%} against {other.model.accuracy:.2%}"
        return f"{shares} ({p_words(p_value)})"
    ours, theirs = choice.cost(criterion), other.cost(criterion)
    if ours is None or theirs is None:
        return "as it was not measured"
    if criterion == "speed":
        return f"{ours:.1f} against {theirs:.1f} ms a picture"
    return f"{ours / 1e6:.1f} against {theirs / 1e6:.1f} MB"


def p_words(p_value: float) -> str:
    """Write a p-value as papers do.

    Args:
        p_value: 0 to 1.

    Returns:
        "p < 0.001", or three digits.
    """
    return "p < 0.001" if p_value < 0.001 else f"p = {p_value:.3f}"
