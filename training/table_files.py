"""The names in a folder or repository to the tables in it, by split."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import datasets
import huggingface_hub
from datasets.info import DatasetInfosDict
from datasets.utils.metadata import MetadataConfigs
from fsspec.utils import glob_translate

from hub_models.errors import ConfigError
from hub_models.image_kinds import SUFFIXES
from hub_models.split_names import split_of, split_word

CARD: Final = "README.md"
_KINDS: Final = {
    ".parquet": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".jsonl": "json",
    ".ndjson": "json",
    ".csv": "csv",
    ".tsv": "csv",
    ".json": "json",
}
_LISTED: Final = 10  # names in a sentence
_METADATA: Final = frozenset({"metadata.csv", "metadata.jsonl", "metadata.parquet"})
_SAVED: Final = frozenset({"state.json", "dataset_info.json"})  # what save_to_disk leaves
_NO_TABLES: Final = _SAVED | {"dataset_dict.json", "dataset_infos.json", "config.json"}


@dataclass(frozen=True)
class TableFiles:
    """The tables of a data set.

    Attributes:
        splits: Their names by split, "train", "validation" and "test"; folders if `kind` is
            "saved".
        kind: "parquet", "arrow", "csv", "json", "saved", or "metadata" for tables beside the
            pictures that they list.
        declared: Features that the data set's card declares.
        left_out: Sentences about what is not used.
    """

    splits: dict[str, list[str]]
    kind: str
    declared: datasets.Features = field(default_factory=datasets.Features)
    left_out: tuple[str, ...] = ()


def list_files(folder: Path) -> list[str]:
    """List the files of a folder and the folders below it.

    Args:
        folder: Where they are.

    Returns:
        Names with "/" from there, in their order, without hidden ones; links are followed.
    """
    names, seen = [], set()
    for place, folders, files in os.walk(folder, followlinks=True):
        seen.add(os.path.realpath(place))
        folders[:] = [
            name
            for name in folders
            if not name.startswith((".", "__"))
            and not (
                os.path.islink(path := os.path.join(place, name)) and os.path.realpath(path) in seen
            )
        ]
        before = "" if place == str(folder) else os.path.relpath(place, folder) + os.sep
        names += [before + name for name in files if not name.startswith(".")]
    return sorted(name.replace(os.sep, "/") for name in names)


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
    saved = [os.path.dirname(name) for name in names if os.path.basename(name) == "state.json"]
    if saved := [place for place in saved if _joined(place, "dataset_info.json") in set(names)]:
        return _sorted({place: [place] for place in saved}, "saved", source)
    declared, configured = _read_card(card, names, source)
    if configured is not None:
        kinds = {kind for files in configured.values() for kind in map(_kind, files) if kind}
        if not kinds:
            return None
        return _sorted(configured, _only_kind(kinds, source), source, declared)
    tables: dict[str, list[str]] = {
        kind: [] for kind in ("metadata", "parquet", "arrow", "json", "csv")
    }
    for name in names:
        if kind := _kind(name):
            tables[kind].append(name)
    tables["json"] = _shallow(tables["json"], lines_first=True)
    tables["csv"] = _shallow(tables["csv"])
    kind = next((kind for kind, found in tables.items() if found), None)
    if kind is None:
        return None
    others = [name for other, found in tables.items() if other != kind for name in found]
    left_out = (f"left out {few(others)}: the tables are {few(tables[kind])}",) if others else ()
    if kind == "metadata":
        return _sorted(_by_folder(tables[kind], source), kind, source, declared)
    return _sorted(_by_name(tables[kind], source), kind, source, declared, left_out)


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


def is_picture(name: str) -> bool:
    """Tell by its suffix whether a file is a picture."""
    return os.path.splitext(name)[1].lower() in SUFFIXES


def few(names: Sequence[str]) -> str:
    """Write names for a sentence, ten at most.

    Args:
        names: Of files, splits or columns.

    Returns:
        Them with commas between.
    """
    more = f", … ({len(names):,} in all)" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more


def _kind(name: str) -> str | None:
    base = os.path.basename(name)
    if base in _METADATA:
        return "metadata"
    return None if base in _NO_TABLES else _KINDS.get(os.path.splitext(base)[1].lower())


def _only_kind(kinds: set[str], source: str) -> str:
    if len(kinds) > 1:
        raise ConfigError(
            f"data set {source!r}: its card names {' and '.join(sorted(kinds))} files"
        )
    return next(iter(kinds))


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


def _read_card(
    card: Path | None, names: Sequence[str], source: str
) -> tuple[datasets.Features, dict[str, list[str]] | None]:
    """Read what README.md declares: features, and files by the splits' own names."""
    if card is None:
        return datasets.Features(), None
    try:
        said: Any = huggingface_hub.DatasetCard.load(card, ignore_metadata_errors=True).data
        configs = MetadataConfigs.from_dataset_card_data(said)
        infos = DatasetInfosDict.from_dataset_card_data(said)
        name = configs.get_default_config_name()
    except Exception as error:  # of YAML, or of what it declares
        reason = " ".join(str(error).split())
        raise ConfigError(f"data set {source!r}: its {CARD} is damaged ({reason})") from error
    if name is None and len(configs) > 1:
        raise ConfigError(
            f"data set {source!r} has {len(configs)} configurations ({few(list(configs))}) and no "
            f"default; datasets.load_dataset({source!r}, {next(iter(configs))!r}).save_to_disk("
            "'FOLDER') saves one for --data FOLDER"
        )
    info = infos.get(name or "default") or (next(iter(infos.values())) if len(infos) == 1 else None)
    features = (info.features if info else None) or datasets.Features()
    config = configs.get(name or "", {})
    if "data_files" in config:
        return features, dict(_matched(config, names, source))
    return features, None


def _matched(
    config: Mapping[str, Any], names: Sequence[str], source: str
) -> Iterator[tuple[str, list[str]]]:
    listed = config["data_files"]
    if isinstance(listed, str) or all(isinstance(each, str) for each in listed):
        listed = [{"split": "train", "path": listed}]
    for each in listed:
        paths = [each["path"]] if isinstance(each["path"], str) else each["path"]
        found = [
            name
            for path in paths
            for name in names
            if re.match(glob_translate(_joined(config.get("data_dir") or "", path)), name)
        ]
        if not found:
            raise ConfigError(
                f"data set {source!r}: its {CARD} names {few(paths)} for the split "
                f"{each['split']!r}, and there is no such file"
            )
        yield each["split"], list(dict.fromkeys(found))


def _joined(place: str, name: str) -> str:
    return os.path.normpath(f"{place}/{name}" if place else name).replace(os.sep, "/")
