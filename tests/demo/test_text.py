import re
import string
from pathlib import Path

import pytest

from demo.text import CATALOGUES, Text, choose_language

SOURCES = "\n".join(
    path.read_text(encoding="utf-8")
    for path in Path("demo").glob("*.py")
    if not path.name.startswith("text")
)
SAME_IN_BOTH = {"megabytes", "accuracy_on"}


def fields(sentence):
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name}


@pytest.mark.parametrize("language", CATALOGUES)
def test_no_text_is_missing_in_any_language(language):
    english, other = CATALOGUES["en"], CATALOGUES[language]
    assert list(other) == list(english)
    for key in english:
        assert other[key].strip()
        assert fields(other[key]) == fields(english[key]), key


def test_what_is_chinese_is_not_left_in_english():
    english, chinese = CATALOGUES["en"], CATALOGUES["zh-CN"]
    for key in english.keys() - SAME_IN_BOTH:
        assert re.search("[\u4e00-\u9fff]", chinese[key]), key


def test_the_page_says_nothing_that_is_not_in_the_catalogue():
    said = set(re.findall(r'\b_?say\(\s*"(\w+)"', SOURCES))
    assert len(said) > 30
    assert said <= CATALOGUES["en"].keys()


def test_the_catalogue_holds_nothing_that_the_page_does_not_say():
    quoted = set(re.findall(r"""["'](\w+)["']""", SOURCES))
    assert set(CATALOGUES["en"]) - quoted == set()


def test_what_is_put_in_stays_as_it_is():
    assert Text("en")("both_say", label="{0} {x}") == "Both models say {0} {x}."


@pytest.mark.parametrize(
    ("asked", "accepted", "language"),
    [
        ("", "", "en"),
        ("", "zh-CN,zh;q=0.9,en;q=0.8", "zh-CN"),
        ("", "zh-TW", "zh-CN"),
        ("", "de-DE,de;q=0.9,zh;q=0.3,en;q=0.7", "en"),
        ("", "fr", "en"),
        ("zh", "en-GB,en", "zh-CN"),
        ("zh-cn", "", "zh-CN"),
        ("en", "zh-CN", "en"),
        ("xx", "zh-CN", "zh-CN"),
        ("", "en;q=nonsense,zh", "zh-CN"),
    ],
)
def test_the_language_is_the_one_asked_for_else_the_browsers(asked, accepted, language):
    assert choose_language(asked, accepted) == language
