"""Names of folders and tables to the split they mean: the one list of such names."""

import re
import unicodedata
from typing import Final

SPLITS: Final = ("train", "validation", "test")
_STEMS: Final = {
    "train": "train training trn 训练",
    "validation": "validation val valid validate validating dev devel development eval evaluation "
    "验证",
    "test": "test testing tst 测试",
}
_ENDINGS: Final = ("", "set", "data", "dataset", "split", "images", "集")
_SPLITS: Final = {
    stem + ending: split
    for split, stems in _STEMS.items()
    for stem in stems.split()
    for ending in _ENDINGS
}
_WORD: Final = re.compile(r"[a-z]+|[A-Z][a-z]+|[A-Z]+|[^\W\d_a-zA-Z]+")


def same_name(name: str) -> str:
    """Give a form in which names that a person takes for the same are equal.

    Args:
        name: Of a class or folder.

    Returns:
        The name in NFC, case folded, with single spaces.
    """
    folded = unicodedata.normalize("NFC", name).casefold()
    return " ".join(unicodedata.normalize("NFC", folded).split())


def split_of(name: str) -> str | None:
    """Tell which split a name means, whatever its case: "Train", "test_set", "val".

    Args:
        name: Of a folder or a table.

    Returns:
        "train", "validation" or "test"; None if it is no known name of a split.
    """
    return _SPLITS.get(re.sub(r"[\s_.-]+", "", same_name(name)))


def split_word(name: str) -> tuple[str, str] | None:
    """Find the name of a split inside a longer name: "seg_train", "cats-test".

    Args:
        name: Of a folder.

    Returns:
        The split, and the other words of the name; None if no word of it names one.
    """
    words = [same_name(word) for word in _WORD.findall(name)]
    found = [word for word in words if word in _SPLITS]
    if not found:
        return None
    return _SPLITS[found[0]], " ".join(word for word in words if word != found[0])
