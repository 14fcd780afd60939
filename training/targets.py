"""A column of classes, whatever its type, to targets: numbers in one order for all splits."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import datasets
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hub_models.config import check_labels
from hub_models.errors import ConfigError
from hub_models.split_names import same_name
from training.listing import counted, few

_WHOLE: Final = re.compile(r"0|-?[1-9][0-9]*")
_ONCE: Final = 0.5  # share of the rows: more different values than that are no classes


@dataclass(frozen=True)
class Classes:
    """The classes of some rows.

    Attributes:
        names: Different ones, in the order of their numbers.
        codes: Index into `names` for each row, -1 where there is no label.
        is_declared: The file, or the card, says the names and their order.
        missing: What stands where there is no label, such as "null" or "-1", to how often.
    """

    names: tuple[str, ...]
    codes: NDArray[np.int64]
    is_declared: bool
    missing: Mapping[str, int]

    def used(self) -> dict[str, int]:
        """Count the rows of every class that has any."""
        counts = np.bincount(self.codes[self.codes >= 0], minlength=len(self.names))
        return {self.names[i]: int(counts[i]) for i in np.flatnonzero(counts)}


def read_classes(column: pa.ChunkedArray, feature: Any, label: str, split: str) -> Classes:
    """Read a column of classes.

    Args:
        column: ClassLabel's numbers, text, whole numbers, booleans or categories.
        feature: What is declared for it.
        label: Its name, for sentences.
        split: The split, for sentences.

    Returns:
        The class of each row.

    Raises:
        ConfigError: If a value is no class: a list, a number with a fraction, one out of range.
    """
    where = f"data: the column {label!r} of {split!r}"
    if isinstance(feature, datasets.ClassLabel) and pa.types.is_integer(column.type):
        return _declared(column, feature, where)
    values, rows = _encoded(column, where)
    if values and all(isinstance(v, str) and v[:1] + v[-1:] == "[]" for v in values):
        raise _several(values[0], where)
    names = [_name(value, where) for value in values]
    if isinstance(feature, datasets.ClassLabel):
        _check_known(names, feature.names, where)
        order = list(feature.names)
    else:
        order = _ordered({name for name in names if name is not None})
    numbers = {name: number for number, name in enumerate(order)}
    codes = np.array([numbers.get(name or "", -1) for name in names] + [-1], np.int64)[rows]
    missing = {_shown(v): int((rows == i).sum()) for i, v in enumerate(values) if names[i] is None}
    if nulls := int((rows < 0).sum()):
        missing["null"] = nulls
    if _is_unlabelled(order):
        count = int((codes == order.index("-1")).sum())
        if len(order) > 1:
            raise ConfigError(
                f"{where} holds -1 in {counted(count, 'row')}: if it means that there is no "
                "label, remove them; if it is a class, give it a name"
            )
        return Classes((), np.full(len(codes), -1), False, {"-1": count})
    return Classes(tuple(order), codes, isinstance(feature, datasets.ClassLabel), missing)


def order_of_classes(train: Sequence[Classes], label: str, *, is_guessed: bool) -> tuple[str, ...]:
    """Decide the class names and their order.

    Args:
        train: Of the split that has every class, by file.
        label: The column's name, for sentences.
        is_guessed: Only its type speaks for the column, not its name.

    Returns:
        The declared order, else that of the numbers or the alphabet.

    Raises:
        ConfigError: If there are fewer than two, or one cannot be a label, or two look the same.
    """
    names = list(dict.fromkeys(name for each in train for name in each.names))
    if not all(each.is_declared for each in train):
        names = _ordered(names)
        _check_different(names, label)
    elif len({each.names for each in train}) > 1:
        _check_different(names, label)
    check_labels(tuple(names))
    if len(names) < 2:
        raise ConfigError(f"data: at least two classes are needed, {label!r} has {len(names)}")
    rows = sum(len(each.codes) for each in train)
    if is_guessed and len(names) > _ONCE * rows:
        raise ConfigError(
            f"data: {label!r}, the only column of text, has {len(names):,} different values in "
            f"{rows:,} rows: no classes; use --label_column NAME"
        )
    return tuple(names)


def to_targets(
    classes: Classes, label_names: Sequence[str], split: str, first: str
) -> NDArray[np.int64]:
    """Number the classes of some rows in the order of all.

    Args:
        classes: Of the rows.
        label_names: From `order_of_classes`.
        split: The split, for sentences.
        first: The split that the order is from.

    Returns:
        Targets, -1 where there is no label.

    Raises:
        ConfigError: If the rows have a class that the first split has not.
    """
    numbers = {name: index for index, name in enumerate(label_names)}
    strange = {name: count for name, count in classes.used().items() if name not in numbers}
    if strange:
        name, count = next(iter(strange.items()))
        more = f", and {counted(len(strange) - 1, 'other label')}" if len(strange) > 1 else ""
        raise ConfigError(
            f"data: {split!r} has the label {name!r} ({counted(count, 'row')}){more}, which "
            f"{first!r} has not: {few(list(label_names))}"
        )
    table = np.array([numbers.get(name, -1) for name in classes.names] + [-1], np.int64)
    targets: NDArray[np.int64] = table[classes.codes]
    return targets


def _is_unlabelled(names: Sequence[str]) -> bool:
    """Tell whether -1 among numbers may mean that there is no label; beside 1 alone it does not."""
    others = set(names) - {"-1"}
    return "-1" in names and others != {"1"} and all(map(str.isdigit, others))


def _declared(column: pa.ChunkedArray, feature: datasets.ClassLabel, where: str) -> Classes:
    numbers = column.cast(pa.int64())
    nulls = numbers.null_count
    codes = numbers.fill_null(-1).to_numpy()
    wrong = codes[(codes < -1) | (codes >= len(feature.names))]
    if len(wrong):
        count = int((wrong == wrong[0]).sum())
        raise ConfigError(
            f"{where} holds {wrong[0]} ({counted(count, 'row')}), and there are "
            f"{len(feature.names)} classes, numbered from 0 to {len(feature.names) - 1}"
        )
    unlabelled = int((codes < 0).sum()) - nulls
    missing = {"-1": unlabelled, "null": nulls}
    return Classes(tuple(feature.names), codes, True, {k: n for k, n in missing.items() if n})


def _encoded(column: pa.ChunkedArray, where: str) -> tuple[list[Any], NDArray[np.int64]]:
    """Give the different values, and which of them each row has; -1 for null."""
    if pa.types.is_null(column.type):
        return [], np.full(len(column), -1)
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if pa.types.is_nested(kind):
        example = next((value.as_py() for value in column if value.is_valid), None)
        raise _several(example, where)
    plain = {pa.string_view(): pa.string(), pa.float16(): pa.float32()}.get(kind, kind)
    if plain != column.type:
        column = column.cast(plain)
    chunks = column.dictionary_encode().unify_dictionaries().chunks
    if not chunks:
        return [], np.empty(0, np.int64)
    codes = [chunk.indices.fill_null(-1).to_numpy(zero_copy_only=False) for chunk in chunks]
    return chunks[-1].dictionary.to_pylist(), np.concatenate(codes).astype(np.int64)


def _name(value: Any, where: str) -> str | None:
    """Give the name of a class; None if the value means that there is no label."""
    match value:
        case None:
            return None
        case str():
            return value if value.strip() else None
        case bool() | int():
            return str(value)
        case float() | Decimal() if math.isnan(value):
            return None
        case float() | Decimal() if value == value // 1:
            return str(int(value))
        case float() | Decimal():
            raise _not_whole(value, where)
    raise ConfigError(
        f"{where} holds {type(value).__name__} values such as {str(value)[:40]}: no classes; "
        "--label_column NAME takes another column"
    )


def _several(example: object, where: str) -> ConfigError:
    what = "records" if isinstance(example, dict) else "several labels for a picture"
    return ConfigError(
        f"{where} holds {what}, such as {str(example)[:60]}: one class for each is needed; "
        "--label_column NAME takes another column"
    )


def _not_whole(value: object, where: str) -> ConfigError:
    return ConfigError(
        f"{where} holds numbers such as {value}: no classes; --label_column NAME takes another "
        "column"
    )


def _check_known(names: Sequence[str | None], known: Sequence[str], where: str) -> None:
    for name in names:
        if name is not None and name not in known:
            raise ConfigError(f"{where} holds {name!r}, and its classes are {few(list(known))}")


def _check_different(names: Sequence[str], label: str) -> None:
    seen: dict[str, str] = {}
    for name in names:
        other = seen.setdefault(same_name(name), name)
        if other != name:
            raise ConfigError(
                f"data: the classes {other!r} and {name!r} in {label!r} differ in case or spaces "
                "only; rename one, or make them a ClassLabel"
            )


def _ordered(names: Iterable[str]) -> list[str]:
    """Sort as numbers where all are whole numbers, else by the alphabet."""
    listed = list(names)
    return sorted(listed, key=int if all(map(_WHOLE.fullmatch, listed)) else str)


def _shown(value: object) -> str:
    return "an empty cell" if value is None or not str(value).strip() else str(value)
