"""Pages, health and metrics as one web application, and the server that runs it."""

import logging
import socket
import threading
from types import FrameType
from typing import Any, Final
from urllib.parse import quote

import gradio as gr
import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import PlainTextResponse, RedirectResponse
from starlette.middleware.cors import CORSMiddleware

from demo.guard import MAX_FILE_BYTES, App, Guard
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
# What Gradio's page looks for at the root of the host, or where the server believes to be.
_AT_HOME: Final = (
    (b'href="/manifest.json"', b'href="manifest.json"'),
    (b"const root = ", b"const root = window.gradio_config.root || "),
)
# The browser knows where the page is, below whatever path a proxy has put it; and whether the slash
# at its end is there, which a proxy that takes the path away hides.
_ROOT_SCRIPT: Final = (
    "if (!location.pathname.endsWith('/')) "
    "location.replace(location.pathname + '/' + location.search); "
    "{ let config; Object.defineProperty(window, 'gradio_config', {get: () => config, "
    "set: value => { const here = new URL('.', location).href.slice(0, -1); "
    "config = JSON.parse(JSON.stringify(value).replaceAll(value.root || here, here)); }}); }"
)
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
            root_path="",  # not GRADIO_ROOT_PATH: the guard says where the page is
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


def serve(app: App, settings: Settings, service: Service) -> None:
    """Serve until SIGTERM or Ctrl-C; then finish what runs and refuse what is new.

    Args:
        app: What `build_app` made.
        settings: Host and port.
        service: Whose work is waited for.

    Raises:
        OSError: If the port is taken.
    """
    is_v6 = ":" in settings.host
    try:
        listener = socket.create_server(
            (settings.host, settings.port),
            family=socket.AF_INET6 if is_v6 else socket.AF_INET,
            backlog=256,
            dualstack_ipv6=settings.host == "::" and socket.has_dualstack_ipv6(),
        )
    except OSError as error:
        raise OSError(f"cannot serve on {settings.host}, port {settings.port}: {error}") from error
    host = f"[{settings.host}]" if is_v6 else settings.host
    _log.info("the page is at http://%s:%d", host, settings.port)
    with listener:
        make_server(app, service).run(sockets=[listener])


def make_server(app: App, service: Service) -> uvicorn.Server:
    """Make the server that `serve` runs.

    Args:
        app: What it serves.
        service: Whose work it waits for.

    Returns:
        The server; its method `run` takes sockets.
    """
    config = uvicorn.Config(
        app,
        access_log=False,
        log_level="warning",
        limit_concurrency=200,
        server_header=False,
        proxy_headers=False,  # the guard reads them, from whom the settings name
        ws="none",
        timeout_keep_alive=20,
        timeout_graceful_shutdown=2,
    )
    return _Server(config, service)


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
        path = scope["path"][len(scope.get("root_path", "")) :] if "path" in scope else None
        if scope["type"] != "http" or path not in {"", "/", "/zh", "/zh/"}:
            return await self._app(scope, receive, send)
        request = Request(scope)
        is_chinese = path.startswith("/zh")
        asked = request.query_params.get("lang", "zh" if is_chinese else "")
        language = choose_language(asked, request.headers.get("accept-language", ""))
        if (PATHS[language] != "/") != is_chinese or not path.endswith("/"):
            # Relative where no proxy is known, so that it is right below any path of any proxy.
            up = "../" if path == "/zh/" else "./"
            up = quote(scope["root_path"], safe="/@:+,;=") + "/" if scope.get("root_path") else up
            place = (up + PATHS[language][1:]).rstrip("/") + "/"
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
        page = bytes(body)
        for old, new in ((b"<head>", b"<head>" + script), *_AT_HOME):
            page = page.replace(old, new, 1)
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
        f'<link rel="icon" href="favicon.ico"><script>{_ROOT_SCRIPT}'
        f"Object.defineProperty(navigator, 'language', {{get: () => '{language}'}});"
        f"document.documentElement.lang = '{language}';"
        "new MutationObserver(() => document.querySelectorAll('.gallery-item:not([aria-label])')"
        f".forEach(item => item.setAttribute('aria-label', '{example} ' + "
        "(1 + [...item.parentElement.children].indexOf(item)))))"
        ".observe(document, {childList: true, subtree: true});</script>"
    )
