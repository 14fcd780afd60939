"""The tools, asked by the protocol's own client of a server in this process."""

import asyncio
import base64
import threading
import time

import httpx
import pytest
import uvicorn
from fastapi.testclient import TestClient

from demo.server import build_app
from demo.service import Service
from demo.settings import Settings
from demo.tools import decode
from hub_models import ConfigError

pytest.importorskip("mcp")


async def build(settings):  # in a running loop: else gradio makes loops that it never closes
    return build_app(Service(settings), settings)


@pytest.fixture(scope="module")
def url(cards):
    app = asyncio.run(build(Settings(cards=cards, rate=0, mcp=True)))
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}/mcp"
    server.should_exit = True
    thread.join()


def call(url, tool, **arguments):
    from mcp import Client

    async def asked():
        async with Client(url) as client:
            return await client.call_tool(tool, arguments)

    return asyncio.run(asked())


def test_a_language_model_finds_the_tools_and_the_models(url):
    from mcp import Client

    async def asked():
        async with Client(url) as client:
            return (await client.list_tools()).tools

    assert {tool.name for tool in asyncio.run(asked())} == {"models", "classify", "compare"}
    assert call(url, "models").structured_content["result"][-1] == "resnet-tiny"


def test_a_picture_is_its_bytes_with_or_without_a_data_address(url, cat):
    picture = base64.b64encode(cat.read_bytes()).decode()
    for text in (picture, f"data:image/jpeg;base64,{picture}"):
        said = call(url, "classify", picture=text, model="mobilenet-tiny").structured_content
        assert said["answers"][0]["predictions"][0]["label"] == "cat"
    two = {"first_model": "mobilenet-tiny", "second_model": "resnet-tiny"}
    said = call(url, "compare", picture=picture, **two).structured_content
    assert said["verdict"].startswith("The models disagree: mobilenet-tiny says cat")


@pytest.mark.parametrize(
    ("picture", "sentence"),
    [
        ("/etc/passwd", "picture must be the base64 of a picture's file"),
        ("http://127.0.0.1/a.jpg", "picture must be the base64 of a picture's file"),
        (base64.b64encode(b"just some text").decode(), "not a picture of a known kind"),
    ],
)
def test_paths_addresses_and_other_files_are_one_sentence(url, picture, sentence):
    answer = call(url, "classify", picture=picture, model="resnet-tiny")
    assert answer.is_error
    assert sentence in answer.content[0].text


def test_it_stands_behind_the_guard(url):
    request = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    stranger = {"origin": "https://example.org"}
    assert httpx.post(url, json=request, headers=stranger).status_code == 403
    assert httpx.post(url, json=request, headers={"host": "example.org"}).status_code == 421


def test_without_the_setting_there_is_none(cards):
    with TestClient(
        asyncio.run(build(Settings(cards=cards))), base_url="http://localhost"
    ) as client:
        assert client.post("/mcp", json={}).status_code in {404, 405}


@pytest.mark.parametrize("text", ["not base64!", "é", "abc"])
def test_what_is_no_base64_is_an_error(text):
    with pytest.raises(ConfigError, match="base64"):
        decode(text)
