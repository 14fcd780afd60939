import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub_models.comparison import parse_comparison, read_comparison, render_comparison
from hub_models.errors import ConfigError
from tests.comparisons import compared, measurement, model

COMPARISON = compared(
    model("a", 990, measurement(20), measurement(30, threads=1)),
    model("b", 900, measurement(9), measurement(12, threads=1)),
    model("c", 900, measurement(5), measurement(6, threads=1)),
)
TEXT = render_comparison(COMPARISON)
KINDS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.just([]), st.just({})
)


def changed(place: list[str | int], value: object) -> str:
    """The text with one value replaced."""
    content = json.loads(TEXT)
    inner = content
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    return json.dumps(content)


def places(value: Any, here: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Every place in a JSON value that can be replaced."""
    keys = value.keys() if isinstance(value, dict) else range(len(value))
    found = [(*here, key) for key in keys]
    return found + [
        place for key in keys if isinstance(value[key], dict | list)
        for place in places(value[key], (*here, key))
    ]  # fmt: skip


def test_what_is_written_is_read_again() -> None:
    assert parse_comparison(TEXT) == COMPARISON
    assert render_comparison(parse_comparison(TEXT)) == TEXT


def test_a_pair_is_found_in_either_order() -> None:
    assert COMPARISON.pair("b", "a") is COMPARISON.pair("a", "b") is COMPARISON.pairs[0]


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (["format_version"], 2, "format_version is 2, this release reads 1"),
        (["models"], [], "models must be 1 to 200, not 0"),
        (["models", 1, "name"], "a", "models: a name stands there twice"),
        (["models", 1, "name"], "", "models: a name is empty"),
        (["models", 1, "accuracy_low"], 0.95, "models: 'b': accuracy must rise, not 0.95, 0.9"),
        (["models", 1, "correct"], 901, "'b': 901 correct of 1,000 images is no accuracy of 0.9"),
        (["models", 1, "measurements", 0, "p50_ms"], 50, "p50_ms and p95_ms must rise, not 50, "),
        (["models", 1, "measurements", 0, "p50_ms"], 0, r"measurements\[0\].p50_ms must be from"),
        (["models", 1, "measurements", 1, "threads"], 2, "measured twice with the same engine"),
        (["models", 0, "revision"], 3, r"models\[0\].revision must be a string, not 3"),
        (["agreement", 1], [1.0, 1.0], "agreement must have 3 rows of 3 numbers"),
        (["pairs", 1, "second"], "b", "pairs must hold every two models once"),
        (["pairs", 0, "only_first_right"], 1001, r"pairs\[0\]: more images than there are"),
        (["pairs", 0, "difference"], -0.5, r"pairs\[0\].difference must rise"),
        (["pairs", 0, "p_value"], 1.01, r"pairs\[0\].p_value must be from 0 to 1"),
        (["machine", "versions", "torch"], 2, "machine.versions.torch must be a string"),
        (["machine", "cores"], 0, "machine.cores must be from 1"),
        (["more"], 0, "unknown key 'more'"),
    ],
)
def test_a_broken_field_is_named_with_its_file(
    place: list[str | int], value: object, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "comparison.json"
    path.write_text(changed(place, value))
    with pytest.raises(ConfigError, match=rf"comparison\.json: .*{message}"):
        read_comparison(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"gone\.json: cannot be read \(No such file"):
        read_comparison(tmp_path / "gone.json")


def test_what_is_no_comparison_at_all_is_refused() -> None:
    for text in ("", "[]", "{}", "null", '{"format_version": 1, "format_version": 1}', b"\xff"):
        with pytest.raises(ConfigError):
            parse_comparison(text)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(place=st.sampled_from(places(json.loads(TEXT))), value=KINDS)
def test_any_value_in_any_place_is_read_or_refused(
    place: tuple[str | int, ...], value: object
) -> None:
    with contextlib.suppress(ConfigError):  # any other error fails the test
        assert render_comparison(parse_comparison(changed(list(place), value)))
