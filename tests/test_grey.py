"""Grey models, of one channel: through every path that an RGB model takes, to the same answers."""

import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from PIL import Image

from demo.engine import open_engine
from hub_models import (
    CheckpointError,
    ConfigError,
    ImageClassifier,
    ImageError,
    PreprocessConfig,
    int8,
    load_runtime,
)
from hub_models.class_folders import read_class_folders
from hub_models.cli import main
from hub_models.drawn import draw
from hub_models.export import export_onnx
from hub_models.profile import count_macs
from hub_models.profile_worker import measure
from hub_models.quantise import Scheme, prepare, quantise
from hub_models.session import Session
from tests import pictures
from tests.conftest import LABELS

GREY = PreprocessConfig(36, 32, mean=(0.45,), std=(0.25,))
ALIKE = PreprocessConfig(36, 32, mean=(0.45,) * 3, std=(0.25,) * 3)  # the same for each colour


@pytest.fixture(scope="module")
def rgb_folder(lively_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The lively model, but normalising its three channels alike."""
    model = ImageClassifier.from_pretrained(lively_folder)
    twin = ImageClassifier.create("mobilenetv2_025", LABELS, preprocess=ALIKE)
    twin.load_state_dict(model.state_dict())
    folder = tmp_path_factory.mktemp("grey") / "rgb"
    twin.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def grey_folder(rgb_folder: Path) -> Path:
    """The same model with its first convolution summed over the colours."""
    rgb = ImageClassifier.from_pretrained(rgb_folder)
    grey = ImageClassifier.create("mobilenetv2_025", LABELS, weights=rgb_folder, channels=1)
    grey.head.load_state_dict(rgb.head.state_dict())
    folder = rgb_folder.with_name("grey")
    grey.save_pretrained(folder)
    return folder


@pytest.fixture
def grey(grey_folder: Path) -> ImageClassifier:
    return ImageClassifier.from_pretrained(grey_folder)


def grey_picture(seed: int) -> Image.Image:
    return draw(seed).convert("L").convert("RGB")


def test_the_folder_says_one_channel_in_timms_own_fields(grey_folder: Path) -> None:
    content = json.loads((grey_folder / "config.json").read_text())
    assert content["model_args"]["in_chans"] == 1
    assert content["pretrained_cfg"]["input_size"] == [1, 32, 32]
    assert (content["pretrained_cfg"]["mean"], content["pretrained_cfg"]["std"]) == ([0.45], [0.25])
    assert "Input: grey (one channel)" in (grey_folder / "README.md").read_text()


def test_a_grey_picture_gives_what_it_gave_in_three_channels(
    grey: ImageClassifier, rgb_folder: Path
) -> None:
    rgb = ImageClassifier.from_pretrained(rgb_folder)
    images = [grey_picture(seed) for seed in range(8)]
    ours, theirs = grey.classify(images), rgb.classify(images)
    assert len({row[0].label for row in theirs}) > 1
    for one, other in zip(ours, theirs, strict=True):
        assert [p.label for p in one] == [p.label for p in other]
        expected = pytest.approx([p.probability for p in other], abs=1e-4)
        assert [p.probability for p in one] == expected


def test_a_colour_picture_is_seen_as_pillows_grey(grey: ImageClassifier, tmp_path: Path) -> None:
    image = pictures.photo(64, 48)
    image.save(tmp_path / "colour.png")
    image.convert("L").save(tmp_path / "grey.png")
    pixels = grey.pixels(tmp_path / "colour.png")
    assert pixels.shape == (1, 32, 32)
    for same in (tmp_path / "grey.png", image, image.convert("L"), image.convert("L").convert("P")):
        assert torch.equal(grey.pixels(same), pixels)


@pytest.mark.parametrize("engine", ["onnx", "torch"])
def test_the_runtime_says_what_the_classifier_says(
    engine: str,
    grey: ImageClassifier,
    grey_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HUB_MODELS_CACHE", str(tmp_path))
    runtime = load_runtime(grey_folder, engine=engine)
    images = [draw(seed) for seed in range(5)]
    for ours, theirs in zip(runtime.classify(images), grey.classify(images), strict=True):
        assert [p.label for p in ours] == [p.label for p in theirs]
        assert ours[0].probability == pytest.approx(theirs[0].probability, abs=1e-4)
    with pytest.raises(ImageError, match=r"\(N, 1, 32, 32\) is needed, not \(2, 3, 32, 32\)"):
        runtime.outputs(np.zeros((2, 3, 32, 32), np.float32))


def test_an_exported_file_and_its_int8_form_hold_one_channel(
    grey: ImageClassifier, grey_folder: Path, tmp_path: Path
) -> None:
    path, prepared = tmp_path / "model.onnx", tmp_path / "prepared.onnx"
    assert export_onnx(grey_folder, path).is_close
    assert Session(path).config == grey.config
    pixels = np.stack([grey.pixels(draw(seed)).numpy() for seed in range(12)])
    prepare(path, prepared)
    quantise(prepared, tmp_path / "int8.onnx", Scheme(True, "u8u8", keeps_ends=True), pixels)
    session = onnxruntime.InferenceSession(str(tmp_path / "int8.onnx"))
    logits = session.run(["logits"], {"batch": pixels})[0]
    expected = grey(torch.from_numpy(pixels)).detach().numpy()
    assert (logits.argmax(axis=1) == expected.argmax(axis=1)).mean() > 0.7


def test_pictures_for_int8_are_read_in_its_channels(grey: ImageClassifier, tmp_path: Path) -> None:
    for label in LABELS:
        (tmp_path / "data" / label).mkdir(parents=True)
        draw(1).save(tmp_path / "data" / label / "1.png")
    found = read_class_folders(tmp_path / "data", LABELS)
    pixels = int8._read(found, grey.config.preprocess, tmp_path / "pixels")
    assert np.array_equal(pixels[0], grey.pixels(draw(1)).numpy())


def test_a_map_adds_up_to_its_classs_logit_in_the_demo(
    grey: ImageClassifier, grey_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUB_MODELS_CACHE", str(tmp_path))
    image = pictures.photo(64, 48)
    engine = open_engine(str(grey_folder))
    engine.use_onnx()
    reading = engine.read(image, decode_ms=1.0)
    logits = grey(grey.pixels(image)[None])[0].detach()
    for prediction, cells in zip(reading.predictions, reading.maps, strict=True):
        index = LABELS.index(prediction.label)
        logit = np.mean(cells) + grey.head.bias[index].item()
        assert logit == pytest.approx(logits[index].item(), abs=1e-4)


def test_the_command_line_takes_it(
    grey_folder: Path, photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["info", str(grey_folder), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["channels"], facts["preprocess"]["mean"]) == (1, [0.45])
    assert main(["classify", str(photo), "--model", str(grey_folder), "--json"]) == 0
    [row] = json.loads(capsys.readouterr().out)
    assert {p["label"] for p in row["predictions"][str(grey_folder)]} == set(LABELS)


def test_a_profile_measures_it(grey_folder: Path) -> None:
    order = {"engine": "torch", "source": grey_folder, "threads": None}
    [row] = measure({**order, "batches": [2], "seconds": 0.01})
    assert min(row[stage]["p50"] for stage in ("preprocess_ms", "forward_ms", "classify_ms")) > 0


def test_its_multiply_adds_are_those_of_a_thinner_first_layer(
    grey: ImageClassifier, rgb_folder: Path
) -> None:
    rgb = ImageClassifier.from_pretrained(rgb_folder)
    out = grey.state_dict()["backbone.0.0.weight"].shape[0]
    assert count_macs(rgb.config) - count_macs(grey.config) == 16 * 16 * out * 2 * 9


# --- create


def test_the_first_convolution_is_summed_over_the_colours_and_nothing_else_changes(
    grey: ImageClassifier, rgb_folder: Path
) -> None:
    rgb = ImageClassifier.from_pretrained(rgb_folder).state_dict()
    first = "backbone.0.0.weight"
    for name, tensor in grey.state_dict().items():
        theirs = rgb[name].sum(dim=1, keepdim=True) if name == first else rgb[name]
        assert torch.equal(tensor, theirs), name


def test_channels_are_those_of_preprocess_or_of_the_weights(grey_folder: Path) -> None:
    create = ImageClassifier.create
    assert create("mobilenetv2_025", LABELS).config.preprocess.channels == 3
    assert create("mobilenetv2_025", LABELS, preprocess=GREY).config.preprocess == GREY
    theirs = create("mobilenetv2_025", LABELS, weights=grey_folder)
    assert theirs.config.preprocess == GREY
    assert theirs.report.loaded


def test_mean_and_std_are_averaged_as_timm_does() -> None:
    model = ImageClassifier.create("mobilenetv2_025", LABELS, channels=1)
    assert (model.config.preprocess.mean, model.config.preprocess.std) == ((0.449,), (0.226,))


def test_channels_that_cannot_be_are_one_sentence(grey_folder: Path, rgb_folder: Path) -> None:
    create = ImageClassifier.create
    with pytest.raises(ConfigError, match="channels must be 3 or 1, not 2"):
        create("mobilenetv2_025", LABELS, channels=2)
    with pytest.raises(ConfigError, match="channels cannot be 3 where pixels are grey"):
        create("mobilenetv2_025", LABELS, preprocess=GREY, channels=3)
    with pytest.raises(ConfigError, match=r"grey: channels cannot be 3 where pixels are grey"):
        create("mobilenetv2_025", LABELS, weights=grey_folder, channels=3)
    with pytest.raises(ConfigError, match="grey: preprocess gives RGB pixels, the weights are of"):
        create("mobilenetv2_025", LABELS, weights=grey_folder, preprocess=ALIKE)


def test_a_config_of_other_channels_than_its_weights_is_refused(
    rgb_folder: Path, grey_folder: Path, tmp_path: Path
) -> None:
    for config, weights in ((rgb_folder, grey_folder), (grey_folder, rgb_folder)):
        (tmp_path / "config.json").write_bytes((config / "config.json").read_bytes())
        (tmp_path / "model.safetensors").write_bytes((weights / "model.safetensors").read_bytes())
        with pytest.raises(
            CheckpointError, match=r"'conv_stem.weight' has shape .*the model needs"
        ):
            ImageClassifier.from_pretrained(tmp_path)
