"""A checkpoint folder to a hub repository: one commit, and what is written there by hand is kept.

Knows no model: whoever calls has loaded the folder, so that a broken one is never pushed.
"""

import hashlib
import os
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from huggingface_hub import CommitOperationAdd, HfApi, ModelInfo, get_token
from huggingface_hub import errors as hub_errors
from huggingface_hub.hf_api import RepoFile

from hub_models.card import is_rendered, render_card, untouched_parts
from hub_models.client import connect, told
from hub_models.destination import Destination
from hub_models.errors import CheckpointError, named, shortened
from hub_models.fetch import git_blob
from hub_models.hub import CARD_FILE, read_config, weights_path
from hub_models.machine import temporary_folder
from hub_models.readme import is_same, merge_readme
from hub_models.tensor_file import read_tensors

_Files = dict[str, bytes | Path]


@dataclass(frozen=True)
class PushedFile:
    """One file of a push.

    Attributes:
        name: Path in the repository.
        size_bytes: Of the file that is pushed.
        change: "new", "changed" or "unchanged", compared with what is there.
    """

    name: str
    size_bytes: int
    change: str


@dataclass(frozen=True)
class Pushed:
    """What a push did, or with dry_run would do.

    Attributes:
        repo_id: "owner/name".
        revision: The branch.
        creates_repository: Whether the hub lacked the repository.
        creates_branch: Whether the repository lacked the branch.
        keeps_readme: Whether a README.md written by hand on the hub stays, our metadata and
            results merged in.
        files: What was compared, in order of name.
        commit_url: Of the new commit, or of the last one if nothing changed; None with dry_run.
        pull_request_url: Where it can be merged; None without create_pr.
    """

    repo_id: str
    revision: str
    creates_repository: bool
    creates_branch: bool
    keeps_readme: bool
    files: tuple[PushedFile, ...]
    commit_url: str | None = None
    pull_request_url: str | None = None


@dataclass(frozen=True)
class _There:
    """What the hub has: the commit the push starts from, None where there is no repository."""

    commit: str | None = None
    has_branch: bool = False


def push(
    folder: Path, destination: Destination, *, message: str | None = None, dry_run: bool = False
) -> Pushed:
    """Push a checkpoint folder in one commit.

    Every file in it goes, hidden ones excepted. A README.md somebody wrote or changed on the hub is
    kept: see `readme.merge_readme`; if the folder has another one of its own, `destination.readme`
    must say which. A push of somebody else in between is an error, never overwritten.

    Args:
        folder: The caller has loaded it, which checks that its weights fit.
        destination: Where to.
        message: Of the commit.
        dry_run: Only ask the hub what is there.

    Returns:
        What was done.

    Raises:
        ConfigError: If the folder has no good config.json.
        CheckpointError: If weights are missing, NaN or infinite, two people's READMEs differ, or
            the hub refuses or cannot be reached.
    """
    files, card = _read(folder, destination.repo_id)
    api = _client(destination)
    there = _look(api, destination)
    remote = _files_there(api, destination, there, [*files, CARD_FILE])
    readme = _merged_readme(api, destination, there, files, card) if CARD_FILE in remote else None
    if readme is not None:
        files[CARD_FILE] = readme
    start = there if dry_run else _prepare(api, destination, there)
    pushed = Pushed(
        repo_id=destination.repo_id,
        revision=destination.revision or "main",
        creates_repository=there.commit is None,
        creates_branch=not there.has_branch,
        keeps_readme=readme is not None,
        files=tuple(
            PushedFile(name, _size(content), _change(content, remote.get(name)))
            for name, content in sorted(files.items())
        ),
    )
    return pushed if dry_run else _commit(api, destination, start, files, pushed, message)


def _read(folder: Path, repo_id: str) -> tuple[_Files, str]:
    """List what is to be pushed, and render the card with the repository's own lines."""
    config = read_config(folder)
    path = weights_path(folder)
    with named(path):
        for weight, tensor in read_tensors(path).items():
            if tensor.is_floating_point() and not tensor.isfinite().all():
                raise CheckpointError(f"weight {weight!r} holds NaN or infinity")
    files: _Files = {
        path.relative_to(folder).as_posix(): path
        for path in folder.rglob("*")
        if path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    }
    for name in files:
        if shortened(name, 999).encode() != os.fsencode(name):
            raise CheckpointError(f"{folder}: rename {shortened(name)}, which no hub takes")
    card, own = render_card(config, repo_id), folder / CARD_FILE
    if not own.is_file() or is_rendered(_text(own.read_bytes(), str(own))):
        files[CARD_FILE] = card.encode()
    return files, card


def _text(content: bytes, name: str, remedy: str = "save it as UTF-8") -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CheckpointError(
            f"{name} is not UTF-8 (byte {content[error.start]:#04x} at {error.start}): {remedy}"
        ) from error


def _client(destination: Destination) -> HfApi:
    api = connect(destination.token)
    if not (destination.token or get_token()):
        raise CheckpointError(
            f"{destination}: a push needs a token that may write: run `hf auth login`, or set "
            "HF_TOKEN"
        )
    return api


def _look(api: HfApi, destination: Destination) -> _There:
    """Ask what is there, and refuse to push private work where everybody sees it."""
    info = _info(api, destination, destination.revision)
    has_branch = info is not None
    if info is None and destination.revision:
        info = _info(api, destination, None)
    if info is None:
        return _There()
    if destination.private and not info.private:
        raise CheckpointError(
            f"{destination}: the repository is public; make it private in its settings first"
        )
    return _There(info.sha, has_branch)


def _info(api: HfApi, destination: Destination, revision: str | None) -> ModelInfo | None:
    def ask() -> ModelInfo | None:
        try:
            return api.model_info(destination.repo_id, revision=revision)
        except hub_errors.GatedRepoError:
            raise
        except (hub_errors.RepositoryNotFoundError, hub_errors.RevisionNotFoundError):
            return None

    return told(ask, str(destination))


def _prepare(api: HfApi, destination: Destination, there: _There) -> _There:
    """Make the repository and the branch where they are missing."""
    if there.has_branch:
        return there
    repo_id, branch = destination.repo_id, destination.revision

    def make() -> None:
        if there.commit is None:
            api.create_repo(repo_id, private=destination.private, exist_ok=True)
        if branch:
            api.create_branch(repo_id, branch=branch, exist_ok=True)

    told(make, str(destination))
    made = _look(api, destination)
    if made.commit is None:
        raise CheckpointError(f"{destination}: the hub has made the repository, but hides it")
    return there if there.commit else made  # a commit since then is refused, not overwritten


def _files_there(
    api: HfApi, destination: Destination, start: _There, names: list[str]
) -> dict[str, RepoFile]:
    if start.commit is None:
        return {}
    found = told(
        lambda: api.get_paths_info(destination.repo_id, names, revision=start.commit),
        str(destination),
    )
    return {file.path: file for file in found if isinstance(file, RepoFile)}


def _merged_readme(
    api: HfApi, destination: Destination, there: _There, files: _Files, card: str
) -> bytes | None:
    """Give the README that somebody wrote on the hub, merged; None if the folder's goes there."""
    if destination.readme == "folder":
        return None
    # In the cache it would move the branch's commit.
    with tempfile.TemporaryDirectory(dir=temporary_folder()) as aside:
        path = told(
            lambda: api.hf_hub_download(
                destination.repo_id, CARD_FILE, revision=there.commit, local_dir=aside
            ),
            str(destination),
            CARD_FILE,
        )
        content = Path(path).read_bytes()
    or_folder = "on the hub, or push the folder's by --readme folder"
    theirs = _text(content, f"{destination}: {CARD_FILE} there", f"save it as UTF-8 {or_folder}")
    if all(untouched_parts(theirs)):
        return None
    if isinstance(own := files[CARD_FILE], Path) and destination.readme != "hub":  # words here too
        if is_same(theirs, _text(own.read_bytes(), str(own))):
            return None
        raise CheckpointError(
            f"{destination}: people wrote the {CARD_FILE} there and another one in the folder: "
            "--readme hub keeps the hub's words, with our results; --readme folder replaces them"
        )
    try:
        return merge_readme(theirs, card).encode()
    except CheckpointError as error:
        raise CheckpointError(f"{destination}: {error}: mend them {or_folder}") from error


def _size(content: bytes | Path) -> int:
    return len(content) if isinstance(content, bytes) else content.stat().st_size


def _change(content: bytes | Path, there: RepoFile | None) -> str:
    if there is None:
        return "new"
    data = content if isinstance(content, bytes) else content.read_bytes()
    if there.lfs is not None:
        is_same = hashlib.sha256(data).hexdigest() == there.lfs.sha256
    else:
        is_same = git_blob(data) == there.blob_id
    return "unchanged" if is_same else "changed"


def _commit(
    api: HfApi,
    destination: Destination,
    start: _There,
    files: _Files,
    pushed: Pushed,
    message: str | None,
) -> Pushed:
    """Send what differs, all in one commit on top of the one that was looked at."""
    operations = [
        CommitOperationAdd(path_in_repo=file.name, path_or_fileobj=files[file.name])
        for file in pushed.files
        if file.change != "unchanged"
    ]
    if not operations:
        url = f"{api.endpoint}/{destination.repo_id}/commit/{start.commit}"
        return replace(pushed, commit_url=url)
    # create_commit, not upload_folder: that one may split a push into several commits.
    made = told(
        lambda: api.create_commit(
            destination.repo_id,
            operations,
            commit_message=message or "Push with hub-models",
            revision=destination.revision,
            create_pr=destination.create_pr,
            parent_commit=start.commit,
        ),
        str(destination),
    )
    return replace(pushed, commit_url=made.commit_url, pull_request_url=made.pr_url)
