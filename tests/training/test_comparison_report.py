from dataclasses import replace

from tests.comparisons import compared, measurement, model
from training.comparison_report import report, verdict

TWO = compared(model("a", 950, measurement(10.0)), model("b", 980, measurement(20.0)))


def test_the_better_one_is_named_first_whatever_its_place() -> None:
    words = verdict(TWO, TWO.pairs[0])
    assert words == (
        "b is better than a: +3.00 points, 95 % interval +2.00 to +4.00; only the one right 30, "
        "only the other 0; McNemar p = 0.001; they agree on 100.00%"
    )
    turned = compared(*TWO.models[::-1])
    assert verdict(turned, turned.pairs[0]) == words


def test_a_difference_that_cannot_be_shown_is_said_to_be_none() -> None:
    pair = replace(TWO.pairs[0], p_value=0.05)
    assert verdict(TWO, pair).startswith("no difference between b and a can be shown: +3.00 points")
    assert verdict(TWO, replace(pair, p_value=1e-9)).startswith("b is better than a")
    assert "McNemar p < 0.001" in verdict(TWO, replace(pair, p_value=1e-9))


def test_the_table_has_every_number() -> None:
    lines = report(TWO).splitlines()
    assert lines[0] == "1,000 images of pictures, test"
    assert lines[3].split() == [
        "a", "95.00%", "94.00%", "to", "96.00%", "2.00%", "0.1000", "11,000,000", "1,800,000,000",
        "9,000,000",
    ]  # fmt: skip
    assert lines[6] == "speed and memory on a processor, 2 cores"
    assert lines[8].split() == ["a", "onnx", "2", "10.0", "12.5", "150.0", "100", "9.0"]
    assert lines[-1].startswith("b is better than a")
    bare = report(compared(model("a", 950)))
    assert "speed" not in bare
    assert "better" not in bare
