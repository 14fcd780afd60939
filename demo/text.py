"""The words of the page, in the language of the visitor."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from demo.text_en import ENGLISH
from demo.text_zh import CHINESE

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
    for tag in (asked, *_by_preference(accepted)):
        for language in CATALOGUES:
            if tag.strip().lower().partition("-")[0] == language.partition("-")[0]:
                return language
    return "en"


def _by_preference(accepted: str) -> list[str]:
    weighed = []
    for part in accepted.split(","):
        tag, _, weight = part.partition(";q=")
        try:
            weighed.append((-float(weight or 1), tag))
        except ValueError:
            continue
    return [tag for _, tag in sorted(weighed, key=lambda pair: pair[0])]
