"""Files of one commit of a hub repository to a folder of the cache, every byte checked.

Knows no model and no file by name.
"""

import hashlib
import logging
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import errors as hub_errors
from huggingface_hub import is_offline_mode

from hub_models.client import connect, told
from hub_models.errors import CheckpointError, ConfigError

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Access:
    """How a hub and its cache are used; each as in huggingface_hub.

    Attributes:
        token: The one stored on this machine if None, none at all if False.
        cache_dir: Where fetched files are kept.
        local_files_only: Use the cache alone.
        force_download: Fetch again what the cache holds.
    """

    token: str | bool | None = None
    cache_dir: str | Path | None = None
    local_files_only: bool = False
    force_download: bool = False


def resolve_commit(repo_id: str, revision: str | None, access: Access) -> str:
    """Find the commit a revision stands for: one request, none if it is a commit already.

    Args:
        repo_id: "owner/name".
        revision: Branch, tag or commit; the default branch if None.
        access: Token and cache.

    Returns:
        40 hex digits.

    Raises:
        ConfigError: If only the cache and only the hub are to be used.
        CheckpointError: If the hub does not tell, and the cache does not know.
    """
    if access.local_files_only and access.force_download:
        raise ConfigError("force_download asks the hub, local_files_only never does: choose one")
    resolved = told(
        lambda: connect(access.token).resolve_revision(
            repo_id,
            revision=revision,
            cache_dir=access.cache_dir,
            local_files_only=access.local_files_only,
        ),
        f"{repo_id}@{revision}" if revision else repo_id,
        f"revision {revision or 'main'!r}",
    )
    return str(resolved.resolved)


def fetch_files(repo_id: str, commit: str, filenames: Sequence[str], access: Access) -> Path:
    """Fetch files of one commit; what the cache holds needs no request.

    A file that does not match the digest the hub gave for it is fetched again once.

    Args:
        repo_id: "owner/name".
        commit: 40 hex digits.
        filenames: Paths in the repository; at least one.
        access: Token and cache.

    Returns:
        The folder they are in.

    Raises:
        CheckpointError: If one is missing, cannot be fetched, or is damaged twice.
    """
    for filename in filenames:
        path = _fetch_file(repo_id, commit, filename, access)
    return path.parent


def fetch_if_there(repo_id: str, commit: str, filename: str, access: Access) -> None:
    """Fetch a file that a repository may lack into the cache.

    Args:
        repo_id: "owner/name".
        commit: 40 hex digits.
        filename: Path in the repository.
        access: Token and cache.

    Raises:
        CheckpointError: As `fetch_files`, but not if the file is not there.
    """
    try:
        _fetch_file(repo_id, commit, filename, access)
    except CheckpointError as error:
        if not isinstance(error.__cause__, hub_errors.EntryNotFoundError):
            raise


def _fetch_file(repo_id: str, commit: str, filename: str, access: Access) -> Path:
    where = f"{repo_id}@{commit[:12]}"

    def download(force: bool) -> Path:
        return Path(
            told(
                lambda: connect(access.token).hf_hub_download(
                    repo_id,
                    filename,
                    revision=commit,
                    cache_dir=access.cache_dir,
                    local_files_only=access.local_files_only,
                    force_download=force,
                ),
                where,
                filename,
            )
        )

    path = download(access.force_download)
    if is_intact(path):
        return path
    if access.local_files_only or is_offline_mode():
        raise CheckpointError(
            f"{where}: {filename} in the cache is damaged, and the hub may not be asked for it"
        )
    _log.warning("%s: %s is damaged; fetching it again", where, filename)
    path = download(True)
    if not is_intact(path):
        raise CheckpointError(
            f"{where}: {filename} was fetched twice and is not what the hub says it is "
            f"(its digest must be {_digest(path)})"
        )
    return path


def is_intact(path: Path) -> bool:
    """Compare a cached file with the digest the hub gave for it.

    The cache names a file's content by that digest: the sha256 of a large file, the git object of a
    small one (or its plain sha1, as some mirrors say). The client itself compares sizes only.

    Args:
        path: As the client returned it: a link to the content. Where the cache holds
            no links (some Windows machines), nothing can be compared.

    Returns:
        False if the file is not what the hub says it is.
    """
    digest = _digest(path)
    if not re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", digest):
        return True
    with path.open("rb") as file:
        if len(digest) == 64:
            return hashlib.file_digest(file, "sha256").hexdigest() == digest
        content = file.read()
    return digest in (git_blob(content), hashlib.sha1(content).hexdigest())


def git_blob(content: bytes) -> str:
    """Name a small file as git and the hub do.

    Args:
        content: The whole file.

    Returns:
        40 hex digits.
    """
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def _digest(path: Path) -> str:
    # One level only: with Xet the blob is itself a link into a store with other names.
    return os.path.basename(os.readlink(path)) if path.is_symlink() else ""
