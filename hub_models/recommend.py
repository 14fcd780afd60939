"""A comparison and a wish to a choice: which model to ship. Pure, and without PyTorch.

A difference that cannot be told from noise decides nothing: the next criterion does.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Final

from hub_models.comparison import Comparison, Measurement, Model, Number, Positive, Share
from hub_models.errors import ConfigError

ALPHA: Final = 0.05  # McNemar's p below which one model is more accurate than another
# Costs this near each other are the same: two runs of one model differ by as much.
NOISE: Final = {"speed": 0.05, "size": 0.0, "memory": 0.05}
# What decides, and what does where that leaves several.
CHAINS: Final = {
    "accuracy": ("accuracy", "speed", "size", "memory"),
    "speed": ("speed", "accuracy", "size", "memory"),
    "size": ("size", "accuracy", "speed", "memory"),
    "memory": ("memory", "accuracy", "speed", "size"),
    "balanced": ("balanced", "accuracy", "speed", "size", "memory"),
}
PRIORITIES: Final = tuple(CHAINS)


@dataclass(frozen=True)
class Wish:
    """What is asked of a model.

    Attributes:
        priority: One of PRIORITIES.
        max_latency_ms: 95 % of pictures, one at a time, must be answered within it.
        max_mb: Of the file to ship, in units of 10^6 bytes.
        max_memory_mb: Of the process that classifies one picture at a time, same units.
        min_accuracy: Share of right answers, 0 to 1.
        threads: Look at the measurements with so many cores; those with the fastest if None.
    """

    priority: str
    max_latency_ms: Positive | None = None
    max_mb: Positive | None = None
    max_memory_mb: Positive | None = None
    min_accuracy: Share | None = None
    threads: Number | None = None

    def __post_init__(self) -> None:
        """Refuse a priority there is not."""
        if self.priority not in PRIORITIES:
            raise ConfigError(
                f"priority must be one of {', '.join(PRIORITIES)}, not {self.priority!r}"
            )


@dataclass(frozen=True)
class Candidate:
    """A model as it would run.

    Attributes:
        model: Its numbers.
        measurement: Of its speed and memory; None if nothing was measured for all models.
    """

    model: Model
    measurement: Measurement | None

    @property
    def name(self) -> str:
        """Of the model."""
        return self.model.name

    @property
    def file_bytes(self) -> int:
        """Of the file to ship."""
        return self.measurement.file_bytes if self.measurement else self.model.bytes

    def cost(self, criterion: str) -> float | None:
        """Give what "speed" (ms), "size" or "memory" (bytes) costs; None if not measured."""
        if criterion == "size":
            return self.file_bytes
        if self.measurement is None:
            return None
        return self.measurement.p50_ms if criterion == "speed" else self.measurement.peak_bytes


@dataclass(frozen=True)
class Miss:
    """A limit that a model does not keep.

    Attributes:
        name: Of the model.
        limit: A field of Wish.
        value: The model's, in the limit's unit.
        allowed: The limit.
    """

    name: str
    limit: str
    value: float
    allowed: float


@dataclass(frozen=True)
class Recommendation:
    """A choice; `recommendation_words` says it in sentences.

    Attributes:
        wish: What was asked.
        choice: None if no model keeps the limits.
        runner_up: What would be chosen without it; None if nothing is left.
        misses: Every limit that a model broke, in the order of the models.
        scores: Of every model that keeps the limits, by name: half its rank in accuracy, half its
            mean rank in speed, size and memory; the least is best balanced.
    """

    wish: Wish
    choice: Candidate | None
    runner_up: Candidate | None
    misses: tuple[Miss, ...]
    scores: dict[str, float]


def recommend(comparison: Comparison, wish: Wish) -> Recommendation:
    """Choose a model.

    Args:
        comparison: What was measured.
        wish: Priority and limits.

    Returns:
        The choice, without one if no model keeps the limits.

    Raises:
        ConfigError: If what the wish is about was not measured.
    """
    candidates = as_candidates(comparison, wish.threads)
    _check_measured(candidates, wish)
    misses = [miss for candidate in candidates for miss in _misses(candidate, wish)]
    broken = {miss.name for miss in misses}
    pool = [candidate for candidate in candidates if candidate.name not in broken]
    scores = _scores(comparison, pool)
    choice = _choose(comparison, pool, wish.priority, scores)
    others = [candidate for candidate in pool if candidate is not choice]
    runner_up = _choose(comparison, others, wish.priority, scores)
    return Recommendation(wish, choice, runner_up, tuple(misses), scores)


def as_candidates(comparison: Comparison, threads: int | None = None) -> list[Candidate]:
    """Pair every model with its measurement: the same engine and threads for all.

    Args:
        comparison: What was measured.
        threads: Of the measurements; any if None.

    Returns:
        One per model, in their order, run by the engine and threads whose p50 over all models
        is the least in sum; without measurement if there is none that all models have.

    Raises:
        ConfigError: If there are measurements, and none with so many threads.
    """
    tables = [{(m.engine, m.threads): m for m in model.measurements} for model in comparison.models]
    shared = set(tables[0]).intersection(*tables)
    wanted = [key for key in shared if threads in (None, key[1])]
    if shared and not wanted:
        there = ", ".join(map(str, sorted({key[1] for key in shared})))
        raise ConfigError(f"no model was measured with {threads} threads, but with {there}")
    if not wanted:
        return [Candidate(model, None) for model in comparison.models]
    best = min(wanted, key=lambda key: (sum(table[key].p50_ms for table in tables), key))
    return [
        Candidate(model, table[best])
        for model, table in zip(comparison.models, tables, strict=True)
    ]


def is_better(comparison: Comparison, criterion: str, one: Candidate, other: Candidate) -> bool:
    """Tell whether one model is better than another by more than noise.

    Args:
        comparison: For the test of their accuracies.
        criterion: "accuracy", "speed", "size" or "memory".
        one: The one that may be better.
        other: The other.

    Returns:
        False too if the criterion was not measured.
    """
    if criterion == "accuracy":
        if one.model.correct <= other.model.correct:
            return False
        return comparison.pair(one.name, other.name).p_value < ALPHA
    cost, other_cost = one.cost(criterion), other.cost(criterion)
    if cost is None or other_cost is None:
        return False
    return cost < other_cost * (1 - NOISE[criterion])


def pareto_front(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Keep the models that no other beats in both accuracy and p50, as measured.

    Args:
        candidates: With measurements.

    Returns:
        The fastest first.
    """
    front: list[Candidate] = []
    for candidate in sorted(candidates, key=lambda c: (c.cost("speed") or 0, -c.model.accuracy)):
        if not front or candidate.model.accuracy > front[-1].model.accuracy:
            front.append(candidate)
    return front


def _choose(
    comparison: Comparison, pool: Sequence[Candidate], priority: str, scores: dict[str, float]
) -> Candidate | None:
    if not pool:
        return None
    for criterion in CHAINS[priority]:
        if criterion == "balanced":
            least = min(scores[candidate.name] for candidate in pool)
            pool = [candidate for candidate in pool if scores[candidate.name] == least]
            continue
        best = min(pool, key=lambda candidate: _worth(criterion, candidate))
        pool = [each for each in pool if not is_better(comparison, criterion, best, each)]
    return max(pool, key=lambda candidate: candidate.model.correct)


def _worth(criterion: str, candidate: Candidate) -> float:
    """Give a number that is less for the better."""
    if criterion == "accuracy":
        return -candidate.model.correct
    return candidate.cost(criterion) or 0


def _scores(comparison: Comparison, pool: Sequence[Candidate]) -> dict[str, float]:
    def rank(criterion: str, candidate: Candidate) -> int:
        """Count the models that are better by more than noise."""
        return 1 + sum(is_better(comparison, criterion, each, candidate) for each in pool)

    return {
        each.name: (
            rank("accuracy", each) + sum(rank(criterion, each) for criterion in NOISE) / len(NOISE)
        ) / 2
        for each in pool
    }  # fmt: skip


def _check_measured(candidates: Iterable[Candidate], wish: Wish) -> None:
    if all(candidate.measurement for candidate in candidates):
        return
    asked = {"max_latency_ms": wish.max_latency_ms, "max_memory_mb": wish.max_memory_mb}
    asked |= {"threads": wish.threads}
    needs = [name for name, value in asked.items() if value is not None]
    if wish.priority in ("speed", "memory", "balanced"):
        needs.append(f"priority {wish.priority}")
    if needs:
        raise ConfigError(
            f"{needs[0]} needs speed and memory, which were not measured for every model in the "
            "same way: run training.compare without --no-profile"
        )


def _misses(candidate: Candidate, wish: Wish) -> list[Miss]:
    values = {"max_mb": candidate.file_bytes / 1e6, "min_accuracy": candidate.model.accuracy}
    if candidate.measurement:
        values["max_latency_ms"] = candidate.measurement.p95_ms
        values["max_memory_mb"] = candidate.measurement.peak_bytes / 1e6
    misses = []
    for name in (field.name for field in fields(Wish) if field.name in values):
        allowed, value = getattr(wish, name), values[name]
        if allowed is None:
            continue
        if value < allowed if name == "min_accuracy" else value > allowed:
            misses.append(Miss(candidate.name, name, value, allowed))
    return misses
