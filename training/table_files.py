"""The names in a folder or repository to the tables in it, by split."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import datasets

from hub_models.errors import ConfigError
from hub_models.image_kinds import SUFFIXES
from hub_models.split_names import split_of, split_word
from training.data_card import read_card
from training.listing import few

_KINDS: Final = {
    ".parquet": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".tar": "webdataset",
    ".jsonl": "json",
    ".ndjson": "json",
    ".csv": "csv",
    ".tsv": "csv",
    ".json": "json",
}
_ARCHIVES: Final = (".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz", ".zst")
_METADATA: Final = frozenset({"metadata.csv", "metadata.jsonl", "metadata.parquet"})
_NO_TABLES: Final = frozenset(
    {"state.json", "dataset_info.json", "dataset_dict.json", "dataset_infos.json", "config.json"}
)


@dataclass(frozen=True)
class TableFiles:
    """The tables of a data set.

    Attributes:
        splits: Their names by split, "train", "validation" and "test"; folders if `kind` is
            "saved".
        kind: "parquet", "arrow", "webdataset", "csv", "json", "saved", or "metadata" for tables
            beside the pictures that they list.
        declared: Features that the data set's card declares.
        left_out: Sentences about what is not used.
        is_declared: The data set's card names the files.
    """

    splits: dict[str, list[str]]
    kind: str
    declared: datasets.Features = field(default_factory=datasets.Features)
    left_out: tuple[str, ...] = ()
    is_declared: bool = False


def find_tables(names: Sequence[str], card: Path | None, source: str) -> TableFiles | None:
    """Tell which files are the tables of a data set, and of which split each is.

    Args:
        names: All files of the data set, from `list_files` or the hub.
        card: Its README.md, if it has one.
        source: The data set, for sentences.

    Returns:
        The tables; None if its pictures lie in folders, or in archives.

    Raises:
        ConfigError: If there are several configurations, or splits, to choose from.
    """
    saved = {os.path.dirname(n): [os.path.dirname(n)] for n in names if _base(n) == "state.json"}
    if saved and all(f"{place}/dataset_info.json".lstrip("/") in names for place in saved):
        return _sorted(saved, "saved", source)
    declared, configured = read_card(card, names, source)
    if configured is not None:
        tables = _configured(configured, source, declared)
        return tables and replace(tables, is_declared=True)
    return _told_by_names(names, source, declared)


def is_text(kind: str) -> bool:
    """Tell whether tables are text, and so name their pictures instead of holding them."""
    return kind in ("metadata", "csv", "json")


def class_folders(names: Iterable[str]) -> list[str]:
    """List the folders, below those of splits, that hold pictures.

    Args:
        names: From `list_files`.

    Returns:
        Their own names, in alphabetical order.
    """
    found = set()
    for name in names:
        parts = name.split("/")[:-1]
        if parts and split_of(parts[0]):
            parts = parts[1:]
        if parts and is_picture(name):
            found.add(parts[0])
    return sorted(found)


def is_archive(name: str) -> bool:
    """Tell by its suffix whether a file is an archive."""
    return name.lower().endswith(_ARCHIVES)


def is_picture(name: str) -> bool:
    """Tell by its suffix whether a file is a picture."""
    return os.path.splitext(name)[1].lower() in SUFFIXES


def _told_by_names(
    names: Sequence[str], source: str, declared: datasets.Features
) -> TableFiles | None:
    order = ("metadata", "parquet", "arrow", "webdataset", "json", "csv")
    tables: dict[str, list[str]] = {kind: [] for kind in order}
    for name in names:
        if kind := _kind(name):
            tables[kind].append(name)
    tables["json"] = _shallow(tables["json"], lines_first=True)
    tables["csv"] = _shallow(tables["csv"])
    kind = next((kind for kind, found in tables.items() if found), None)
    if kind is None or (kind == "webdataset" and any(map(is_picture, names))):
        return None
    others = [name for other, found in tables.items() if other != kind for name in found]
    left_out = (f"left out {few(others)}: the tables are {few(tables[kind])}",) if others else ()
    if kind == "metadata":
        return _sorted(_by_folder(tables[kind], source), kind, source, declared)
    return _sorted(_by_name(tables[kind], source), kind, source, declared, left_out)


def _kind(name: str) -> str | None:
    base = _base(name)
    if base in _METADATA:
        return "metadata"
    return None if base in _NO_TABLES else _KINDS.get(os.path.splitext(base)[1].lower())


def _configured(
    files: Mapping[str, list[str]], source: str, declared: datasets.Features
) -> TableFiles | None:
    """Take what the card declares: files of one kind, or pictures in class folders."""
    kinds = {kind for names in files.values() for name in names if (kind := _kind(name))}
    kinds = {"metadata"} if "metadata" in kinds else kinds
    if len(kinds) > 1:
        both = " and ".join(sorted(kinds))
        raise ConfigError(f"data set {source!r}: its card names {both} files; one kind is read")
    for kind in kinds:
        tables = {own: [n for n in names if _kind(n) == kind] for own, names in files.items()}
        return _sorted(tables, kind, source, declared)
    for own, names in files.items():
        for name in names:
            if (split_of(name.partition("/")[0]) or "train") != split_of(own):
                raise ConfigError(
                    f"data set {source!r}: its card says that {name} is of the split {own!r}; the "
                    "folder at the top must be called so"
                )
    return None


def _shallow(names: list[str], *, lines_first: bool = False) -> list[str]:
    """Keep text tables at the top or in a folder of a split: deeper ones belong to pictures."""
    kept = [
        name
        for name in names
        if not (place := os.path.dirname(name)) or place == "data" or split_of(place)
    ]
    lines = [name for name in kept if not name.endswith(".json")]
    return lines if lines_first and lines else kept


def _by_folder(names: Sequence[str], source: str) -> dict[str, list[str]]:
    """Sort lists of pictures by the folder they lie in: all are train where none is a split's."""
    found = {os.path.dirname(name): [name] for name in names}
    if len(found) < len(names):
        raise ConfigError(f"data set {source!r}: {few(names)} list the same pictures; remove one")
    return found if any(map(_split_of_folder, found)) else {"train": list(names)}


def _by_name(names: Iterable[str], source: str) -> dict[str, list[str]]:
    """Sort files by the split in their own name, or else in that of a folder above."""
    found: dict[str, list[str]] = {}
    for name in names:
        path = Path(name)
        parts = [path.name.partition(".")[0], *(part.name for part in path.parents)]
        words = (_split_in(part, name, source) for part in parts)
        found.setdefault(next((word for word in words if word), ""), []).append(name)
    return {"train": found[""]} if list(found) == [""] else found


def _split_in(part: str, name: str, source: str) -> str | None:
    if split := split_of(part):
        return split
    word = split_word(part)
    if word is None:
        return None
    other = split_word(word[1])
    if other and other[0] != word[0]:
        raise ConfigError(
            f"data set {source!r}: is {name} of the split {word[0]!r} or {other[0]!r}? Rename it"
        )
    return word[0]


def _sorted(
    files: Mapping[str, list[str]],
    kind: str,
    source: str,
    declared: datasets.Features | None = None,
    left_out: tuple[str, ...] = (),
) -> TableFiles:
    """Bring the splits' own names, or those of their folders, to ours."""
    splits: dict[str, list[str]] = {}
    owns: dict[str, str] = {}
    for own, names in files.items():
        split = _split_of_folder(own) if len(files) > 1 or own else "train"
        if split is None:
            what = f"of the split {own!r}" if own else "of no split"
            left_out += (f"left out {few(names)}: {what}, not of train, validation or test",)
        elif split in owns:
            raise ConfigError(
                f"data set {source!r}: both {owns[split]!r} and {own!r} mean {split!r}; "
                "rename or remove one"
            )
        else:
            splits[split], owns[split] = names, own
    if not splits:
        raise ConfigError(f"data set {source!r} has no split 'train', only {few(list(files))}")
    order = [name for name in ("train", "validation", "test") if name in splits]
    return TableFiles(
        {name: splits[name] for name in order}, kind, declared or datasets.Features(), left_out
    )


def _split_of_folder(own: str) -> str | None:
    return next((s for part in reversed(own.split("/")) if (s := split_of(part))), None)


def _base(name: str) -> str:
    return name.rpartition("/")[2]
