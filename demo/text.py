"""The words of the page, in the language of the visitor."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from demo.text_en import ENGLISH
from demo.text_zh import CHINESE

_RANGE: Final = re.compile(
    r"(?P<tag>\*|[a-z]{1,8}([-_][a-z0-9]{1,8})*)\s*(;\s*q\s*=\s*(?P<weight>0?\.\d+|[01](\.0*)?)\s*)?",
    re.ASCII,
)
CATALOGUES: Final[Mapping[str, Mapping[str, str]]] = {"en": ENGLISH, "zh-CN": CHINESE}


@dataclass(frozen=True)
class Text:
    """The words of one language.

    Attributes:
        language: A key of CATALOGUES.
    """

    language: str = "en"

    def __call__(self, key: str, **values: object) -> str:
        """Say one thing.

        Args:
            key: Its name in the catalogue.
            values: What its braces stand for.

        Returns:
            Plain text, not escaped.
        """
        return CATALOGUES[self.language][key].format(**values)


def choose_language(asked: str, accepted: str) -> str:
    """Choose the language of a visitor.

    Args:
        asked: What `?lang=` says, such as "zh" or "zh-CN"; "" if it is not there.
        accepted: The browser's Accept-Language, such as "zh-CN,zh;q=0.9,en;q=0.8".

    Returns:
        A key of CATALOGUES; English for languages there is no catalogue for.
    """
    for language in CATALOGUES:
        if _main(asked.strip().lower()) == _main(language):
            return language
    ranges = _read_ranges(accepted)
    return min(
        CATALOGUES, key=lambda language: (*_rank(language.lower(), ranges), language != "en")
    )


def _main(tag: str) -> str:
    return tag.replace("_", "-").partition("-")[0]


def _rank(language: str, ranges: list[tuple[str, float]]) -> tuple[float, int]:
    """Say how welcome a language is, the most welcome least: weight, then place in the header.

    The range that fits most closely decides, so "zh;q=0, *" is no Chinese.
    """
    fits = []
    for place, (tag, weight) in enumerate(ranges):
        closeness = (tag == "*", _main(tag) == _main(language), language.startswith(f"{tag}-"))
        if any(closeness) or tag == language:
            fits.append(((tag == language, *reversed(closeness)), weight, -place))
    if not fits:
        return 0.0, 0
    _, weight, place = max(fits)
    return (-weight, -place) if weight else (0.0, 0)


def _read_ranges(accepted: str) -> list[tuple[str, float]]:
    ranges = []
    for part in accepted.lower().split(","):
        found = _RANGE.fullmatch(part.strip())
        if found:  # what is malformed does not count
            weight = float(found["weight"] or 1)
            ranges.append((found["tag"].replace("_", "-"), weight))
    return ranges
