"""A data set, on this machine or on the hub, to the folder it lies in and what it consists of."""

import contextlib
import glob
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from huggingface_hub.errors import HfHubHTTPError

from hub_models.atomic import staged
from hub_models.client import connect, told
from hub_models.errors import CheckpointError, ConfigError
from hub_models.machine import cache_folder
from hub_models.picture_tree import PictureTree, walk_tree
from training.columns import is_label_name, names_pictures
from training.data_card import CARD
from training.listing import few
from training.table_files import (
    TableFiles,
    class_folders,
    find_tables,
    is_archive,
    is_text,
)
from training.text_tables import read_text_table

_REMEDY: Final = "--data FOLDER takes a folder of class folders, or one with parquet files"


@dataclass(frozen=True)
class Source:
    """Where a data set lies.

    Attributes:
        folder: On this machine, or in the cache of the hub.
        tables: Its tables; None if the pictures lie in folders or archives.
        names: All its files.
        address: "hf://..." if it is on the hub, else empty.
        tree: Its pictures by folder, if these are its classes.
    """

    folder: Path
    tables: TableFiles | None
    names: Sequence[str]
    address: str = ""
    tree: PictureTree | None = None


def find_source(source: str, *, streaming: bool = False) -> Source:
    """Find a data set on this machine, or else on the hub, and tell what it consists of.

    Args:
        source: A folder, a table, or "owner/name[@revision]" of the hub.
        streaming: Do not fetch tables from the hub.

    Returns:
        Where its files are, now on this machine unless they are to be streamed.

    Raises:
        ConfigError: If there is no such data set, or it cannot be told which tables it has.
    """
    if not source:
        raise ConfigError("data: no name; " + _REMEDY)
    path = Path(source if os.path.exists(source) else os.path.expanduser(source))
    if path.is_file():
        tables = find_tables([path.name], None, source)
        if tables is None and not is_archive(path.name):
            raise ConfigError(f"data set {source!r}: a file, but no table; {_REMEDY}")
        return Source(path.parent, tables, [path.name])
    if not path.is_dir():
        return _from_hub(source, streaming=streaming)
    return _in_folder(path, source)


def root_cause(error: BaseException) -> str:
    """Say what really happened: `datasets` wraps errors in others that do not tell.

    Args:
        error: As it was caught.

    Returns:
        The first sentence of the error at the bottom.
    """
    while below := error.__cause__ or (None if error.__suppress_context__ else error.__context__):
        error = below
    text = str(error).strip().split("\n", 1)[0]
    return text if " " in text else f"{type(error).__name__} {text}".strip()


def not_loaded(source: str, error: BaseException) -> ConfigError:
    """Make the error for a data set that cannot be had.

    Args:
        source: As it was asked for.
        error: Why.

    Returns:
        The error, to be raised from `error`.
    """
    return ConfigError(f"data set {source!r} cannot be loaded ({root_cause(error)}); {_REMEDY}")


def _in_folder(folder: Path, source: str) -> Source:
    tree = walk_tree(folder)
    names = tree.files()
    tables = find_tables(names, folder / CARD if CARD in names else None, source)
    if tables and is_text(tables.kind):
        tables = _unless_class_folders(folder, tables, names)
    elif tables and not tables.is_declared and len(class_folders(names)) > 1:
        raise ConfigError(
            f"data set {source!r} holds the table {next(iter(tables.splits.values()))[0]} and "
            f"pictures in the folders {few(class_folders(names))}: which of them is the data? "
            "Move the other away"
        )
    if tables is None and not tree.pictures:
        _refuse_archives(names, source)
    return Source(folder, tables, names, tree=None if tables else tree)


def _refuse_archives(names: Sequence[str], source: str) -> None:
    if archives := [name for name in names if is_archive(name)]:
        raise ConfigError(
            f"data set {source!r} consists of archives ({few(archives)}): unpack them, and name "
            "the folder that holds the class folders"
        )


def _from_hub(source: str, *, streaming: bool) -> Source:
    looks_like_path = source.startswith((".", "~", "/")) or source.count("/") > 1
    if looks_like_path or os.path.exists(source):
        raise ConfigError(f"data set {source!r} cannot be loaded (no such folder); {_REMEDY}")
    try:
        repo_id, commit, names = _describe(source)
        card = _fetch(repo_id, commit, [CARD]) / CARD if CARD in names else None
        tables = find_tables(names, card, source)
        address = f"hf://datasets/{repo_id}@{commit}"
        if tables is None and not class_folders(names):
            _refuse_archives(names, source)
            return Source(Path(), None, names, address)  # whatever `datasets` makes of it
        if streaming:
            return Source(Path(), tables, names, address)
        wanted = names
        if tables and not is_text(tables.kind) and tables.kind != "saved":
            wanted = [name for files in tables.splits.values() for name in files]
        folder = _fetch(repo_id, commit, wanted)
        if tables and is_text(tables.kind):
            tables = _unless_class_folders(folder, tables, names)
        return Source(folder, tables, names, address, None if tables else walk_tree(folder))
    except CheckpointError as error:  # one sentence about the hub
        raise ConfigError(f"data set {source!r} cannot be loaded ({error}); {_REMEDY}") from error


def _describe(source: str) -> tuple[str, str, list[str]]:
    """Give name, commit and files: as the hub says, or said when it could last be asked."""
    repo_id, _, revision = source.partition("@")
    memory = cache_folder("data_sets") / f"{source.replace('/', '--')}.json"
    try:
        info = told(lambda: connect(None).dataset_info(repo_id, revision=revision or None), source)
    except CheckpointError as error:
        if isinstance(error.__cause__, HfHubHTTPError) or not memory.exists():
            raise
        known = json.loads(memory.read_text(encoding="utf-8"))
        return known["id"], known["commit"], known["names"]
    names = sorted(each.rfilename for each in info.siblings or ())
    with contextlib.suppress(CheckpointError), staged(memory) as staging:
        text = json.dumps({"id": info.id, "commit": info.sha, "names": names})
        staging.write_text(text, encoding="utf-8")
    return info.id, str(info.sha), names


def _fetch(repo_id: str, commit: str, names: Sequence[str]) -> Path:
    where = f"{repo_id}@{commit[:12]}"
    patterns = [glob.escape(name) for name in names]

    def download() -> str:
        return connect(None).snapshot_download(
            repo_id, repo_type="dataset", revision=commit, allow_patterns=patterns
        )

    folder = Path(told(download, where))
    missing = [name for name in names if not (folder / name).exists()]
    if missing:
        raise CheckpointError(f"{where}: not in the cache: {few(missing)}")
    return folder


def _unless_class_folders(
    folder: Path, tables: TableFiles, names: Sequence[str]
) -> TableFiles | None:
    """Take text tables as the data set, but not those that only lie beside class folders."""
    folders = class_folders(names)
    if len(folders) < 2 or tables.is_declared:
        return tables
    for name in (name for files in tables.splits.values() for name in files):
        try:
            row = read_text_table(folder / name).slice(0, 1).to_pylist()
        except ConfigError:  # no table at all
            continue
        if not row:
            continue
        lists = tables.kind == "metadata" and "image" in row[0]  # what file_name is called here
        if lists and any(map(is_label_name, row[0])):
            return tables
        if lists or names_pictures(row[0], folder / os.path.dirname(name)):
            raise ConfigError(
                f"data set {str(folder)!r}: do the labels stand in {name}, or are they the folders "
                f"{few(folders)}? --data {folder / name} takes the table; without it in the "
                "folder, the folders count"
            )
    return None
