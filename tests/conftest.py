"""The environment every test runs in, set before huggingface_hub reads it, and shared models."""

import os
import tempfile

from tests.hub_server import HubServer

LIVE_TOKEN = os.environ.get("HF_TOKEN", "")  # for the one test of the public hub
_home = tempfile.TemporaryDirectory(prefix="hub-models-tests-")
_hub = HubServer()
os.environ |= {
    "HF_ENDPOINT": _hub.endpoint,  # the only hub there is: no test reaches the network
    "HF_HOME": _home.name,
    "HF_TOKEN": "",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_XET": "1",  # else large files go to Xet, unasked; test_publish has one that do
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "NO_PROXY": "127.0.0.1",
    "OMP_NUM_THREADS": "1",  # for tiny models threads cost more than they bring
    "TORCH_HOME": os.path.join(_home.name, "torch"),
}
for _name in ("HF_HUB_CACHE", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
    os.environ.pop(_name, None)

import shutil  # noqa: E402
from collections.abc import Iterator  # noqa: E402
from pathlib import Path  # noqa: E402

import pytest  # noqa: E402
import torch  # noqa: E402

from hub_models import ImageClassifier, PreprocessConfig  # noqa: E402
from hub_models.drawn import draw  # noqa: E402
from tests import pictures  # noqa: E402

TINY = PreprocessConfig(resize=36, crop=32)
LABELS = ("cat", "dog", "owl")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Ask the public hub only if `-m live` says so, whatever tokens lie about."""
    if "live" not in config.option.markexpr:
        for item in items:
            if item.get_closest_marker("live"):
                item.add_marker(pytest.mark.skip(reason="needs -m live and HF_TOKEN"))


def pytest_unconfigure() -> None:
    _hub.stop()
    _home.cleanup()


@pytest.fixture
def hub_server() -> Iterator[HubServer]:
    """A hub with no repositories and an empty log."""
    _hub.reset()
    yield _hub
    assert _hub.leaks() == []  # no token ever reaches another host
    _hub.reset()


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved three-class MobileNetV2 for 32 px; shared, so copy it before changing it."""
    torch.manual_seed(0)
    model = ImageClassifier.create("mobilenetv2_025", LABELS, preprocess=TINY)
    torch.nn.init.normal_(model.head.weight)  # else every class gets about a third
    folder = tmp_path_factory.mktemp("shared") / "tiny"
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def lively_folder(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model after its batch norms have seen pictures: its answers differ by picture.

    A network so deep and so random otherwise gives all pictures the same answer.
    """
    model = ImageClassifier.from_pretrained(tiny_folder)
    enliven(model)
    folder = tmp_path_factory.mktemp("shared") / "lively"
    model.save_pretrained(folder)
    return folder


def enliven(model: ImageClassifier) -> None:
    """Fit a random model's batch norms and head to pictures, and leave it in training mode."""
    model.train()
    batch = torch.stack([model.pixels(draw(seed)) for seed in range(64)])
    with torch.no_grad():
        for norm in (m for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d)):
            norm.momentum = None  # the statistics of the batch itself
            norm.reset_running_stats()
        features = model.feature_map(batch).mean(dim=(2, 3))
        model.head.weight *= 2 / (features @ model.head.weight.T).std(dim=0)[:, None]
        model.head.bias.copy_(-model.head.weight @ features.mean(dim=0))


@pytest.fixture
def folder(tiny_folder: Path, tmp_path: Path) -> Path:
    """A copy of the tiny folder that a test may break."""
    return Path(shutil.copytree(tiny_folder, tmp_path / "tiny"))


@pytest.fixture
def model(tiny_folder: Path) -> ImageClassifier:
    return ImageClassifier.from_pretrained(tiny_folder)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A JPEG of 64 × 48 px."""
    path = tmp_path / "photo.jpg"
    path.write_bytes(pictures.encode(pictures.photo(64, 48), "JPEG"))
    return path
