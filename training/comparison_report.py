"""A comparison in words: a table of the models, their agreement, and who is better than whom."""

from hub_models.comparison import Comparison, Pair
from hub_models.recommend import ALPHA
from hub_models.recommendation_words import p_words


def report(comparison: Comparison) -> str:
    """Write a comparison for a terminal.

    Args:
        comparison: What was measured.

    Returns:
        Lines: a table of the models, one of their speed, a verdict for every two.
    """
    machine = comparison.machine
    lines = [f"{comparison.images:,} images of {comparison.data}, {comparison.split}"]
    lines += ["", *_table(comparison)]
    if any(model.measurements for model in comparison.models):
        lines += ["", f"speed and memory on {machine.cpu}, {machine.cores} cores"]
        lines += _speeds(comparison)
    if comparison.pairs:
        lines += ["", *(verdict(comparison, pair) for pair in comparison.pairs)]
    return "\n".join(lines)


def verdict(comparison: Comparison, pair: Pair) -> str:
    """Say which of two models is better, if that can be shown.

    Args:
        comparison: That the pair is of.
        pair: Two of its models.

    Returns:
        One sentence with difference, interval, counts, p-value and agreement.
    """
    is_second = pair.difference < 0
    names = (pair.second, pair.first) if is_second else (pair.first, pair.second)
    bounds = (pair.difference_low, pair.difference_high)
    low, high = (-bounds[1], -bounds[0]) if is_second else bounds
    counts = (pair.only_first_right, pair.only_second_right)
    ours, theirs = counts[::-1] if is_second else counts
    order = [model.name for model in comparison.models]
    agreement = comparison.agreement[order.index(pair.first)][order.index(pair.second)]
    numbers = (
        f"{100 * abs(pair.difference):+.2f} points, 95 % interval {100 * low:+.2f} to "
        f"{100 * high:+.2f}; only the one right {ours:,}, only the other {theirs:,}; "
        f"McNemar {p_words(pair.p_value)}; they agree on {agreement:.2%}"
    )
    if pair.p_value < ALPHA:
        return f"{names[0]} is better than {names[1]}: {numbers}"
    return f"no difference between {names[0]} and {names[1]} can be shown: {numbers}"


def _table(comparison: Comparison) -> list[str]:
    width = max(len("model"), *(len(model.name) for model in comparison.models))
    lines = [
        f"{'model':{width}}  accuracy  95 % interval      ECE     loss    parameters"
        "          MACs        bytes"
    ]
    for model in comparison.models:
        interval = f"{model.accuracy_low:.2%} to {model.accuracy_high:.2%}"
        lines.append(
            f"{model.name:{width}}  {model.accuracy:8.2%}  {interval:16}  {model.ece:6.2%}  "
            f"{model.loss:.4f}  {model.parameters:10,}  {model.macs:13,}  {model.bytes:11,}"
        )
    return lines


def _speeds(comparison: Comparison) -> list[str]:
    width = max(len("model"), *(len(model.name) for model in comparison.models))
    lines = [
        f"{'model':{width}}  engine  threads  one picture, p50 and p95 in ms  images/s  peak MB"
        "  file MB"
    ]
    for model in comparison.models:
        for each in model.measurements:
            lines.append(
                f"{model.name:{width}}  {each.engine:6}  {each.threads:7}  {each.p50_ms:20.1f} "
                f"{each.p95_ms:9.1f}  {each.images_per_second:8.1f}  {each.peak_bytes / 1e6:7.0f}"
                f"  {each.file_bytes / 1e6:7.1f}"
            )
    return lines
