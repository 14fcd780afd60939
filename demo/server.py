"""Pages, health and metrics as one web application, and the server that runs it."""

import logging
import socket
import threading
from types import FrameType
from typing import Any, Final

import gradio as gr
import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import PlainTextResponse, RedirectResponse
from starlette.middleware.cors import CORSMiddleware

from demo.guard import MAX_FILE_BYTES, Guard
from demo.page_parts import EXAMPLES
from demo.programs import Programs, add_programs
from demo.service import Service
from demo.settings import Settings
from demo.text import Text, choose_language
from demo.tools import build_tools
from demo.ui import STYLE, build_page, make_theme

PATHS: Final = {"zh-CN": "/zh", "en": "/"}  # the longer first: the shorter takes all that is left
FINISH_S: Final = 30.0
# Of a page, the oldest leave. Gradio makes one for each visitor and for each call of a program,
# copies the page's whole layout into it, and keeps 10,000 unless told otherwise.
MAX_SESSIONS: Final = 200
_log = logging.getLogger(__name__)


def build_app(service: Service, settings: Settings) -> Guard:
    """Put the pages, the probes and the guard together.

    Args:
        service: The models.
        settings: As read at the start.

    Returns:
        An ASGI application.

    Raises:
        ConfigError: If the settings want what is not installed.
    """
    programs = Programs(service, settings)
    tools = build_tools(programs) if settings.mcp else None
    lifespan = tools.router.lifespan_context if tools else None
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan)
    app.add_middleware(CORSMiddleware, allow_origins=[])  # else Gradio echoes any origin
    _add_probes(app, service)
    add_programs(app, programs)
    if tools:
        app.router.routes.extend(tools.routes)
    for language, path in PATHS.items():
        page = build_page(service, settings, Text(language))
        page.state_session_capacity = MAX_SESSIONS
        gr.mount_gradio_app(
            app,
            page,
            path=path,
            theme=make_theme(),
            css_paths=STYLE,
            footer_links=["api"],
            allowed_paths=[str(EXAMPLES)],
            max_file_size=MAX_FILE_BYTES,
            show_error=False,
            run_history=False,
            enable_monitoring=False,
            ssr_mode=False,
            pwa=False,
        )
    return Guard(_Languages(app), settings, service.work, service.metrics)


def serve(app: Guard, settings: Settings, service: Service) -> None:
    """Serve until SIGTERM or Ctrl-C; then finish what runs and refuse what is new.

    Args:
        app: What `build_app` made.
        settings: Host and port.
        service: Whose work is waited for.

    Raises:
        OSError: If the port is taken.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.create_server((settings.host, settings.port), family=family, backlog=256)
    config = uvicorn.Config(
        app,
        access_log=False,
        log_level="warning",
        limit_concurrency=200,
        server_header=False,
        timeout_keep_alive=20,
        timeout_graceful_shutdown=2,
    )
    _log.info("the page is at http://%s:%d", settings.host, settings.port)
    with listener:
        _Server(config, service).run(sockets=[listener])


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self._service = service

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        # Not uvicorn's own: it would raise the signal again when done, and end without tidying up.
        if self._service.work.is_closing:
            self.should_exit = self.force_exit = True
        else:
            threading.Thread(target=self._close, daemon=True).start()

    def _close(self) -> None:
        _log.info("closing: finishing what runs")
        self._service.work.finish(FINISH_S)
        self.should_exit = True


class _Languages:
    """Sends a visitor of "/" to the page in their language, and tells Gradio which it is."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["path"] not in {"/", "/zh", "/zh/"}:
            return await self._app(scope, receive, send)
        request = Request(scope)
        is_chinese = scope["path"] != "/"
        asked = request.query_params.get("lang", "zh" if is_chinese else "")
        language = choose_language(asked, request.headers.get("accept-language", ""))
        if (PATHS[language] != "/") != is_chinese or scope["path"] == "/zh":
            place = PATHS[language].rstrip("/") + "/"
            rest = f"?{request.url.query}" if request.url.query else ""
            answer = RedirectResponse(f"{place}{rest}", headers={"vary": "accept-language"})
            return await answer(scope, receive, send)
        await self._app(scope, receive, _first_of_all(_script(language).encode(), send))


def _first_of_all(script: bytes, send: Any) -> Any:
    """Put a script at the head of a page: Gradio's `head` runs after it has looked around."""
    start: dict[str, Any] = {}
    body = bytearray()

    async def changed(message: Any) -> None:
        if message["type"] == "http.response.start":
            start.update(message)
            return
        if message["type"] != "http.response.body":  # what Starlette tells its test client
            await send(message)
            return
        body.extend(message.get("body", b""))
        if message.get("more_body"):
            return
        page = bytes(body).replace(b"<head>", b"<head>" + script, 1)
        headers = [(n, v) for n, v in start["headers"] if n.lower() != b"content-length"]
        length = (b"content-length", str(len(page)).encode())
        await send({**start, "headers": [*headers, length]})
        await send({"type": "http.response.body", "body": page})

    return changed


def _add_probes(app: FastAPI, service: Service) -> None:
    @app.get("/healthz")
    def healthz() -> Response:
        return PlainTextResponse("alive")

    @app.get("/readyz")
    def readyz() -> Response:
        if service.work.is_closing:
            return PlainTextResponse("closing", 503)
        if not service.is_ready():
            return PlainTextResponse("loading the models", 503)
        return PlainTextResponse("ready")

    @app.get("/metrics")
    def metrics() -> Response:
        return Response(service.metrics.render(), media_type="text/plain; version=0.0.4")


def _script(language: str) -> str:
    """Make Gradio's own words follow the page's language, and name its buttons of examples."""
    example = Text(language)("example")
    return (
        f"<script>Object.defineProperty(navigator, 'language', {{get: () => '{language}'}});"
        f"document.documentElement.lang = '{language}';"
        "new MutationObserver(() => document.querySelectorAll('.gallery-item:not([aria-label])')"
        f".forEach(item => item.setAttribute('aria-label', '{example} ' + "
        "(1 + [...item.parentElement.children].indexOf(item)))))"
        ".observe(document, {childList: true, subtree: true});</script>"
    )
