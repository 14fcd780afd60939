"""The pages, probes and endpoints, asked over HTTP inside this process."""

import asyncio
import json
import re

import pytest
from fastapi.testclient import TestClient

from demo import programs, server
from demo.server import build_app
from demo.service import Service
from demo.settings import Settings
from demo.text import CATALOGUES
from demo.ui import build_page

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="module")
def service(cards, tmp_path_factory):
    return Service(Settings(cards=cards, rate=0))


@pytest.fixture(scope="module")
def client(service, cards, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(tmp_path_factory.mktemp("uploads")))

        async def build():  # outside of a running loop gradio makes loops that it never closes
            return build_app(service, Settings(cards=cards, rate=0))

        app = asyncio.run(build())
        with TestClient(app, base_url="http://localhost") as client:
            yield client


def upload(client, path):
    with path.open("rb") as file:
        answer = client.post("/gradio_api/upload", files={"files": (path.name, file)})
    assert answer.status_code == 200
    return answer.json()[0]


def call(client, *data, api="classify"):
    begun = client.post(f"/gradio_api/call/{api}", json={"data": list(data)})
    if begun.status_code != 200:
        return begun.status_code, begun.text
    event = begun.json()["event_id"]
    stream = client.get(f"/gradio_api/call/{api}/{event}").text
    kind, text = re.search(r"event: (complete|error)\ndata: (.*)", stream).groups()
    return kind, json.loads(text)


def test_a_visitor_is_sent_to_the_page_in_their_language(client):
    chinese = {"accept-language": "zh-CN,zh;q=0.9"}
    for path, headers, place in (
        ("/", chinese, "./zh/"),
        ("/?lang=zh", {}, "./zh/?lang=zh"),
        ("/?lang=zh-CN", {}, "./zh/?lang=zh-CN"),
        ("/zh/?lang=en", chinese, "../?lang=en"),
        ("/zh", {}, "./zh/"),
        ("/zh?lang=en", {}, "./?lang=en"),
    ):
        answer = client.get(path, headers=headers, follow_redirects=False)
        assert (answer.status_code, answer.headers["location"]) == (307, place)
    for path, headers in (("/", {}), ("/?lang=en", chinese), ("/zh/", {}), ("/zh/?lang=zh", {})):
        assert client.get(path, headers=headers, follow_redirects=False).status_code == 200


def test_each_page_speaks_its_language(client):
    english, chinese = client.get("/config").json(), client.get("/zh/config").json()
    assert english["title"] == "Two models, one picture"
    assert chinese["title"] == CATALOGUES["zh-CN"]["title"]


def test_gradios_own_words_follow_the_page_and_not_the_browser(client):
    for path, language in (("/?lang=en", "en"), ("/zh/?lang=zh", "zh-CN")):
        page = client.get(path, headers={"accept-language": "fr"}).text
        script = page.partition("<head>")[2].partition("</script>")[0]
        assert f"get: () => '{language}'" in script
        assert page.rstrip().endswith("</html>")


def test_the_probes_tell_alive_from_ready(client, service):
    assert client.get("/healthz").text == "alive"
    assert client.get("/readyz").status_code == 503
    for source in service.defaults:
        service.ask(None, source)
    assert client.get("/readyz").status_code == 200


def test_the_metrics_are_prometheus_text(client, service):
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    for name in ("outcomes_total", "refused_total", "forward_seconds_bucket", "models", "running"):
        assert f"hub_models_demo_{name}" in answer.text


def test_a_program_can_classify_an_upload(client, cat):
    kind, data = call(client, {"path": upload(client, cat)}, "mobilenet-tiny")
    assert kind == "complete"
    assert data[0]["predictions"][0]["label"] == "cat"


def test_a_program_can_compare_two_models_on_an_upload(client, cat):
    data = [{"path": upload(client, cat)}, "mobilenet-tiny", "resnet-tiny"]
    kind, said = call(client, *data, api="compare")
    assert kind == "complete"
    assert said[0]["verdict"].startswith("The models disagree: mobilenet-tiny says cat")
    assert said[0]["kind"] == "differ"
    assert [answer["model"] for answer in said[0]["answers"]] == ["mobilenet-tiny", "resnet-tiny"]


def test_a_program_can_send_a_picture_in_one_request(client, cat):
    path = "/classify?model=mobilenet-tiny&model=resnet-tiny"
    said = client.post(path, content=cat.read_bytes()).json()
    assert said["verdict"].startswith("The models disagree: mobilenet-tiny says cat")
    one = client.post("/classify?model=mobilenet-tiny", content=cat.read_bytes()).json()
    assert one["answers"][0]["predictions"] == said["answers"][0]["predictions"]
    both = client.post("/classify", content=cat.read_bytes()).json()  # those of the page
    assert [answer["model"] for answer in both["answers"]] == ["markup", "resnet-tiny"]


@pytest.mark.parametrize(
    ("query", "body", "status", "sentence"),
    [
        ("", b"just some text", 422, "the picture: not a picture of a known kind"),
        ("", b"", 422, "the picture: the file is empty"),
        ("?model=a&model=b&model=c", b"x", 422, "one model or two are needed"),
    ],
)
def test_a_request_that_cannot_be_answered_gets_a_sentence(client, query, body, status, sentence):
    answer = client.post(f"/classify{query}", content=body)
    assert answer.status_code == status
    assert sentence in answer.json()["error"]


def test_a_model_that_cannot_be_used_is_named_beside_the_other_answer(client, cat, no_hub):
    answer = client.post("/classify?model=%00&model=resnet-tiny", content=cat.read_bytes())
    broken, other = answer.json()["answers"]
    assert broken["problem"] == "that is not the name of a model"
    assert other["predictions"][0]["label"] == "dog"


def test_gradios_own_root_is_the_guards_business(service, cards, tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    monkeypatch.setenv("GRADIO_ROOT_PATH", "/elsewhere")

    async def build():
        return build_app(service, Settings(cards=cards, rate=0, root_path="/tool"))

    with TestClient(asyncio.run(build()), base_url="http://localhost") as asked:
        for path in ("/tool/zh/config", "/zh/config"):  # kept by the proxy, or taken away
            assert asked.get(path).json()["root"] == "http://localhost/tool/zh"


def test_sessions_are_bounded_whoever_asks(service, cards, cat, tmp_path, monkeypatch):
    monkeypatch.setattr(server, "MAX_SESSIONS", 3)
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    pages = []
    monkeypatch.setattr(
        server, "build_page", lambda *args: pages.append(build_page(*args)) or pages[-1]
    )

    async def build():
        return build_app(service, Settings(cards=cards, rate=0))

    with TestClient(asyncio.run(build()), base_url="http://localhost") as asked:
        for _ in range(6):
            assert call(asked, api="models")[0] == "complete"
    english = pages[-1]
    assert len(english.state_holder.session_data) == 3


def test_more_requests_than_can_wait_are_asked_to_come_back(client, cat, monkeypatch):
    monkeypatch.setattr(programs, "MAX_WAITING", 0)
    answer = client.post("/classify", content=cat.read_bytes())
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")


def test_a_path_that_was_not_uploaded_is_refused_whether_it_exists_or_not(client, cat, tmp_path):
    answers = [
        call(client, {"path": str(path)}, "mobilenet-tiny")
        for path in (cat, tmp_path / "missing.jpg", "/etc/passwd", tmp_path)
    ]
    assert all(kind != "complete" for kind, _ in answers)
    assert len({str(answer) for answer in answers}) == 1


def test_a_picture_inside_the_request_is_refused(client):
    data = "data:image/png;base64,iVBORw0KGgo="
    kind, _ = call(client, {"path": None, "url": data}, "mobilenet-tiny")
    assert kind != "complete"


def test_the_queue_cannot_be_gone_around(client, cat):
    body = {"data": [{"path": upload(client, cat)}, "mobilenet-tiny"]}
    assert client.post("/gradio_api/run/classify", json=body).status_code == 404
    assert client.post("/gradio_api/run/predict", json=body | {"fn_index": 0}).status_code >= 400


def test_no_other_server_is_asked_in_the_demos_name(client):
    for path in ("/gradio_api/file=https://example.org/a.jpg", "/gradio_api/proxy=https://a.b/c"):
        assert client.get(path).status_code == 404


def test_a_file_that_was_not_uploaded_is_not_served(client, cat, tmp_path):
    for path in (cat, "/etc/passwd"):
        assert client.get(f"/gradio_api/file={path}").status_code in {403, 404}


def test_a_file_over_the_limit_is_not_kept(client, monkeypatch):
    from demo import guard

    monkeypatch.setattr(guard, "_MAX_UPLOAD_BYTES", 1000)
    answer = client.post("/gradio_api/upload", files={"files": ("a.png", PNG + bytes(2000))})
    assert answer.status_code == 413


def test_a_closing_demo_refuses_new_work(client, service, monkeypatch):
    monkeypatch.setattr(service.work, "is_closing", True)
    assert client.post("/gradio_api/call/classify", json={"data": []}).status_code == 503
    assert client.get("/readyz").text == "closing"
    assert client.get("/healthz").status_code == 200
