"""How the rows about the page are tried: over HTTP, of the whole demo in this process."""

import base64
import json
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from typing import Any

import httpx

from hub_models.drawn import draw
from tests.demo.conftest import save_tiny
from tests.demo.served import Log, Served
from tests.nginx import nginx

_FOLDER = tempfile.TemporaryDirectory(prefix="situations-page-")
MODEL = "/classify?model=mobilenet-tiny"
PART = b'--b\r\nContent-Disposition: form-data; name="files"; filename="a.jpg"\r\n\r\n'
FORM = "Content-Type: multipart/form-data; boundary=b"


@cache
def _served() -> Served:
    folder = Path(_FOLDER.name)
    save_tiny(folder / "cards" / "mobilenet-tiny", bias=(3.0, 0.0))
    save_tiny(folder / "cards" / "resnet-tiny", "resnet18", bias=(0.0, 0.5))
    return Served(folder / "cards", folder / "uploads")


@cache
def picture() -> bytes:
    path = Path(_FOLDER.name, "cat.png")
    draw(1).resize((64, 64)).save(path)
    return path.read_bytes()


@contextmanager
def connect(**settings: str) -> Iterator[tuple[httpx.Client, Log]]:
    served = _served()
    served.use(**settings)
    client = httpx.Client(base_url=f"http://127.0.0.1:{served.port}", timeout=None)
    with client, Log() as log:
        yield client, log


def ask(
    folder: Path,
    method: str,
    path: str,
    headers: dict[str, str] | None = None,
    settings: dict[str, str] | None = None,
    **body: Any,
) -> str:
    """Say in one line what comes back, and what the log holds of it."""
    del folder
    with connect(**settings or {}) as (client, log):
        answer = client.request(method, path, headers=headers, **body)
    allow = f" Allow: {answer.headers['allow']}" if "allow" in answer.headers else ""
    said = ""
    if answer.headers.get("content-type") == "application/json" and answer.content:
        found = answer.json()
        first = (found.get("answers") or [{}])[0].get("predictions") or [{"label": ""}]
        said = " " + found.get("error", first[0]["label"])
    lines = f" | {len(log.lines)} log lines: {' '.join(log.lines)}" if log.lines else ""
    return f"{answer.status_code}{allow}{said}{lines}"


def ask_as(headers: dict[str, str], **settings: str) -> Callable[[Path], str]:
    """Ask for work, as a page does that a browser got through some proxy."""
    return partial(
        ask, method="POST", path=MODEL, headers=headers, settings=settings, content=picture()
    )


def program(path: str = MODEL, **body: Any) -> Callable[[Path], str]:
    return partial(ask, method="POST", path=path, **body)


def as_base64() -> str:
    return base64.b64encode(picture()).decode()


def root(folder: Path, headers: dict[str, str], **settings: str) -> str:
    """Say where the page is told to find its files, and whether a stranger's host is in it."""
    del folder
    with connect(**settings) as (client, _):
        page = client.get("/", headers=headers)
    config = page.text.partition("window.gradio_config = ")[2].partition(";</script>")[0]
    stranger = "evil" in page.text
    return f"{page.status_code} {json.loads(config)['root']} {'evil' if stranger else 'clean'}"


def frames(folder: Path, **settings: str) -> str:
    del folder
    with connect(**settings) as (client, _):
        policy = client.get("/healthz").headers["content-security-policy"]
    return policy.rpartition("; ")[2] + ";"


def leave(folder: Path, head: str, body: bytes = b"", read: int = 0) -> str:
    """Send part of a request, or read part of its answer, and go; say what the log holds then."""
    del folder
    served = _served()
    served.use()
    uploads, ended = Path(_FOLDER.name, "uploads"), served.ended
    with Log() as log, socket.create_connection(("127.0.0.1", served.port)) as asked:
        lines = [*head.split("\n"), "Host: localhost", "", ""]
        before = set(uploads.rglob("*"))
        asked.sendall("\r\n".join(lines).encode() + body)
        while read > 0:
            read -= len(asked.recv(min(read, 4096)))
        asked.shutdown(socket.SHUT_RDWR)
        asked.close()
        served.wait_for(ended + 1)
    left = [path for path in set(uploads.rglob("*")) - before if path.is_file()]
    return f"{len(log.lines)} log lines, {len(left)} files left {' '.join(log.lines)}"


def leave_download(folder: Path) -> str:
    with connect() as (client, _):
        big = b"x" * 20_000_000
        path = client.post("/gradio_api/upload", files={"files": ("a.zip", big)}).json()[0]
    return leave(folder, f"GET /gradio_api/file={path} HTTP/1.1", read=4096)


def leave_events(folder: Path) -> str:
    with connect() as (client, _):
        asked = client.post("/gradio_api/call/models", json={"data": []}).json()["event_id"]
    return leave(folder, f"GET /gradio_api/call/models/{asked} HTTP/1.1", read=20)


def behind(folder: Path, location: str, prefix: str, **settings: str) -> str:
    """Visit the page as a browser does, through a real nginx; name what does not come."""
    served = _served()
    with nginx(folder, location.replace("127.0.0.1:7860", f"127.0.0.1:{served.port}")) as port:
        here = f"http://127.0.0.1:{port}"
        served.use(**{name: text.replace("HERE", here) for name, text in settings.items()})
        with (
            httpx.Client(base_url=here, timeout=None, follow_redirects=True) as client,
            Log() as log,
        ):
            seen = [_visit(client, prefix, here, language) for language in ("en", "zh-CN")]
    return f"{' '.join(seen)} {' '.join(log.lines)}"


def _visit(client: httpx.Client, prefix: str, here: str, language: str) -> str:
    page = client.get(f"{prefix}/", headers={"accept-language": language})
    base = str(page.url).rstrip("/")
    sent = {"origin": here, "referer": f"{base}/"}
    found = [client.get(f"{base}/{name}") for name in ("theme.css", "config", "gradio_api/info")]
    file = client.post(
        f"{base}/gradio_api/upload", files={"files": ("a.png", picture())}, headers=sent
    )
    data = {"data": [{"path": file.json()[0]}, "mobilenet-tiny"]}
    call = f"{base}/gradio_api/call/classify"
    event = client.post(call, json=data, headers=sent)
    events = client.get(f"{call}/{event.json()['event_id']}", headers=sent)
    image = client.get(f"{base}/gradio_api/file={file.json()[0]}")
    asked = client.post(f"{prefix}{MODEL}", content=picture(), headers=sent)
    for answer in (page, *found, file, event, events, image, asked):
        if answer.status_code != 200:
            return f"{answer.request.method} {answer.url}: {answer.status_code}"
    said = "cat" if '"label": "cat"' in events.text and '"cat"' in asked.text else events.text
    return f"{base.removeprefix(here)}/ {said}"
