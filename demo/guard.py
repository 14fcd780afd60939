"""ASGI in front of Gradio: what may be asked, by whom, how often and how much.

Pure ASGI, because Starlette's BaseHTTPMiddleware would hold back Gradio's stream of events.
"""

import json
import math
import re
import time
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from gradio.utils import get_upload_folder

from demo import tools
from demo.metrics import Metrics
from demo.programs import MAX_BYTES, PATH
from demo.settings import Settings
from demo.visitor import RateLimit, name_client
from demo.work import Work

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Refusal = tuple[int, str] | tuple[int, str, int]  # status, sentence, seconds to wait
App = Callable[[Message, Receive, Send], Awaitable[None]]

MAX_FILE_BYTES: Final = 64 * 2**20  # a ZIP; a picture's own limit is that of LIMITS
_MAX_UPLOAD_BYTES: Final = 2 * MAX_FILE_BYTES  # one request may hold several files
_MAX_STORED_BYTES: Final = 2 * 2**30  # of all visitors; each upload is deleted within the hour
_COUNTED_EVERY_S: Final = 30.0
_MAX_JSON_BYTES: Final = 256 * 2**10
_LANGUAGE_PREFIX: Final = re.compile(r"/zh(?=/)")
_UPLOAD: Final = "/gradio_api/upload"
_WORK: Final = re.compile(r"/classify|/mcp|/gradio_api/(upload|queue/join|run/predict|call/[\w/]+)")
_OPEN: Final = re.compile(
    r"/(zh|config|theme\.css|favicon\.ico|manifest\.json|robots\.txt|healthz|readyz|metrics|classify|mcp)?"
    r"|/(assets|static|svelte)/.*"
    r"|/gradio_api/(startup-events|info|openapi\.json|theme\.css|upload|upload_progress|cancel"
    r"|reset|heartbeat/\w+|queue/(join|data|status)|run/predict|call/[\w/]+|file=(?!https?:|//).+)"
)
_POLICY: Final = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; media-src 'self' blob:; "
    "font-src 'self' data:; connect-src 'self' data: blob:; worker-src 'self' blob:; "
    "object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'self' "
    "https://huggingface.co https://*.hf.space"
)
_HEADERS: Final = (
    (b"content-security-policy", _POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(self), microphone=(), geolocation=()"),
    (b"cross-origin-resource-policy", b"same-origin"),
)


class TooLarge(Exception):
    """Raised inside the guard when a body outgrows its limit while it is being read."""


class Guard:
    """Refuses what the page never asks for, in one sentence each.

    Args:
        app: What is behind it.
        settings: As read at the start.
        work: Tells whether the demo is closing.
        metrics: Counts what is refused.
    """

    def __init__(self, app: App, settings: Settings, work: Work, metrics: Metrics) -> None:
        self._app, self._settings, self._work, self._metrics = app, settings, work, metrics
        self._rate, self._stored = RateLimit(settings.rate), _Stored()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer or hand on one request."""
        if scope["type"] == "lifespan":
            return await self._app(scope, receive, send)
        if scope["type"] != "http":
            return None  # the page opens no web socket
        headers = {n.decode("latin-1"): v.decode("latin-1") for n, v in scope["headers"]}
        path = _LANGUAGE_PREFIX.sub("", scope["path"], count=1)
        refusal = self._refusal(scope, path, headers)
        if refusal is not None:
            return await self._refuse(send, *refusal)
        limit = _most_bytes(path)
        has_begun = False

        async def answer(message: Message) -> None:
            nonlocal has_begun
            if message["type"] == "http.response.start":
                has_begun = True
                message["headers"] = [*message.get("headers", []), *_HEADERS]
            await send(message)

        try:
            await self._app(scope, _counting(receive, limit), answer)
        except TooLarge:
            if not has_begun:
                await self._refuse(send, 413, "That is more than the page takes at once.")

    def _refusal(self, scope: Message, path: str, headers: dict[str, str]) -> Refusal | None:
        if not self._is_known(headers.get("host", "")):
            return 421, "The demo is not known by that name."
        if not _OPEN.fullmatch(path) or ".." in path.split("/"):
            return 404, "There is no such thing here."
        if scope["method"] not in {"GET", "HEAD", "POST", "OPTIONS"}:
            return 405, "That cannot be done here."
        if scope["method"] != "POST":
            return None
        if not _is_own(headers.get("origin", ""), headers.get("host", "")):
            return 403, "Another site's page cannot ask in a visitor's name."
        limit = _most_bytes(path)
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > limit:
            return 413, "That is more than the page takes at once."
        if path == _UPLOAD and self._stored.add(int(length)) > _MAX_STORED_BYTES:
            return 507, "There is no room for more pictures; please come back later.", 300
        return self._busy(scope, headers) if _WORK.fullmatch(path) else None

    def _busy(self, scope: Message, headers: dict[str, str]) -> Refusal | None:
        if self._work.is_closing:
            return 503, "The demo is closing; please come back in a minute.", 60
        address = (scope.get("client") or ("",))[0]
        client = name_client(address, headers.get("x-forwarded-for", ""), self._settings.proxies)
        wait_s = self._rate.wait_s(client)
        if wait_s:
            return 429, "That was a lot at once; please wait a moment.", int(wait_s) + 1
        return None

    def _is_known(self, host: str) -> bool:
        names = self._settings.host_names
        name = host.lower().rpartition(":")[0] if re.search(r":\d+$", host) else host.lower()
        return not names or name in names

    async def _refuse(self, send: Send, status: int, sentence: str, retry_s: int = 0) -> None:
        self._metrics.refused.labels(status=str(status)).inc()
        headers = [(b"content-type", b"application/json"), *_HEADERS]
        if retry_s:
            headers.append((b"retry-after", str(retry_s).encode()))
        body = json.dumps({"detail": sentence, "error": sentence}).encode()  # Gradio shows either
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def _is_own(origin: str, host: str) -> bool:
    """Tell whether a request was sent by a page of this very server, or by no page at all."""
    return not origin or urlsplit(origin).netloc.lower() == host.lower()


def _most_bytes(path: str) -> int:
    limits = {_UPLOAD: _MAX_UPLOAD_BYTES, PATH: MAX_BYTES, tools.PATH: tools.MAX_REQUEST_BYTES}
    return limits.get(path, _MAX_JSON_BYTES)


class _Stored:
    """How many bytes the uploads take; counted now and then, as there can be very many files."""

    def __init__(self) -> None:
        self._bytes, self._counted_at = 0, -math.inf

    def add(self, announced: int) -> int:
        """Give what is there, without an upload that is about to come, but with those before."""
        if time.monotonic() - self._counted_at > _COUNTED_EVERY_S:
            self._bytes, self._counted_at = 0, time.monotonic()
            for path in Path(get_upload_folder()).glob("*/*"):
                with suppress(OSError):  # deleted by now
                    self._bytes += path.stat().st_size
        self._bytes += announced
        return self._bytes - announced


def _counting(receive: Receive, limit: int) -> Receive:
    size = 0

    async def counted() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > limit:
            raise TooLarge
        return message

    return counted
