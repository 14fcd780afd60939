import asyncio
from types import SimpleNamespace

import pytest

from demo import guard, visitor
from demo.guard import Guard
from demo.metrics import Metrics
from demo.settings import Settings
from demo.work import Work

HOME = {"host": "localhost:7860"}
JOIN = "/gradio_api/queue/join"


async def reader(scope, receive, send):
    """An application that reads the whole body and says how long it was."""
    size, more = 0, True
    while more:
        message = await receive()
        size += len(message.get("body", b""))
        more = message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(size).encode()})


class Asker:
    """Sends one request after the other through a guard."""

    def __init__(self, settings=None, app=reader):
        self.work, self.metrics = Work(), Metrics()
        self._guard = Guard(app, settings or Settings(), self.work, self.metrics)

    def __call__(self, path, method="GET", headers=HOME, chunks=(b"",), client="1.2.3.4"):
        asked = [
            {"type": "http.request", "body": chunk, "more_body": index + 1 < len(chunks)}
            for index, chunk in enumerate(chunks)
        ]
        sent = []

        async def receive():
            return asked.pop(0)

        async def send(message):
            sent.append(message)

        scope = {
            "type": "http",
            "path": path,
            "method": method,
            "headers": [(k.encode(), v.encode("utf-8")) for k, v in headers.items()],
            "client": (client, 1),
        }
        asyncio.run(self._guard(scope, receive, send))
        self.headers = {k.decode(): v.decode() for k, v in sent[0]["headers"]}
        return sent[0]["status"]


@pytest.fixture
def ask():
    return Asker()


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/zh/",
        "/config",
        "/zh/config",
        "/healthz",
        "/metrics",
        "/mcp",
        "/assets/index.js",
        "/gradio_api/info",
        "/gradio_api/file=/tmp/uploads/a.jpg",
        "/zh/gradio_api/file=/tmp/uploads/a.jpg",
        "/gradio_api/heartbeat/abc1",
        "/gradio_api/file=/tmp/uploads/a..b.jpg",
    ],
)
def test_what_the_page_needs_is_open(ask, path):
    assert ask(path) == 200


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/file=https://example.org/a.jpg",
        "/gradio_api/file=http://127.0.0.1/a.jpg",
        "/gradio_api/file=//example.org/a.jpg",
        "/gradio_api/proxy=https://example.org/a.jpg",
        "/gradio_api/process_recording",
        "/gradio_api/monitoring",
        "/gradio_api/deep_link",
        "/gradio_api/dev/reload",
        "/gradio_api/vibe-code/",
        "/gradio_api/runs",
        "/monitoring",
        "/docs",
        "/login",
        "/assets/../config",
        "/zh/zh/config",
        "/etc/passwd",
    ],
)
def test_everything_else_is_closed(ask, path):
    assert ask(path) == 404


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:7860", "", "localhost.evil.example"]
)
def test_a_name_that_is_not_the_demos_is_refused(ask, host):
    assert ask("/", headers={"host": host}) == 421


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:7860", "127.0.0.1:1", "[::1]:7860"])
def test_the_names_of_this_machine_are_known(ask, host):
    assert ask("/", headers={"host": host}) == 200


def test_behind_a_public_address_any_name_is_taken_unless_some_are_set():
    assert Asker(Settings(host_names=()))("/", headers={"host": "demo.example"}) == 200
    named = Asker(Settings(host_names=("demo.example",)))
    assert named("/", headers={"host": "demo.example"}) == 200
    assert named("/", headers={"host": "127.0.0.1"}) == 421


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost:1"])
def test_another_sites_page_cannot_ask_for_work(ask, origin):
    assert ask(JOIN, "POST", HOME | {"origin": origin}) == 403
    assert ask(JOIN, "POST", HOME | {"origin": "http://localhost:7860"}) == 200


@pytest.mark.parametrize(
    ("path", "limit"),
    [
        (JOIN, "_MAX_JSON_BYTES"),
        ("/gradio_api/upload", "_MAX_UPLOAD_BYTES"),
        ("/classify", "MAX_BYTES"),
        ("/mcp", "tools.MAX_REQUEST_BYTES"),
    ],
)
def test_a_body_over_the_limit_is_refused_announced_or_not(ask, path, limit, monkeypatch):
    monkeypatch.setattr(f"demo.guard.{limit}", 100)
    assert ask(path, "POST", HOME | {"content-length": "101"}) == 413
    assert ask(path, "POST", HOME | {"content-length": "many"}) == 413
    assert ask(path, "POST", chunks=(b"x" * 60, b"x" * 60)) == 413
    assert ask(path, "POST", chunks=(b"x" * 60, b"x" * 40)) == 200


def test_no_upload_is_taken_while_the_disk_holds_too_much(ask, tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    monkeypatch.setattr(guard, "_MAX_STORED_BYTES", 100)
    monkeypatch.setattr(guard, "_COUNTED_EVERY_S", -1.0)
    (tmp_path / "hash").mkdir()
    (tmp_path / "hash" / "a.jpg").write_bytes(bytes(100))
    assert ask("/gradio_api/upload", "POST") == 200
    (tmp_path / "hash" / "b.jpg").write_bytes(b"x")
    assert ask("/gradio_api/upload", "POST") == 507
    assert ask(JOIN, "POST") == 200


def test_uploads_count_before_they_are_on_the_disk(ask, tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    monkeypatch.setattr(guard, "_COUNTED_EVERY_S", 1e9)  # not again in between
    monkeypatch.setattr(guard, "_MAX_STORED_BYTES", 100)
    announced = HOME | {"content-length": "101"}
    assert ask("/gradio_api/upload", "POST", announced) == 200
    assert ask("/gradio_api/upload", "POST", announced) == 507


def test_a_visitor_who_asks_too_much_is_told_when_to_come_back(monkeypatch):
    monkeypatch.setattr(visitor, "time", SimpleNamespace(monotonic=lambda: 100.0))
    ask = Asker(Settings(rate=4))
    assert [ask(JOIN, "POST") for _ in range(3)] == [200, 200, 429]
    assert 1 <= int(ask.headers["retry-after"]) <= 16
    assert ask("/", "GET") == 200  # looking is free
    assert ask("/zh" + JOIN, "POST") == 429
    assert ask(JOIN, "POST", client="5.6.7.8") == 200
    assert b'refused_total{status="429"} 2.0' in ask.metrics.render()


def test_a_closing_demo_takes_no_new_work_and_still_shows_what_is_done(ask):
    ask.work.is_closing = True
    assert ask(JOIN, "POST") == 503
    assert ask("/gradio_api/queue/data") == 200


def test_every_answer_carries_the_security_headers(ask):
    for path in ("/", "/nothing"):
        ask(path)
        assert ask.headers["x-content-type-options"] == "nosniff"
        assert "default-src 'self'" in ask.headers["content-security-policy"]
        assert "object-src 'none'" in ask.headers["content-security-policy"]


@pytest.mark.parametrize("method", ["PUT", "DELETE", "TRACE"])
def test_other_methods_are_refused(ask, method):
    assert ask("/", method) == 405


@pytest.mark.parametrize(
    "name", ["x-forwarded-host", "x-forwarded-prefix", "x-gradio-server", "forwarded"]
)
def test_a_stranger_cannot_say_where_the_page_is(name):
    seen = {}

    async def remember(scope, receive, send):
        seen.update(scope)
        await reader(scope, receive, send)

    ask = Asker(Settings(proxies=("10.0.0.1",)), remember)
    assert ask("/", headers=HOME | {name: "evil.example"}) == 200
    assert b"evil.example" not in b"".join(value for _, value in seen["headers"])
    assert seen["root_path"] == ""


def test_nothing_of_a_stranger_ends_a_line_of_the_log(ask, caplog):
    ask("/a\nINFO all is well", headers=HOME)
    ask(JOIN, "POST", HOME | {"origin": "https://a\u2028b\x1b[2J" + "c" * 10_000})
    ask("/", headers={"host": "evil.example\r\nINFO all is well"})
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 3
    for line in lines:
        assert line.isprintable()
        assert len(line) < 500


def test_visitors_behind_a_proxy_have_a_rate_each(monkeypatch):
    monkeypatch.setattr(visitor, "time", SimpleNamespace(monotonic=lambda: 100.0))
    ask = Asker(Settings(rate=2, proxies=("10.0.0.0/8",)))

    def come(address):
        return ask(JOIN, "POST", HOME | {"x-forwarded-for": address}, client="10.1.2.3")

    assert [come("9.9.9.9"), come("9.9.9.9:1234"), come("8.8.8.8")] == [200, 429, 200]
