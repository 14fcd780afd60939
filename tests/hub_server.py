"""A local server that speaks the part of the hub's HTTP protocol that push and pull need.

What it answers was read from huggingface_hub's client and never compared with the public hub.
Large files come from a second port, as from the hub's CDN: no token may arrive there.
"""

import json
import re
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from tests import hub_pull, hub_push
from tests.hub_repository import ACCOUNTS, Account, Repository

ROUTES = [
    (method, re.compile(pattern), answer)
    for method, pattern, answer in hub_pull.ROUTES + hub_push.ROUTES
]


@dataclass
class Fault:
    """What goes wrong with the first `times` requests whose "METHOD /path" matches `pattern`.

    `kind` is "status" (answer `status`), "hang up" (no answer), "drop" (break off in the middle of
    the body), "truncate" (half a body, as if it were whole), "corrupt" (one byte flipped),
    "callback" (call `callback`, then go on), or "pause" (call it in the middle of the body).
    """

    pattern: str
    kind: str
    times: int = 1
    status: int = 503
    headers: Mapping[str, str] = field(default_factory=dict)
    callback: Callable[[], object] = int

    def strikes(self, request: str) -> bool:
        if self.times == 0 or not re.search(self.pattern, request):
            return False
        self.times -= 1
        return True


@dataclass(frozen=True)
class Request:
    """A request as it arrived; `is_cdn` if at the second port."""

    method: str
    path: str
    headers: Mapping[str, str]
    is_cdn: bool


class HubServer:
    """Serves repositories from memory on free loopback ports.

    Attributes:
        repositories: By repo_id.
        gated: The repo_ids that answer "ask for access first".
        store: Content of large files by sha256.
        xet_store: A folder for Xet's own local store; no Xet if None.
        faults: What goes wrong, see `Fault`.
        requests: Every request, in order.
        log: The same as (method, path).
        endpoint: What HF_ENDPOINT must be.
        cdn: Where large files come from and go to.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._listeners = [ThreadingHTTPServer(("127.0.0.1", 0), _Handler) for _ in range(2)]
        for listener in self._listeners:
            listener.daemon_threads = True
            listener.hub = self  # type: ignore[attr-defined]
            threading.Thread(target=listener.serve_forever, args=(0.05,), daemon=True).start()
        self.endpoint, self.cdn = (
            f"http://127.0.0.1:{listener.server_port}" for listener in self._listeners
        )
        self.reset()

    def reset(self) -> None:
        self.repositories: dict[str, Repository] = {}
        self.gated: set[str] = set()
        self.store: dict[str, bytes] = {}
        self.xet_store: Path | None = None
        self.faults: list[Fault] = []
        self.requests: list[Request] = []
        self.log: list[tuple[str, str]] = []

    def commit(
        self, repo_id: str, files: Mapping[str, bytes] | Path, *, branch: str = "main"
    ) -> str:
        """Make a commit whose tree is exactly `files` (a folder's, if a path); return its sha."""
        if isinstance(files, Path):
            files = {path.name: path.read_bytes() for path in files.iterdir()}
        return self.repositories.setdefault(repo_id, Repository()).add(files, branch)

    def fault(self, pattern: str, kind: str, **how: object) -> None:
        """Let something go wrong; see `Fault`."""
        self.faults.append(Fault(pattern, kind, **how))  # type: ignore[arg-type]

    def leaks(self) -> list[Request]:
        """List the requests that carried a token to the second port."""
        return [r for r in self.requests if r.is_cdn and "authorization" in r.headers]

    def stop(self) -> None:
        for listener in self._listeners:
            listener.shutdown()
            listener.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self.path, _, query = self.path.partition("?")
        self.query = parse_qs(query)
        self.body = self._read_body()
        self._fault = self._record()
        if self._fault and self._fault.kind == "callback":
            self._fault.callback()
        if self._fault and self._fault.kind == "hang up":
            self.close_connection = True
            return
        if self._fault and self._fault.kind == "status":
            self.answer(self._fault.status, headers=self._fault.headers)
            return
        for method, pattern, respond in ROUTES:
            if self.command in method.split() and (found := pattern.fullmatch(self.path)):
                respond(self, **{k: unquote(v) if v else v for k, v in found.groupdict().items()})
                return
        self.answer(404)

    do_HEAD = do_POST = do_PUT = do_DELETE = do_GET

    @property
    def hub(self) -> HubServer:
        return self.server.hub  # type: ignore[attr-defined, no-any-return]

    @property
    def is_cdn(self) -> bool:
        return self.hub.cdn.endswith(f":{self.server.server_address[1]}")

    def json(self) -> dict:
        return json.loads(self.body)

    def account(self) -> Account | None:
        """Say who asks; None if nobody says."""
        return ACCOUNTS.get(self.headers.get("authorization", "").removeprefix("Bearer "))

    def may_write(self, repo_id: str) -> bool:
        """Tell whether the asker may change a repository, or answer with the hub's error."""
        account = self.account()
        if account and account.may_write and repo_id.startswith(f"{account.name}/"):
            return self._knows_token()
        if self._knows_token():
            status, why = (403, "You don't have the required permissions") if account else (401, "")
            self.answer(status, headers={"X-Error-Message": why or "Invalid username or password."})
        return False

    def repository(self, repo_id: str) -> Repository | None:
        """Find a repository, or answer with the error the hub would."""
        repository = self.hub.repositories.get(repo_id)
        if not self._knows_token():
            return None
        account = self.account()
        is_owner = account is not None and repo_id.startswith(f"{account.name}/")
        if repository is None or (repository.private and not is_owner):
            self.answer(404 if account else 401, headers={"X-Error-Code": "RepoNotFound"})
        elif repo_id in self.hub.gated and not is_owner:
            self.answer(403, headers={"X-Error-Code": "GatedRepo"})
        else:
            return repository
        return None

    def tree(self, repo_id: str, revision: str) -> tuple[str, dict[str, bytes]] | None:
        """Find a commit's tree, or answer with the error the hub would."""
        repository = self.repository(repo_id)
        tree = repository.tree(revision) if repository else None
        if repository and tree is None:
            self.answer(404, headers={"X-Error-Code": "RevisionNotFound"})
        return tree

    def answer_json(self, content: object, status: int = 200) -> None:
        self.answer(status, json.dumps(content).encode(), {"Content-Type": "application/json"})

    def answer(
        self, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> None:
        kind = self._fault.kind if self._fault else ""
        if body and kind == "corrupt":
            middle = len(body) // 2
            body = body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :]
        if kind == "truncate":
            body = body[: len(body) // 2]
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if "Content-Length" not in (headers or {}):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if kind == "drop":
            body = body[: len(body) // 2]
            self.close_connection = True
        if self.command != "HEAD":
            with suppress(ConnectionError):  # a client that was killed
                if kind == "pause" and self._fault:
                    self.wfile.write(body[: len(body) // 2])
                    self._fault.callback()
                    body = body[len(body) // 2 :]
                self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Keep the tests' output quiet; `HubServer.log` has the requests."""

    def _knows_token(self) -> bool:
        if self.headers.get("authorization") and self.account() is None:
            message = "Invalid credentials in Authorization header"
            self.answer(401, headers={"X-Error-Message": message})
            return False
        return True

    def _record(self) -> Fault | None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        path = urlsplit(self.path).path
        with self.hub.lock:
            self.hub.requests.append(Request(self.command, path, headers, self.is_cdn))
            self.hub.log.append((self.command, path))
            striking = (f for f in self.hub.faults if f.strikes(f"{self.command} {path}"))
            return next(striking, None)

    def _read_body(self) -> bytes:
        if self.headers.get("transfer-encoding", "") != "chunked":
            return self.rfile.read(int(self.headers.get("content-length", 0)))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)
