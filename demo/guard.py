"""ASGI in front of Gradio: what may be asked, by whom, how often and how much.

Pure ASGI, because Starlette's BaseHTTPMiddleware would hold back Gradio's stream of events.
"""

import math
import re
import time
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from gradio.utils import get_upload_folder
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.responses import Response

from demo import tools
from demo.metrics import Metrics
from demo.place import find_place
from demo.programs import MAX_BYTES, PATH
from demo.refusal import Refused, render_refusal
from demo.settings import Settings
from demo.visitor import RateLimit
from demo.work import Work

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
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
    r"|/(zh|config|theme\.css|favicon\.ico|manifest\.json|robots\.txt|healthz|readyz|metrics|classify|mcp)?"
    r"|/(assets|static|svelte)/.*"
    r"|/gradio_api/(startup-events|info|openapi\.json|theme\.css|upload|upload_progress|cancel"
    r"|reset|heartbeat/[\w-]+|queue/(join|data|status)|run/predict|call/[\w/]+|file=(?!https?:|//).+)"
)
_POSTED: Final = re.compile(r"/gradio_api/(upload|cancel|reset|queue/join|run/predict)")
_CALLED: Final = re.compile(r"/mcp|/gradio_api/call/[\w/]+")  # both asked, and asked after
_STREAM: Final = re.compile(r"/gradio_api/(heartbeat/.*|queue/data|upload_progress|call/.*)|/mcp")
_POLICY: Final = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; media-src 'self' blob:; "
    "font-src 'self' data:; connect-src 'self' data: blob:; worker-src 'self' blob:; "
    "object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'self'"
)
_HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(self), microphone=(), geolocation=()"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_TOO_MUCH: Final = "That is more than the page takes at once."


class TooLarge(MultiPartException):
    """Raised inside the guard when a body outgrows its limit while it is being read."""


class Gone(MultiPartException):
    """Raised inside the guard when a client leaves before its whole body is there.

    An error of forms, because Gradio's reader of forms then deletes what has arrived.
    """


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
        policy = " ".join((_POLICY, *settings.frames)).encode()
        self._headers = ((b"content-security-policy", policy), *_HEADERS)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer or hand on one request."""
        if scope["type"] == "lifespan":
            return await self._app(scope, receive, send)
        if scope["type"] != "http":
            return None  # the page opens no web socket
        has_begun = False

        async def answer(message: Message) -> None:
            nonlocal has_begun
            if message["type"] == "http.response.start":
                has_begun = True
                message["headers"] = [*message.get("headers", []), *self._headers]
            await send(message)

        try:
            await self._hand_on(scope, receive, answer)
        except Gone:
            pass  # nobody is there to hear of it
        except Refused as refused:
            said = render_refusal(refused, scope, self._metrics)
            if has_begun:
                return await send({"type": "http.response.body", "body": b""})
            await said(scope, receive, answer)

    async def _hand_on(self, scope: Message, receive: Receive, answer: Send) -> None:
        headers = _read_headers(scope)
        place = find_place(scope, headers, self._settings)
        path = _LANGUAGE_PREFIX.sub("", place.route, count=1)
        if not _OPEN.fullmatch(path) or ".." in path.split("/"):
            raise Refused(404, "There is no such thing here.")
        method, methods = scope["method"], _methods(path)
        allowed = {"allow": ", ".join(methods)}
        if method not in methods:
            said = f"That cannot be done here; there are {allowed['allow']}."
            raise Refused(405, said, headers=allowed)
        if method == "OPTIONS" or (method == "HEAD" and path == PATH):
            status = 204 if method == "OPTIONS" else 200
            return await Response(None, status, allowed)(scope, receive, answer)
        if method == "POST":
            self._check_post(path, place.client, headers)
        behind = place.rewrite(scope)
        if method == "HEAD":
            behind["method"] = "GET"  # the server leaves the body out
        await _Body(receive, _most_bytes(path)).hand_on(self._app, behind, answer)

    def _check_post(self, path: str, client: str, headers: dict[str, str]) -> None:
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > _most_bytes(path):
            raise Refused(413, _TOO_MUCH)
        if path == _UPLOAD and self._stored.add(int(length)) > _MAX_STORED_BYTES:
            said = "There is no room for more pictures; please come back later."
            raise Refused(507, said, headers={"retry-after": "300"})
        if not _WORK.fullmatch(path):
            return
        if self._work.is_closing:
            said = "The demo is closing; please come back in a minute."
            raise Refused(503, said, headers={"retry-after": "60"})
        wait_s = self._rate.wait_s(client)
        if wait_s:
            said = "That was a lot at once; please wait a moment."
            reason = f"{client} asked more than {self._settings.rate} times a minute"
            raise Refused(429, said, reason, headers={"retry-after": str(int(wait_s) + 1)})


def _read_headers(scope: Message) -> dict[str, str]:
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def _methods(path: str) -> tuple[str, ...]:
    if _POSTED.fullmatch(path):
        return "POST", "OPTIONS"
    if path == PATH:
        return "POST", "HEAD", "OPTIONS"
    asked = ("GET",) if _STREAM.fullmatch(path) else ("GET", "HEAD")
    return (*asked, "POST", "OPTIONS") if _CALLED.fullmatch(path) else (*asked, "OPTIONS")


def _most_bytes(path: str) -> int:
    limits = {_UPLOAD: _MAX_UPLOAD_BYTES, PATH: MAX_BYTES, tools.PATH: tools.MAX_REQUEST_BYTES}
    return limits.get(path, _MAX_JSON_BYTES)


def _as_refusal(error: Exception) -> Exception:
    """Gradio refuses sessions that it does not know inside a stream that has begun."""
    cause = error.__cause__
    return Refused(cause.status_code, cause.detail) if isinstance(cause, HTTPException) else error


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


class _Body:
    """What a client sends, read by the application behind up to a limit."""

    def __init__(self, receive: Receive, limit: int) -> None:
        self._receive, self._limit = receive, limit
        self._size, self._is_whole = 0, False
        self._failure: Gone | TooLarge | None = None

    async def hand_on(self, app: App, scope: Message, answer: Send) -> None:
        """Let an application answer; if the body fails, what it makes of that is not sent.

        Raises:
            Gone: If the client left before its whole body was there.
            Refused: If the body outgrew the limit.
        """

        async def answer_if_well(message: Message) -> None:
            if self._failure is None:
                await answer(message)

        try:
            await app(scope, self._receive_some, answer_if_well)
        except Exception as error:
            if self._failure is None:
                raise _as_refusal(error) from error
        if isinstance(self._failure, TooLarge):
            raise Refused(413, _TOO_MUCH)
        if self._failure is not None:
            raise self._failure

    async def _receive_some(self) -> Message:
        message = await self._receive()
        self._size += len(message.get("body", b""))
        if self._size > self._limit:
            self._failure = TooLarge(_TOO_MUCH)
        elif message["type"] == "http.disconnect" and not self._is_whole:
            self._failure = Gone("the client went away")
        if self._failure is not None:
            raise self._failure
        self._is_whole = not message.get("more_body", False)
        return message
