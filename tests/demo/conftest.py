"""Tiny models in a folder of cards, as the demo finds them."""

import os
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from demo.outcome import Answer, Facts, Reading
from hub_models import ImageClassifier, Prediction, PreprocessConfig
from hub_models.comparison import render_comparison
from tests.comparisons import compared, measurement, model
from tests.hub_server import HubServer

RESULTS = {
    "test": {"accuracy": 0.9853, "images": 2326, "accuracy_low": 0.97, "accuracy_high": 0.99}
}
MARKUP_LABELS = ("<img src=x onerror=alert(1)>", "${7*7}{{value}}", *"cdefg")
FACTS = Facts("resnet", "resnet18", 224, ("cat", "dog"), {"start": "ImageNet"}, {})
COMPARISON = compared(
    model("accurate-one", 990, measurement(40)), model("faster-one", 900, measurement(5))
)
MAP = ((0.0, 1.0), (2.0, 3.0))


def reading(label: str = "cat", probability: float = 0.9, **changes: object) -> Reading:
    """What a model of two classes made of a picture."""
    other = "dog" if label == "cat" else "cat"
    predictions = (Prediction(label, probability), Prediction(other, 1 - probability))
    made = Reading(
        predictions, (MAP, MAP), None, 1.2, 3.4, 12.345, passes=5, threads=2, runtime="PyTorch"
    )
    return replace(made, **changes)


def answer(source: str = "resnet", label: str = "cat", probability: float = 0.9) -> Answer:
    return Answer(replace(FACTS, source=source), reading(label, probability))


def save_tiny(
    folder: Path,
    architecture: str = "mobilenetv2_025",
    labels: Sequence[str] = ("cat", "dog"),
    bias: Sequence[float] | None = None,
) -> None:
    """Save a model that sees 32 px; with a bias it says the same whatever the picture."""
    sizes = PreprocessConfig(resize=36, crop=32)
    model = ImageClassifier.create(architecture, list(labels), preprocess=sizes)
    if bias is not None:
        torch.nn.init.zeros_(model.head.weight)
        model.head.bias.data = torch.tensor(bias)
    origin = {"start": "random numbers, for a test"}
    model.config = replace(model.config, origin=origin, results=RESULTS)
    model.save_pretrained(folder)


@pytest.fixture(autouse=True, scope="package")
def no_exports() -> Iterator[None]:
    """No exports in the background of tests: there is nowhere to keep them, so PyTorch answers."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HUB_MODELS_CACHE", os.devnull)
        yield


@pytest.fixture(scope="session")
def cards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cards")
    save_tiny(folder / "mobilenet-tiny", bias=(3.0, 0.0))  # 95.3 % cat
    save_tiny(folder / "resnet-tiny", "resnet18", bias=(0.0, 0.5))  # 62.2 % dog: unsure
    save_tiny(folder / "markup", labels=MARKUP_LABELS, bias=(9.0, 8.0, *[0.0] * 5))
    (folder / "comparison.json").write_text(render_comparison(COMPARISON))
    return folder


@pytest.fixture(scope="session")
def cat(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real photograph."""
    from PIL import Image
    from skimage import data

    path = tmp_path_factory.mktemp("pictures") / "chelsea.jpg"
    Image.fromarray(data.chelsea()).save(path)
    return path


@pytest.fixture
def silent_hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """A hub that takes connections and never answers."""
    from huggingface_hub import constants

    with closing(socket.create_server(("127.0.0.1", 0), backlog=64)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "ENDPOINT", address)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        yield


@pytest.fixture
def slow_hub(hub_server: HubServer) -> Iterator[threading.Event]:
    """A hub that has no models, and says so when the event is set."""
    may_answer = threading.Event()
    hub_server.fault("GET /api/models", "callback", callback=may_answer.wait, times=-1)
    yield may_answer
    may_answer.set()


@pytest.fixture
def no_hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No hub at all: the client fails at once."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def chromium() -> Iterator[object]:
    """The browser, for the tests that have one."""
    from tests.demo.browser import CHROMIUM, FLAGS, HANG_S, sync_api

    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=FLAGS, timeout=HANG_S * 1000
        )
        yield browser
        browser.close()
