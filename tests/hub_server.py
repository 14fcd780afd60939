"""A local server that speaks the part of the hub's HTTP protocol that pulling a model needs.

What it answers was read from huggingface_hub's client and never compared with the public hub.
"""

import hashlib
import json
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

_INFO = re.compile(r"/api/models/(?P<id>[^/]+/[^/]+)(/revision/(?P<revision>[^/]+))?")
_FILE = re.compile(r"/(?P<id>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<path>.+)")


@dataclass
class Repository:
    """Commits by their 40 hex digits, each a whole tree, and the names that point at them."""

    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)

    def tree(self, revision: str) -> tuple[str, dict[str, bytes]] | None:
        commit = self.refs.get(revision, revision)
        return (commit, self.commits[commit]) if commit in self.commits else None


class HubServer:
    """Serves repositories from memory on a free loopback port.

    Attributes:
        repositories: By repo_id.
        gated: The repo_ids that answer "ask for access first".
        log: Every request as (method, path), in order.
        endpoint: What HF_ENDPOINT must be.
    """

    def __init__(self) -> None:
        self.repositories: dict[str, Repository] = {}
        self.gated: set[str] = set()
        self.log: list[tuple[str, str]] = []
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._http.hub = self  # type: ignore[attr-defined]
        self.endpoint = f"http://127.0.0.1:{self._http.server_port}"
        threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True).start()

    def commit(
        self, repo_id: str, files: Mapping[str, bytes] | Path, *, branch: str = "main"
    ) -> str:
        """Make a commit whose tree is exactly `files` (a folder's, if a path); return its sha."""
        if isinstance(files, Path):
            files = {path.name: path.read_bytes() for path in files.iterdir()}
        repository = self.repositories.setdefault(repo_id, Repository())
        digest = hashlib.sha1(f"{branch} {len(repository.commits)}".encode())
        for path, content in sorted(files.items()):
            digest.update(path.encode() + content)
        sha = digest.hexdigest()
        repository.commits[sha] = dict(files)
        repository.refs[branch] = sha
        return sha

    def stop(self) -> None:
        self._http.shutdown()
        self._http.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        self._hub.log.append((self.command, path))
        if found := _INFO.fullmatch(path):
            self._info(found["id"], found["revision"])
        elif found := _FILE.fullmatch(path):
            self._file(found["id"], found["revision"], unquote(found["path"]))
        else:
            self._answer(404)

    do_HEAD = do_GET

    @property
    def _hub(self) -> HubServer:
        return self.server.hub  # type: ignore[attr-defined, no-any-return]

    def _info(self, repo_id: str, revision: str | None) -> None:
        if tree := self._tree(repo_id, revision or "main"):
            sha, files = tree
            siblings = [{"rfilename": path} for path in files]
            info = {"id": repo_id, "sha": sha, "private": False, "siblings": siblings, "tags": []}
            self._answer(200, json.dumps(info).encode(), {"Content-Type": "application/json"})

    def _file(self, repo_id: str, revision: str, path: str) -> None:
        if tree := self._tree(repo_id, revision):
            sha, files = tree
            if path not in files:
                self._answer(404, headers={"X-Error-Code": "EntryNotFound", "X-Repo-Commit": sha})
                return
            self._answer(200, files[path], {"X-Repo-Commit": sha} | _etags(path, files[path]))

    def _tree(self, repo_id: str, revision: str) -> tuple[str, dict[str, bytes]] | None:
        """Find a commit's tree, or answer with the error the hub would."""
        repository = self._hub.repositories.get(repo_id)
        tree = repository.tree(unquote(revision)) if repository else None
        if repo_id in self._hub.gated:
            self._answer(403, headers={"X-Error-Code": "GatedRepo"})
        elif repository is None:
            self._answer(401, headers={"X-Error-Code": "RepoNotFound"})  # as to the anonymous
        elif tree is None:
            self._answer(404, headers={"X-Error-Code": "RevisionNotFound"})
        else:
            return tree
        return None

    def _answer(
        self, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Keep the tests' output quiet; `HubServer.log` has the requests."""


def _etags(path: str, content: bytes) -> dict[str, str]:
    if path.endswith(".safetensors"):  # a large file: the hub names it by its sha256
        digest = hashlib.sha256(content).hexdigest()
        return {"X-Linked-Etag": f'"{digest}"', "X-Linked-Size": str(len(content))}
    blob = b"blob %d\0" % len(content) + content  # as git names it
    return {"ETag": f'"{hashlib.sha1(blob).hexdigest()}"'}
