"""Numbers for Prometheus: counts and times, nothing of a picture and no visitor's name."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_PREFIX = "hub_models_demo"
_SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


class Metrics:
    """The counters of one running demo, in a registry of their own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.refused = self._counter("refused", "Requests refused by the guard", "status")
        self.outcomes = self._counter("outcomes", "What became of a model and a picture", "kind")
        self.remembered = self._counter("remembered", "Answers given from memory")
        self.forward = Histogram(
            f"{_PREFIX}_forward_seconds",
            "Median time of a forward pass",
            registry=self._registry,
            buckets=_SECONDS,
        )

    def watch(self, name: str, meaning: str, value: Callable[[], float]) -> None:
        """Show a value as it is at the moment somebody looks.

        Args:
            name: Without the prefix.
            meaning: One line.
            value: Gives it.
        """
        gauge = Gauge(f"{_PREFIX}_{name}", meaning, registry=self._registry)
        gauge.set_function(value)

    def render(self) -> bytes:
        """Write everything in Prometheus' text format."""
        return generate_latest(self._registry)

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        return Counter(f"{_PREFIX}_{name}", meaning, labels, registry=self._registry)
