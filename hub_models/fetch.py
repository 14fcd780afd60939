"""Files of one commit of a hub repository to a folder of the cache, every byte checked.

Knows no model and no file by name. The client's errors end here, each in one sentence.
"""

import hashlib
import logging
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

import httpx2
import huggingface_hub
from huggingface_hub import errors as hub_errors
from huggingface_hub import is_offline_mode

from hub_models import __version__
from hub_models.errors import CheckpointError, ConfigError

Result = TypeVar("Result")

WHY_NO_PICKLE: Final = "only safetensors are read: loading a pickle can run any code"
# The client's errors share no base: no connection at all is an HTTPError, most are OSErrors,
# and a forced download that fails, like an upload, is a ValueError or RuntimeError with a cause.
_CLIENT_ERRORS: Final = (
    httpx2.HTTPError,
    OSError,
    ValueError,
    RuntimeError,
    hub_errors.RevisionResolutionError,
    hub_errors.XetDownloadError,
)
_REFUSALS: Final = {
    401: "the hub does not accept the token, or wants one (`hf auth login`, or HF_TOKEN)",
    403: "the token may not do this",
    409: "somebody else changed it at the same moment; try again",
    412: "somebody else pushed meanwhile; try again",
    429: "the hub asks to wait: too many requests",
}
_SECRET: Final = re.compile(r"hf_\w+|(?<=\?)[^\s'\")]+")  # tokens, signed addresses
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


def connect(token: str | bool | None) -> huggingface_hub.HfApi:
    """Make a client of the hub that says who asks.

    Args:
        token: As in huggingface_hub.

    Returns:
        The client.
    """
    return huggingface_hub.HfApi(
        token=token, library_name="hub_models", library_version=__version__
    )


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


def told(call: Callable[[], Result], where: str, what: str = "") -> Result:
    """Call the client; its errors become one sentence, with the client's own as the cause.

    Args:
        call: What to do.
        where: The repository with its revision, for the sentence.
        what: The file or revision it is about, if it is about one.

    Returns:
        What the call gives.

    Raises:
        CheckpointError: If the hub refuses or cannot be reached, or the disk is full.
    """
    try:
        return call()
    except _CLIENT_ERRORS as error:
        raise CheckpointError(f"{where}: {_sentence(error, what)}") from error


def _digest(path: Path) -> str:
    # One level only: with Xet the blob is itself a link into a store with other names.
    return os.path.basename(os.readlink(path)) if path.is_symlink() else ""


def _sentence(error: BaseException, what: str) -> str:  # noqa: C901  # a table of cases
    is_typed = what.startswith("revision")  # so a folder may have been meant
    absent = f"{'no such folder, and ' if is_typed else ''}{what} is not in the cache"
    match error:
        case hub_errors.HfHubHTTPError():
            return _refusal(error, what)
        case hub_errors.OfflineModeIsEnabled():
            return f"{absent} (HF_HUB_OFFLINE)"
        case hub_errors.RevisionResolutionError() | hub_errors.LocalEntryNotFoundError():
            if error.__cause__ is None:
                return f"{absent} (local_files_only)"
            return _sentence(error.__cause__, what)
        case hub_errors.HFValidationError():
            return f"no such folder, and not a name a hub takes ({_first_line(error)})"
        case ValueError() | RuntimeError():
            return _failed_call(error, what)
        case OSError(errno=int()):
            return f"{what or 'a file'} cannot be written or read here ({error.strerror})"
        case httpx2.ConnectError() | httpx2.TimeoutException():
            return f"no such folder, and the hub cannot be reached ({_first_line(error)})"
        case _:
            return f"the hub did not deliver {what or 'an answer'} ({_first_line(error)})"


def _refusal(error: hub_errors.HfHubHTTPError, what: str) -> str:
    match error:
        case hub_errors.GatedRepoError():
            return "access must be asked for on the hub first, or a token given"
        case hub_errors.RepositoryNotFoundError():
            return "no such folder, and no such repository on the hub (or it is private)"
        case hub_errors.RevisionNotFoundError():
            return "the repository has no such revision"
        case hub_errors.RemoteEntryNotFoundError():
            why = f"; {WHY_NO_PICKLE}" if what.endswith(".safetensors") else ""
            return f"{what} is missing there{why}"
    status = error.response.status_code
    known = _REFUSALS.get(status, "the hub refused" if status < 500 else "the hub has failed")
    about = f" at {what}" if what else ""
    said = f": {_without_secrets(error.server_message)}" if error.server_message else ""
    return f"{known}{about} (HTTP {status}{said})"


def _failed_call(error: BaseException, what: str) -> str:
    """Look through the client's wrappers: a forced download, an upload, a card it validated."""
    cause = error.__cause__
    if isinstance(cause, _CLIENT_ERRORS) and not isinstance(cause, hub_errors.BadRequestError):
        return _sentence(cause, what)
    return f"the hub refused ({_without_secrets(str(error))})"


def _first_line(error: BaseException) -> str:
    return _without_secrets(str(error).strip().split("\n", 1)[0]) or type(error).__name__


def _without_secrets(text: str) -> str:
    return _SECRET.sub("...", " ".join(text.split()))
