import statistics
import threading
from contextlib import ExitStack
from dataclasses import replace

import numpy as np
import pytest
import torch

from demo.engine import TIMED_PASSES, digest_weights, open_engine
from demo.lanes import SIDE_BY_SIDE, shared_lanes
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
    assert 1 <= reading.passes <= TIMED_PASSES
    assert reading.threads == torch.get_num_threads()
    assert reading.runtime == "PyTorch"


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


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HUB_MODELS_CACHE", str(tmp_path_factory.mktemp("exports")))
        yield


def test_onnx_takes_over_with_the_same_answer_and_the_same_maps(folder, cat, cache):
    engine = open_engine(str(folder))
    image, identity = load_image(cat), engine.identity
    before = engine.read(image, decode_ms=1.0)
    engine.use_onnx()
    after = engine.read(image, decode_ms=1.0)
    assert (before.runtime, after.runtime) == ("PyTorch", "ONNX Runtime")
    assert engine.identity != identity  # what PyTorch's time was is not remembered for it
    assert [p.label for p in after.predictions] == [p.label for p in before.predictions]
    assert [p.probability for p in after.predictions] == pytest.approx(
        [p.probability for p in before.predictions], abs=1e-4
    )
    assert np.allclose(after.maps, before.maps, atol=1e-4 * np.abs(before.maps).max())


def test_pictures_are_read_while_onnx_takes_over(folder, cat, cache):
    engine, image, readings = open_engine(str(folder)), load_image(cat), []
    taking_over = threading.Thread(target=engine.use_onnx)
    taking_over.start()
    while taking_over.is_alive():
        readings.append(engine.read(image, decode_ms=0.0))
    readings.append(engine.read(image, decode_ms=0.0))
    assert readings[-1].runtime == "ONNX Runtime"
    for reading in readings:
        assert reading.predictions[0].probability == pytest.approx(
            readings[0].predictions[0].probability, abs=1e-4
        )


def test_nothing_is_computed_twice_to_be_timed(folder, cat, monkeypatch):
    engine, image, passes = open_engine(str(folder)), load_image(cat), []
    network = engine._runner.network
    counting = replace(
        engine._runner, network=lambda batch: (passes.append(len(batch)), network(batch))[1]
    )
    monkeypatch.setattr(engine, "_runner", counting)
    first, second = (engine.read(image, decode_ms=0.0) for _ in range(2))
    assert passes == [1, 1]
    assert first.passes == second.passes == TIMED_PASSES


def test_a_crowds_passes_do_not_count_as_times(folder, cat):
    engine, image = open_engine(str(folder)), load_image(cat)
    before = list(engine._runner.times_ms)
    with ExitStack() as crowd:
        for _ in range(SIDE_BY_SIDE):
            crowd.enter_context(shared_lanes().reading())
        busy = engine.read(image, decode_ms=0.0)
    assert busy.passes == 0
    assert busy.forward_ms == statistics.median(before)
    assert list(engine._runner.times_ms) == before
    quiet = engine.read(image, decode_ms=0.0)
    assert quiet.passes > 0
    assert list(engine._runner.times_ms) != before
    assert busy.predictions == quiet.predictions
