import copy
import copyreg
import hashlib
import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.reduction import ForkingPickler
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torchvision import models

from hub_models import (
    CheckpointError,
    ConfigError,
    ImageClassifier,
    ImageError,
    Prediction,
    PreprocessConfig,
    load_image,
)
from hub_models.drawn import draw
from tests import pictures
from tests.conftest import LABELS, TINY
from tests.hub_server import HubServer

Change = Callable[[Path], object]


def _batch(count: int = 4, side: int = 32) -> torch.Tensor:
    return torch.randn(count, 3, side, side, generator=torch.Generator().manual_seed(0))


def _train_one_step(model: ImageClassifier) -> None:
    model.train()
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(parameters, lr=0.5)
    targets = torch.arange(4) % len(model.config.label_names)
    nn.functional.cross_entropy(model(_batch()), targets).backward()
    optimizer.step()


def _changed_names(model: ImageClassifier, step: Callable[[ImageClassifier], object]) -> set[str]:
    """Parameters and buffers that `step` changed by so much as a bit."""
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    step(model)
    after = model.state_dict()
    return {name for name, tensor in before.items() if not torch.equal(tensor, after[name])}


# --- create, save, load


@pytest.mark.parametrize("name", ["resnet18", "mobilenetv2_025"])
def test_a_loaded_classifier_gives_the_logits_it_gave_when_saved(name: str, tmp_path: Path) -> None:
    model = ImageClassifier.create(name, LABELS, preprocess=TINY)
    _train_one_step(model)  # running statistics that are not the initial ones
    model.eval().save_pretrained(tmp_path)
    loaded = ImageClassifier.from_pretrained(tmp_path)
    with torch.inference_mode():
        assert torch.equal(loaded(_batch()), model(_batch()))
    assert loaded.config == model.config


def test_a_loaded_classifier_is_in_evaluation_mode_and_reports_every_weight(
    tiny_folder: Path,
) -> None:
    model = ImageClassifier.from_pretrained(tiny_folder)
    assert not model.training
    assert len(model.report.loaded) == len(model.state_dict())
    assert model.report.reinitialised == model.report.missing == ()
    assert model.revision is None


def test_a_created_classifier_is_in_training_mode_with_nothing_frozen() -> None:
    model = ImageClassifier.create("mobilenetv2_025", LABELS)
    assert model.training
    assert all(p.requires_grad for p in model.parameters())


def test_a_new_head_hardly_prefers_any_class(tmp_path: Path) -> None:
    model = ImageClassifier.create("mobilenetv2_025", LABELS, preprocess=TINY)
    (prediction, *_) = model.classify(pictures.photo(40, 40))
    assert prediction.probability == pytest.approx(1 / 3, abs=0.05)


@pytest.mark.parametrize(
    ("stem", "name", "side"),
    [
        ("imagenet", "resnet18", 2),
        ("small", "resnet18", 8),
        ("imagenet", "mobilenetv2_025", 2),
        ("small", "mobilenetv2_025", 4),
    ],
)
def test_the_stem_sets_the_side_of_the_feature_map(stem: str, name: str, side: int) -> None:
    model = ImageClassifier.create(name, LABELS, stem=stem).eval()
    features = model.feature_map(_batch(side=64))
    assert features.shape == (4, model.config.num_features, side, side)


def test_a_small_stem_survives_saving(tmp_path: Path) -> None:
    model = ImageClassifier.create("resnet18", LABELS, preprocess=TINY, stem="small").eval()
    model.save_pretrained(tmp_path)
    loaded = ImageClassifier.from_pretrained(tmp_path)
    with torch.inference_mode():
        assert torch.equal(loaded(_batch()), model(_batch()))


def test_the_head_on_the_mean_of_the_feature_map_is_the_whole_model(model: ImageClassifier) -> None:
    with torch.inference_mode():
        logits = model.head(model.feature_map(_batch()).mean(dim=(2, 3)))
        assert torch.equal(logits, model(_batch()))


WRONG_ARGUMENTS = {
    "unknown architecture": (dict(architecture="vgg16"), "'vgg16' is not known"),
    "no labels": (dict(labels=[]), "at least one class name"),
    "labels are one string": (dict(labels="cat"), "not 'cat'"),
    "a label twice": (dict(labels=["a", "a"]), "'a' stands there twice"),
    "a label that is no text": (dict(labels=["a", 1]), "1 is not a class name"),
    "unknown stem": (dict(stem="huge"), "stem must be one of imagenet, small"),
    "a width without ImageNet weights": (dict(weights="imagenet"), "no ImageNet weights for"),
    "weights that are nowhere": (dict(weights="./gone"), "no such folder"),
}


@pytest.mark.parametrize(("wrong", "message"), WRONG_ARGUMENTS.values(), ids=WRONG_ARGUMENTS)
def test_a_wrong_argument_of_create_is_one_sentence(wrong: dict, message: str) -> None:
    arguments = {"architecture": "mobilenetv2_025", "labels": ["a", "b"]} | wrong
    with pytest.raises((ConfigError, CheckpointError), match=message):
        ImageClassifier.create(**arguments)


def test_the_architecture_must_agree_with_the_rest_of_the_config(folder: Path) -> None:
    path = folder / "config.json"
    text = path.read_text()
    path.write_text(text.replace('"num_features": 1280', '"num_features": 512'))
    with pytest.raises(
        ConfigError, match=r"config\.json: num_features is 512; mobilenetv2_025 has"
    ):
        ImageClassifier.from_pretrained(folder)
    path.write_text(text.replace('"classifier": "classifier"', '"classifier": "fc"'))
    with pytest.raises(ConfigError, match=r"config\.json: classifier is 'fc'; mobilenetv2_025"):
        ImageClassifier.from_pretrained(folder)
    path.write_text(text.replace("mobilenetv2_025", "vgg16"))
    with pytest.raises(ConfigError, match=r"config\.json: architecture 'vgg16' is not known"):
        ImageClassifier.from_pretrained(folder)


def test_the_config_of_another_width_is_an_error_that_names_file_and_weight(folder: Path) -> None:
    path = folder / "config.json"
    path.write_text(path.read_text().replace("mobilenetv2_025", "mobilenetv2_035"))
    with pytest.raises(CheckpointError, match=r"model\.safetensors: weight '.*' has shape"):
        ImageClassifier.from_pretrained(folder)


def test_a_classifier_can_be_copied_and_pickled(model: ImageClassifier) -> None:
    model.freeze("last_stage")
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        twin.train()
        assert [m.training for m in twin.modules()] == [m.training for m in model.train().modules()]
        assert torch.equal(twin.eval()(_batch()), model.eval()(_batch()))


def test_a_shallow_copy_shares_its_weights(model: ImageClassifier) -> None:
    twin = copy.copy(model)
    assert twin is not model
    assert twin.head.weight is model.head.weight
    assert torch.equal(twin(_batch()), model(_batch()))


def test_weights_go_to_another_process_by_value_unless_they_are_shared(
    model: ImageClassifier,
) -> None:
    content = bytes(ForkingPickler.dumps(model))
    assert len(content) > sum(t.nbytes for t in model.state_dict().values())
    assert not model.head.weight.is_shared()  # PyTorch would have moved it to shared memory
    model.share_memory()
    assert model.__reduce_ex__(4)[0] is copyreg.__newobj__  # as any module: PyTorch shares it


# --- classify


def test_one_picture_gives_a_list_and_several_give_one_list_each(
    model: ImageClassifier, photo: Path
) -> None:
    one = model.classify(photo)
    assert sorted(p.label for p in one) == sorted(LABELS)
    assert sum(p.probability for p in one) == pytest.approx(1)
    assert all(isinstance(p, Prediction) for p in one)
    assert model.classify([photo]) == [one]
    assert model.classify([]) == []


def test_every_kind_of_source_gives_the_same_answer(model: ImageClassifier, photo: Path) -> None:
    sources = [photo, str(photo), photo.read_bytes(), load_image(photo)]
    answers = [model.classify(source) for source in sources]
    assert answers == [answers[0]] * 4
    together = model.classify(sources)
    for row in together:
        assert [p.label for p in row] == [p.label for p in answers[0]]
        assert row[0].probability == pytest.approx(answers[0][0].probability, abs=1e-5)


def test_more_pictures_than_a_batch_are_answered_in_their_order(model: ImageClassifier) -> None:
    images = [pictures.flat("RGB", (6 * i, 0, 255 - 6 * i), (36, 36)) for i in range(40)]
    together = model.classify(images, top=1)
    for image, row in zip(images, together, strict=True):
        alone = model.classify(image, top=1)
        assert row[0].label == alone[0].label
        assert row[0].probability == pytest.approx(alone[0].probability, abs=1e-5)


def test_top_cuts_every_list(model: ImageClassifier, photo: Path) -> None:
    assert model.classify(photo, top=2) == model.classify(photo)[:2]
    assert [len(row) for row in model.classify([photo, photo], top=1)] == [1, 1]


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "CMYK", "1", "I;16"])
def test_a_pil_image_in_any_mode_is_classified(mode: str, model: ImageClassifier) -> None:
    assert len(model.classify(Image.new(mode, (40, 50)))) == 3


@pytest.mark.parametrize("training", [True, False])
def test_classify_leaves_the_mode_and_every_weight_as_they_were(
    training: bool, model: ImageClassifier, photo: Path
) -> None:
    model.train(training)
    assert _changed_names(model, lambda m: m.classify(photo)) == set()
    assert all(module.training == training for module in model.modules())


def test_classify_restores_training_mode_after_a_bad_picture_too(model: ImageClassifier) -> None:
    model.train()
    with pytest.raises(ImageError):
        model.classify(b"no picture")
    assert model.training


def test_classify_answers_the_same_in_training_mode_dropout_off(
    model: ImageClassifier, photo: Path
) -> None:
    expected = model.classify(photo)
    assert model.train().classify(photo) == expected


def test_a_bad_picture_among_good_ones_is_named(
    model: ImageClassifier, photo: Path, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.png"
    bad.write_text("not a picture")
    with pytest.raises(ImageError, match=r"^bad\.png: not a picture"):
        model.classify([photo, bad])


def test_threads_that_ask_a_model_in_training_get_its_evaluated_answers(
    model: ImageClassifier,
) -> None:
    images = [draw(seed) for seed in range(4)]
    expected = [model.classify(image) for image in images]
    model.train()
    model.head.weight.requires_grad_(False)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with ThreadPoolExecutor(4) as callers:
        answers = list(callers.map(model.classify, images * 8))
    assert answers == expected * 8
    assert all(module.training for module in model.modules())
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert {n for n, p in model.named_parameters() if not p.requires_grad} == {"head.weight"}
    assert all(parameter.grad is None for parameter in model.parameters())


def test_a_step_of_the_optimizer_shows_in_the_next_answer(
    model: ImageClassifier, photo: Path
) -> None:
    model.train()
    before = model.classify(photo)
    model(model.pixels(photo).expand(4, -1, -1, -1)).square().sum().backward()
    torch.optim.SGD(model.parameters(), lr=0.1).step()
    after = model.classify(photo)
    assert after != before
    assert after == model.eval().classify(photo)


def test_pixels_are_those_the_model_sees(model: ImageClassifier, photo: Path) -> None:
    pixels = model.pixels(photo)
    assert (pixels.shape, pixels.dtype) == ((3, 32, 32), torch.float32)
    with torch.inference_mode():
        probabilities = model(pixels[None]).softmax(dim=1)[0]
    best = model.classify(photo)[0]
    assert probabilities.max().item() == pytest.approx(best.probability, abs=1e-6)
    assert LABELS[int(probabilities.argmax())] == best.label


def test_damaged_weights_are_an_error_and_not_an_answer(
    model: ImageClassifier, photo: Path
) -> None:
    with torch.no_grad():
        model.head.bias[1] = float("nan")
    with pytest.raises(CheckpointError, match="its weights are damaged"):
        model.classify(photo)


# --- freeze


def _is_frozen(name: str, mode: str, last_stage: str) -> bool:
    if mode == "none" or name.startswith("head."):
        return False
    child = name.split(".")[1]
    return mode == "head" or (child < last_stage if child[0].isalpha() else int(child) < 14)


@pytest.mark.parametrize("mode", ["head", "last_stage", "none"])
@pytest.mark.parametrize("name", ["resnet18", "mobilenetv2_025"])
def test_training_changes_nothing_frozen_and_everything_else(name: str, mode: str) -> None:
    model = ImageClassifier.create(name, LABELS, preprocess=TINY)
    model.dropout.p = 0.0
    model.freeze(mode)
    changed = _changed_names(model, _train_one_step)
    frozen = {n for n in model.state_dict() if _is_frozen(n, mode, "layer4")}
    assert changed & frozen == set()
    assert changed | frozen == set(model.state_dict())


def test_requires_grad_alone_would_let_the_running_statistics_drift() -> None:
    """Why `freeze` does more: this is the naive way, and what it changes."""
    model = ImageClassifier.create("mobilenetv2_025", LABELS, preprocess=TINY)
    model.backbone.requires_grad_(False)
    changed = _changed_names(model, _train_one_step) - {"head.weight", "head.bias"}
    assert len(changed) == 3 * 52
    assert {name.rpartition(".")[2] for name in changed} == {
        "running_mean",
        "running_var",
        "num_batches_tracked",
    }


@pytest.mark.parametrize("mode", ["last_stage", "none"])
def test_batch_norm_keeps_its_statistics_while_its_weights_train(mode: str) -> None:
    model = ImageClassifier.create("resnet18", LABELS, preprocess=TINY)
    model.freeze(mode, batch_norm=True)
    changed = _changed_names(model, _train_one_step)
    assert not any("running_" in name or "num_batches" in name for name in changed)
    assert "backbone.layer4.1.bn2.weight" in changed
    assert "backbone.layer4.1.bn2.bias" in changed
    assert ("backbone.bn1.weight" in changed) == (mode == "none")


def test_frozen_parts_stay_in_evaluation_mode_through_train_and_classify(
    model: ImageClassifier, photo: Path
) -> None:
    model.freeze("head")
    model.train()
    model.classify(photo)
    assert model.training
    assert model.head.training
    for part in model.backbone:
        assert not any(module.training for module in part.modules())


def test_the_last_freeze_counts(model: ImageClassifier) -> None:
    model.train()
    model.freeze("head", batch_norm=True)
    model.freeze("none")
    assert all(p.requires_grad for p in model.parameters())
    assert all(module.training for module in model.modules())


def test_freezing_keeps_evaluation_mode(model: ImageClassifier) -> None:
    model.freeze("last_stage")
    assert not any(module.training for module in model.modules())


def test_an_unknown_freeze_mode_is_refused(model: ImageClassifier) -> None:
    with pytest.raises(ConfigError, match="one of head, last_stage, none, not 'all'"):
        model.freeze("all")


def test_training_a_loaded_classifier_leaves_its_file_alone(folder: Path) -> None:
    path = folder / "model.safetensors"
    before = hashlib.sha256(path.read_bytes()).hexdigest()
    model = ImageClassifier.from_pretrained(folder)
    assert "head.weight" in _changed_names(model, _train_one_step)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == before


# --- create(weights=...)


def test_a_folders_backbone_gets_a_new_head(tiny_folder: Path) -> None:
    source = ImageClassifier.from_pretrained(tiny_folder)
    model = ImageClassifier.create("mobilenetv2_025", ["x", "y"], weights=tiny_folder)
    batch = _batch()
    with torch.inference_mode():
        assert torch.equal(model.eval().feature_map(batch), source.feature_map(batch))
    assert model.head.weight.shape == (2, 1280)
    assert model.report.reinitialised == ("classifier.weight", "classifier.bias")
    assert len(model.report.loaded) == len(model.state_dict()) - 2
    assert model.config.label_names == ("x", "y")
    assert model.config.preprocess == TINY
    assert model.config.origin == {"start": "the backbone of tiny"}


def test_preprocessing_that_was_asked_for_wins_over_the_folders(tiny_folder: Path) -> None:
    other = PreprocessConfig(resize=64, crop=64)
    model = ImageClassifier.create("mobilenetv2_025", LABELS, weights=tiny_folder, preprocess=other)
    assert model.config.preprocess == other


def test_training_on_a_folders_backbone_leaves_the_folder_alone(folder: Path) -> None:
    before = (folder / "model.safetensors").read_bytes()
    model = ImageClassifier.create("mobilenetv2_025", LABELS, weights=folder)
    _train_one_step(model)
    assert (folder / "model.safetensors").read_bytes() == before


def _make_headless(folder: Path) -> None:
    import json

    from safetensors.torch import load_file, save_file

    config = json.loads((folder / "config.json").read_text())
    config["num_classes"] = config["pretrained_cfg"]["num_classes"] = 0
    config["label_names"] = []
    (folder / "config.json").write_text(json.dumps(config))
    path = folder / "model.safetensors"
    kept = {n: t for n, t in load_file(path).items() if not n.startswith("classifier.")}
    save_file(kept, path)


def test_a_headless_backbone_gets_a_head_but_cannot_classify_by_itself(folder: Path) -> None:
    _make_headless(folder)
    model = ImageClassifier.create("mobilenetv2_025", LABELS, weights=folder)
    assert model.report.missing == ("classifier.weight", "classifier.bias")
    assert torch.isfinite(model.head.weight).all()
    with pytest.raises(ConfigError, match=r"a backbone without a head .*create\(\.\.\., weights="):
        ImageClassifier.from_pretrained(folder)


def test_a_backbone_comes_from_a_repository_too(hub_server: HubServer, tiny_folder: Path) -> None:
    commit = hub_server.commit("owner/backbone", tiny_folder)
    model = ImageClassifier.create("mobilenetv2_025", ["x"], weights="owner/backbone")
    assert len(model.report.loaded) == len(model.state_dict()) - 2
    assert model.config.origin == {"start": f"the backbone of owner/backbone ({commit})"}


def test_a_backbone_of_another_kind_is_refused(tiny_folder: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"architecture is 'mobilenetv2_025', 'resnet18' was asked for"
    ):
        ImageClassifier.create("resnet18", LABELS, weights=tiny_folder)
    with pytest.raises(ConfigError, match="stem is 'imagenet', 'small' was asked for"):
        ImageClassifier.create("mobilenetv2_025", LABELS, weights=tiny_folder, stem="small")


IMAGENET = {
    "resnet18": models.ResNet18_Weights.DEFAULT,
    "mobilenetv2_100": models.MobileNet_V2_Weights.DEFAULT,
}


@pytest.fixture
def torch_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of torchvision's weights."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    checkpoints = tmp_path / "torch" / "hub" / "checkpoints"
    checkpoints.mkdir(parents=True)
    return checkpoints


@pytest.mark.parametrize("name", IMAGENET)
def test_imagenet_weights_are_torchvisions_own(name: str, torch_cache: Path) -> None:
    weights = IMAGENET[name]
    theirs = models.get_model("resnet18" if name == "resnet18" else "mobilenet_v2", weights=None)
    torch.save(theirs.state_dict(), torch_cache / weights.url.rpartition("/")[2])
    model = ImageClassifier.create(name, LABELS, weights="imagenet").eval()
    theirs.eval()
    batch = _batch(2, 64)
    with torch.inference_mode():
        features = (
            nn.Sequential(*list(theirs.children())[:-2])(batch)
            if name == "resnet18"
            else theirs.features(batch)
        )
        assert torch.equal(model.feature_map(batch), features)
    assert len(model.report.reinitialised) == 2
    assert str(weights) in model.config.origin["start"]


@pytest.mark.parametrize("name", IMAGENET)
def test_imagenet_weights_bring_their_own_preprocessing(name: str, torch_cache: Path) -> None:
    weights = IMAGENET[name]
    theirs = models.get_model("resnet18" if name == "resnet18" else "mobilenet_v2", weights=None)
    torch.save(theirs.state_dict(), torch_cache / weights.url.rpartition("/")[2])
    model = ImageClassifier.create(name, LABELS, weights="imagenet")
    image = pictures.photo(300, 400)
    assert np.array_equal(model.pixels(image), weights.transforms(antialias=True)(image))


def test_imagenet_weights_that_cannot_be_fetched_are_one_sentence(
    torch_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nobody listens there
    with pytest.raises(CheckpointError, match="ImageNet weights of resnet18: cannot be") as raised:
        ImageClassifier.create("resnet18", LABELS, weights="imagenet")
    assert "\n" not in str(raised.value)
    assert list(torch_cache.iterdir()) == []


@pytest.mark.parametrize(
    "content", [b"", b"cut short", b"PK\x03\x04"], ids=["empty", "text", "zip"]
)
def test_imagenet_weights_damaged_in_the_cache_are_one_sentence_with_the_file(
    content: bytes, torch_cache: Path
) -> None:
    path = torch_cache / IMAGENET["resnet18"].url.rpartition("/")[2]
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="ImageNet weights of resnet18: ") as raised:
        ImageClassifier.create("resnet18", LABELS, weights="imagenet")
    assert path.name in str(raised.value)
    assert "\n" not in str(raised.value)
