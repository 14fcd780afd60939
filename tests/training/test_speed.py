from tests.comparisons import measurement
from training.speed import best_of


def test_the_best_round_of_each_setting_counts() -> None:
    """A round is taken whole: its slowest calls and memory belong to its median."""
    first = (measurement(9.0, peak_bytes=1), measurement(3.0, threads=1, p95_ms=50.0))
    second = (measurement(4.0, peak_bytes=2), measurement(8.0, threads=1, p95_ms=9.0))
    assert best_of([first, second]) == (second[0], first[1])
    assert best_of([first]) == first
