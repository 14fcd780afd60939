import asyncio
import subprocess
import sys

import pytest

from demo.page_parts import EXAMPLES
from demo.service import Service
from demo.settings import Settings
from demo.text import Text
from demo.ui import build_page
from tests.processes import HANG_S


@pytest.fixture(scope="module")
def config(cards):
    return page_config(Settings(cards=cards, unsure_below=0.65))


def page_config(settings, language="en"):
    async def build():  # outside of a running loop gradio makes loops that it never closes
        return build_page(Service(settings), settings, Text(language))

    return asyncio.run(build()).get_config_file()


def props(config, name):
    return next(c["props"] for c in config["components"] if c["props"].get("elem_id") == name)


def test_the_models_on_offer_can_be_chosen_and_others_typed(config):
    left, right = props(config, "left-model"), props(config, "right-model")
    assert [value for _, value in left["choices"]] == ["markup", "mobilenet-tiny", "resnet-tiny"]
    assert (left["value"], right["value"]) == ("markup", "resnet-tiny")
    assert left["allow_custom_value"]


def test_the_threshold_is_on_the_page(config):
    assert "below 65%" in props(config, "notes")["value"]


def test_a_page_without_models_says_so(tmp_path):
    config = page_config(Settings(cards=tmp_path))
    assert Text("en")("no_models") in props(config, "no-models")["value"]
    assert props(config, "left-model").get("value") is None


def test_only_the_named_endpoints_can_be_called_around_the_page(config):
    visible = {d["api_visibility"] for d in config["dependencies"] if d["backend_fn"]}
    assert visible == {"private", "public"}
    named = {d["api_name"] for d in config["dependencies"] if d["api_visibility"] == "public"}
    assert named == {"classify", "compare", "models"}


def test_the_examples_are_there_with_their_licence():
    names = {path.name for path in EXAMPLES.glob("*.jpg")}
    notice = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    assert names == {"cat.jpg", "cat-drawing.jpg", "dog-drawing.jpg"}
    assert all(name in notice for name in names)
    assert "CC0" in notice


def test_the_page_is_laid_out_before_pytorch_is_imported():
    done = subprocess.run(
        [sys.executable, "-c", "import sys, demo.server; sys.exit('torch' in sys.modules)"],
        timeout=HANG_S,
    )
    assert done.returncode == 0
