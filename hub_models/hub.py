"""A source (folder or repo_id) to a folder; a folder to config, tensors and card, and back.

Knows no model. Files are written whole or not at all: a temporary file, fsync, then a rename.
"""

import json
import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from huggingface_hub import constants

from hub_models.card import RESULTS_START, is_rendered, render_card
from hub_models.client import WHY_NO_PICKLE
from hub_models.config import ModelConfig
from hub_models.config_json import parse_config, render_config
from hub_models.errors import CheckpointError, ConfigError, named, shortened
from hub_models.fetch import Access, fetch_files, fetch_if_there, resolve_commit
from hub_models.machine import own_cache_instead

if TYPE_CHECKING:  # PyTorch takes seconds to import, and most of what is here needs none
    from torch import Tensor

CONFIG_FILE: Final = "config.json"
WEIGHTS_FILE: Final = "model.safetensors"
CARD_FILE: Final = "README.md"
RESULTS_FILE: Final = "results.json"
FILES: Final = (CONFIG_FILE, WEIGHTS_FILE, CARD_FILE, RESULTS_FILE)
MAX_CONFIG_BYTES: Final = 16 * 2**20
_MAX_NAME: Final = 200  # of a repository, which the client wants shorter, or a revision
_REPO_ID: Final = re.compile(r"[A-Za-z0-9][\w.-]*(/[\w.-]+)?", re.ASCII)


@dataclass(frozen=True)
class Resolved:
    """A source as a folder on this machine.

    Attributes:
        folder: Holds config.json and model.safetensors.
        revision: The commit all its files come from; None for a local folder.
    """

    folder: Path
    revision: str | None = None


def resolve(
    source: str | Path,
    *,
    revision: str | None = None,
    token: str | bool | None = None,
    cache_dir: str | Path | None = None,
    local_files_only: bool = False,
    force_download: bool = False,
) -> Resolved:
    """Find the folder behind a source, fetching it from the hub if it is a repo_id.

    The revision is resolved to a commit once, and both files are fetched at that commit, so a push
    in between cannot mix two versions. A cached commit needs no request.

    Args:
        source: A folder, or "owner/name", or "owner/name@revision".
        revision: Branch, tag or commit; the default branch if None.
        token: As in huggingface_hub.
        cache_dir: As in huggingface_hub.
        local_files_only: Use the cache alone.
        force_download: Fetch again what the cache holds.

    Returns:
        The folder and its commit.

    Raises:
        ConfigError: If a revision is given for a folder, or twice, or if the hub is to be asked
            and not to be asked.
        CheckpointError: If `source` is neither a folder nor a name a hub could have, or the hub
            lacks it, refuses, or cannot be reached; the client's own error is its cause.
    """
    folder = Path(source)
    if os.path.isdir(folder):  # unlike Path.is_dir, False for a name too long for a folder
        if revision is not None:
            raise ConfigError(f"{source}: a local folder has no revision {revision!r}")
        return Resolved(folder)
    repo_id, _, named = str(source).partition("@")
    if named and revision:
        raise ConfigError(f"{source}: a second revision, {revision!r}, was given beside it")
    if max(len(repo_id), len(named)) > _MAX_NAME or not _REPO_ID.fullmatch(repo_id):
        url = re.match(r"data:|[A-Za-z][\w+.-]*://", str(source))
        remedy = f"; {url[0]} is no source: give a folder, or owner/name of a hub" if url else ""
        raise CheckpointError(
            f"{shortened(source)}: no such folder, and not a name like owner/name either{remedy}"
        )
    access = Access(token, cache_dir or _own_cache(), local_files_only, force_download)
    commit = resolve_commit(repo_id, revision or named or None, access)
    return Resolved(fetch_files(repo_id, commit, (CONFIG_FILE, WEIGHTS_FILE), access), commit)


def pull(source: str | Path, to: Path | None = None) -> Resolved:
    """Fetch a whole checkpoint folder: config, weights, and the card and results it has.

    Args:
        source: As `resolve` takes it.
        to: Where to put a copy, new or empty; it stays in the cache if None.

    Returns:
        The folder and its commit.

    Raises:
        ConfigError: As `resolve`.
        CheckpointError: As `resolve`; or if `to` holds something, or cannot be written.
    """
    found = resolve(source)
    if found.revision:
        repo_id = str(source).partition("@")[0]
        for name in (CARD_FILE, RESULTS_FILE):
            fetch_if_there(repo_id, found.revision, name, Access(cache_dir=_own_cache()))
    if to is None:
        return found
    if to.exists() and not (to.is_dir() and not any(to.iterdir())):
        raise CheckpointError(f"{to}: not an empty folder; name one that is new")
    files = {
        name: (found.folder / name).read_bytes()
        for name in FILES
        if (found.folder / name).is_file()
    }
    _write_files(to, files)
    return Resolved(to, found.revision)


def read_config(folder: Path) -> ModelConfig:
    """Read a folder's config.json.

    Args:
        folder: A checkpoint folder.

    Returns:
        The config.

    Raises:
        ConfigError: If the file is missing, too large or wrong; the message names it.
    """
    path = folder / CONFIG_FILE
    if not path.is_file():
        raise ConfigError(f"{folder}: no {CONFIG_FILE} in this folder")
    size = path.stat().st_size
    if size > MAX_CONFIG_BYTES:
        raise ConfigError(f"{path}: {size:,} bytes, the limit is {MAX_CONFIG_BYTES:,}")
    with named(path):
        return parse_config(path.read_bytes())


def weights_path(folder: Path) -> Path:
    """Find a folder's weights.

    Args:
        folder: A checkpoint folder.

    Returns:
        The path of model.safetensors.

    Raises:
        CheckpointError: If there is none; other kinds of weights are named and refused.
    """
    path = folder / WEIGHTS_FILE
    if path.is_file():
        return path
    pickles = sorted(p.name for p in folder.iterdir() if p.suffix in {".bin", ".pth", ".pt"})
    found = f", only {pickles[0]}; {WHY_NO_PICKLE}" if pickles else ""
    raise CheckpointError(f"{folder}: no {WEIGHTS_FILE} in this folder{found}")


def write_folder(folder: Path, config: ModelConfig, tensors: "Mapping[str, Tensor]") -> None:
    """Write a checkpoint folder: weights, config, results and card.

    All files are complete on disk before the first takes its name, so an error half-way leaves
    what was there. Of a README.md with somebody's words only the results between the lines for
    them are written, if it has those lines.

    Args:
        folder: Made if missing; other files in it are left alone.
        config: Rendered as config.json, results.json and README.md.
        tensors: Weights by timm's names, float32.

    Raises:
        CheckpointError: If the folder cannot be written.
    """
    from hub_models.tensor_file import pack_tensors

    _write_files(folder, {WEIGHTS_FILE: pack_tensors(tensors)} | _rendered(folder, config))


def write_config(folder: Path, config: ModelConfig) -> None:
    """Write a changed config (new results, say) into a folder, its weights left alone.

    Args:
        folder: A checkpoint folder.
        config: Rendered as config.json, results.json and README.md.

    Raises:
        CheckpointError: If the folder cannot be written.
    """
    _write_files(folder, _rendered(folder, config))


def _own_cache() -> Path | None:
    """Give a cache of our own where the hub client's is in a home that is not known or closed."""
    variables = ("HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE")
    return own_cache_instead(constants.HF_HUB_CACHE, "hub", variables)


def _rendered(folder: Path, config: ModelConfig) -> dict[str, bytes]:
    files = {CONFIG_FILE: render_config(config)}
    results = {split: dict(numbers) for split, numbers in config.results.items()}
    files[RESULTS_FILE] = json.dumps(results, indent=2) + "\n"
    path, card = folder / CARD_FILE, render_card(config, folder.resolve().name)
    own = path.read_bytes().decode("utf-8", "replace") if path.is_file() else ""
    if not own or is_rendered(own):
        files[CARD_FILE] = card
    elif RESULTS_START in own and "\ufffd" not in own:
        from hub_models.readme import merge_readme

        with named(folder):
            files[CARD_FILE] = merge_readme(own, card)
    return {name: text.encode() for name, text in files.items()}


def _write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write several files so that each is whole, and an error leaves the old ones."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in files:
            if (folder / name).is_dir():  # its rename would fail after those of other files
                raise IsADirectoryError(f"{name} is a folder")
        with tempfile.TemporaryDirectory(dir=folder, prefix=".writing-") as staging:
            for name, content in files.items():
                with open(Path(staging, name), "wb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
            for name in files:
                os.replace(Path(staging, name), folder / name)
        directory = os.open(folder, os.O_RDONLY)
        os.fsync(directory)
        os.close(directory)
    except OSError as error:
        raise CheckpointError(f"{folder}: cannot be written ({error})") from error
