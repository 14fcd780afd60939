"""What the hub of the tests holds: repositories, their commits, and who may do what."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

LARGE_BYTES = 10_000_000  # above it the hub stores a file of any name as a large one


class Account(NamedTuple):
    """Who a token stands for."""

    name: str
    may_write: bool


ACCOUNTS = {
    "hf_ownerMayWrite": Account("owner", may_write=True),
    "hf_ownerMayRead": Account("owner", may_write=False),
    "hf_strangerMayWrite": Account("stranger", may_write=True),
}
WRITER, READER, STRANGER = ACCOUNTS


@dataclass
class Repository:
    """Commits by their 40 hex digits, each a whole tree, and the names that point at them."""

    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    private: bool = False
    messages: list[str] = field(default_factory=list)

    def find(self, revision: str) -> str | None:
        commit = self.refs.get(revision) or self.tags.get(revision) or revision
        return commit if commit in self.commits else None

    def tree(self, revision: str) -> tuple[str, dict[str, bytes]] | None:
        commit = self.find(revision)
        return (commit, self.commits[commit]) if commit else None

    def add(self, files: Mapping[str, bytes], ref: str, message: str = "") -> str:
        """Make a commit whose tree is exactly `files`; return its sha."""
        digest = hashlib.sha1(f"{ref} {len(self.commits)}".encode())
        for path, content in sorted(files.items()):
            digest.update(path.encode() + content)
        sha = digest.hexdigest()
        self.commits[sha] = dict(files)
        self.refs[ref] = sha
        self.messages.append(message)
        return sha


def is_large(path: str, content: bytes | int) -> bool:
    size = content if isinstance(content, int) else len(content)
    return size > 0 and (path.endswith(".safetensors") or size > LARGE_BYTES)


def digest_of(path: str, content: bytes) -> str:
    """Name a file's content as the hub does: sha256 of a large one, git's name of a small one."""
    if is_large(path, content):
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
