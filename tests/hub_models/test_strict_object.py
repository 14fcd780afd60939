from dataclasses import dataclass
from typing import Annotated, Any

import pytest

from hub_models.errors import ConfigError
from hub_models.strict_object import read_object


@dataclass(frozen=True)
class Inner:
    share: Annotated[float, 0, 1]


@dataclass(frozen=True)
class Outer:
    name: str
    count: int
    inner: Inner
    parts: tuple[Inner, ...]
    words: dict[str, str]
    maybe: Annotated[int, 1, 9] | None = None


GOOD: dict[str, Any] = {
    "name": "a",
    "count": 2,
    "inner": {"share": 1},
    "parts": [{"share": 0.5}],
    "words": {"x": "y"},
}


def test_an_object_is_read_by_its_annotations() -> None:
    assert read_object(Outer, GOOD) == Outer("a", 2, Inner(1.0), (Inner(0.5),), {"x": "y"})
    assert read_object(Outer, GOOD | {"maybe": None}).maybe is None
    assert read_object(Outer, GOOD | {"maybe": 9}).maybe == 9


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": 3}, "name must be a string, not 3"),
        ({"count": 2.0}, r"count must be a whole number, not 2\.0"),
        ({"count": True}, "count must be a whole number, not True"),
        ({"inner": []}, r"inner must be an object, not \[\]"),
        ({"inner": {}}, "the key 'inner.share' is missing"),
        ({"inner": {"share": "1"}}, "inner.share must be a number, not '1'"),
        ({"inner": {"share": 1.5}}, r"inner.share must be from 0 to 1, not 1\.5"),
        ({"inner": {"share": float("nan")}}, "inner.share must be a finite number"),
        ({"inner": {"share": 1, "more": 2}}, "unknown key 'more' in inner"),
        ({"parts": {}}, r"parts must be a list, not \{\}"),
        ({"parts": [{"share": 1}, {"share": -1}]}, r"parts\[1\]\.share must be from 0 to 1"),
        ({"words": {"x": 1}}, "words.x must be a string, not 1"),
        ({"maybe": 0}, "maybe must be from 1 to 9, not 0"),
        ({"extra": 1}, "unknown key 'extra'$"),
    ],
)
def test_a_wrong_value_is_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_object(Outer, GOOD | change)


def test_what_is_no_object_at_all_is_said() -> None:
    with pytest.raises(ConfigError, match=r"the file must be an object, not \[1\]"):
        read_object(Outer, [1])
