import numpy as np
import pytest
import torch

from demo.engine import digest_weights, open_engine
from hub_models import ImageClassifier, load_image
from tests.demo.conftest import save_tiny


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    torch.manual_seed(1)
    folder = tmp_path_factory.mktemp("engine") / "three"
    save_tiny(folder, labels=("cat", "dog", "owl"))
    return folder


def test_a_map_adds_up_to_its_classs_logit(folder, cat):
    model = ImageClassifier.from_pretrained(folder)
    reading = open_engine(str(folder)).read(load_image(cat), decode_ms=1.0)
    logits = model(model.pixels(cat).unsqueeze(0))[0].detach()
    assert len(reading.maps) == 3
    for prediction, cells in zip(reading.predictions, reading.maps, strict=True):
        index = model.config.label_names.index(prediction.label)
        logit = np.mean(cells) + model.head.bias[index].item()
        assert logit == pytest.approx(logits[index].item(), abs=1e-5)


def test_a_map_is_grad_cam_up_to_a_factor(folder, cat):
    model = ImageClassifier.from_pretrained(folder)
    reading = open_engine(str(folder)).read(load_image(cat), decode_ms=1.0)
    features = model.feature_map(model.pixels(cat).unsqueeze(0)).detach().requires_grad_()
    logits = model.head(features.mean(dim=(2, 3)))
    logits[0, model.config.label_names.index(reading.predictions[0].label)].backward()
    weights = features.grad.mean(dim=(2, 3), keepdim=True)
    grad_cam = (weights * features).sum(dim=1)[0].detach().numpy()
    assert np.allclose(grad_cam * grad_cam.size, reading.maps[0], atol=1e-5)


def test_a_reading_says_how_its_times_were_taken(folder, cat):
    reading = open_engine(str(folder)).read(load_image(cat), decode_ms=1.5)
    assert reading.decode_ms == 1.5
    assert reading.preprocess_ms > 0
    assert reading.forward_ms > 0
    assert 1 <= reading.passes <= 5
    assert reading.threads == torch.get_num_threads()


def test_the_facts_count_parameters_and_bytes(folder):
    model = ImageClassifier.from_pretrained(folder)
    facts = open_engine(str(folder)).facts("three")
    assert facts.parameters == sum(p.numel() for p in model.parameters())
    assert facts.weight_bytes == pytest.approx(
        (folder / "model.safetensors").stat().st_size, rel=0.05
    )
    assert facts.zoom == 36 / 32
    assert not facts.is_squashed


def test_an_engine_of_other_weights_or_another_config_has_another_identity(folder, tmp_path):
    engine = open_engine(str(folder))
    assert open_engine(str(folder)).identity == engine.identity
    model = ImageClassifier.from_pretrained(folder)
    weights = digest_weights(model)
    model.head.bias.data += 1
    assert digest_weights(model) != weights
    save_tiny(tmp_path, labels=("cat", "dog", "owl"))
    assert open_engine(str(tmp_path)).identity != engine.identity
