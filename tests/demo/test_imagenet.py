from pathlib import Path

import pytest
import torch
from torchvision import models

from demo.imagenet import IMAGENET_NAMES
from demo.outcome import Answer, Failure
from demo.service import Service
from demo.settings import Settings
from hub_models import ARCHITECTURES, load_image
from tests.demo.test_loader import wait_for

WEIGHTS = models.ResNet18_Weights.DEFAULT


@pytest.fixture
def torch_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    checkpoints = tmp_path / "torch" / "hub" / "checkpoints"
    checkpoints.mkdir(parents=True)
    return checkpoints


@pytest.fixture
def theirs(torch_cache: Path):
    torch.manual_seed(0)
    network = models.resnet18(weights=None).eval()
    torch.save(network.state_dict(), torch_cache / WEIGHTS.url.rpartition("/")[2])
    return network


def asked(cat, source):
    service = Service(Settings())
    service.ask(None, source)
    wait_for(lambda: service.loader.is_settled(source))
    return service.compare(cat, source).outcomes[0]


def test_the_names_are_those_that_torchvision_has_weights_of():
    assert set(IMAGENET_NAMES) == {n for n, known in ARCHITECTURES.items() if known.imagenet}


def test_the_answer_is_torchvisions_own_of_1000_classes(theirs, cat):
    outcome = asked(cat, "imagenet:resnet18")
    assert isinstance(outcome, Answer)
    assert len(outcome.facts.labels) == 1000
    with torch.inference_mode():
        logits = theirs(WEIGHTS.transforms()(load_image(cat)).unsqueeze(0))
    top = logits.softmax(dim=1)[0].topk(3)
    said = outcome.reading.predictions[:3]
    categories = WEIGHTS.meta["categories"]
    assert [p.label for p in said] == [categories[i] for i in top.indices]
    assert [p.probability for p in said] == pytest.approx(top.values.tolist(), rel=1e-4)


def test_weights_that_cannot_be_fetched_are_one_sentence(torch_cache, cat, monkeypatch):
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nobody listens there
    outcome = asked(cat, "imagenet:resnet18")
    assert isinstance(outcome, Failure)
    assert outcome.sentence.startswith("ImageNet weights of resnet18: cannot be fetched")
    assert "\n" not in outcome.sentence


def test_an_architecture_without_weights_is_one_sentence(cat):
    outcome = asked(cat, "imagenet:mobilenetv1_100")
    assert outcome.sentence.startswith("torchvision has no ImageNet weights for mobilenetv1_100")
