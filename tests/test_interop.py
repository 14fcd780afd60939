"""What we write, timm and transformers read; what timm writes, we read: to the last bit.

`python -m benchmarks.interop` prints the same comparison as a table.
"""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torchvision import models

from hub_models import ARCHITECTURES, ImageClassifier, PreprocessConfig
from hub_models.card import render_card
from hub_models.config_json import render_config
from hub_models.hub import read_config
from hub_models.preprocess import preprocess
from hub_models.tensor_file import pack_tensors, read_tensors
from hub_models.weights import disk_names, torchvision_names
from tests.hub_server import HubServer

timm = pytest.importorskip("timm")
transformers = pytest.importorskip("transformers")

from timm.models._hub import save_for_hf  # noqa: E402

from benchmarks import interop  # noqa: E402

EQUAL = interop.Row(timm=0, transformers=0, labels_equal=True, pixels=0)
# One of each family where the architecture cannot matter.
FEW = ("resnet18", "mobilenetv2_035")
SIZES = ((150, 100), (99, 151), (73, 73), (31, 77), (20, 30), (641, 480))


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A saved folder of each of FEW."""
    root = tmp_path_factory.mktemp("saved")
    for name in FEW:
        torch.manual_seed(0)
        interop.save(name, root / name)
    return {name: root / name for name in FEW}


@pytest.mark.slow
@pytest.mark.parametrize("name", interop.TWINS)
def test_timm_and_transformers_give_our_logits_labels_and_pixels(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    interop.save(name, tmp_path / name)
    image = interop.picture(150, 100)
    assert interop.compare(tmp_path / name, image) == EQUAL
    logits = ImageClassifier.from_pretrained(tmp_path / name).classify(image)
    assert logits[0].probability > 0.34  # the logits differ, so equality says something


def test_every_architecture_that_timm_has_is_compared() -> None:
    ours_alone = {"mobilenetv1_025", "mobilenetv1_050", "mobilenetv1_075", "mobilenetv2_025"}
    assert tuple(name for name in ARCHITECTURES if name not in ours_alone) == interop.TWINS


@pytest.mark.parametrize("name", FEW)
def test_a_file_laid_out_for_the_map_is_read_by_all_three(
    name: str, saved: dict[str, Path], tmp_path: Path
) -> None:
    folder = tmp_path / name
    folder.mkdir()
    for file in ("config.json", "model.safetensors"):
        (folder / file).write_bytes((saved[name] / file).read_bytes())
    weights = folder / "model.safetensors"
    weights.write_bytes(pack_tensors(read_tensors(weights)))
    assert interop.compare(folder, interop.picture(150, 100)) == EQUAL


@torch.inference_mode()
@pytest.mark.parametrize("name", FEW)
def test_a_pushed_repository_is_read_by_all_three(
    name: str, saved: dict[str, Path], hub_server: HubServer
) -> None:
    hub_server.commit("owner/pushed", saved[name])
    image = interop.picture(150, 100)
    ours = ImageClassifier.from_pretrained("owner/pushed")
    logits = ours(ours.pixels(image)[None])[0]
    for theirs in (
        interop.read_with_timm("hf-hub:owner/pushed", image),
        interop.read_with_transformers("owner/pushed", image),
    ):
        assert torch.equal(theirs.logits, logits)
        assert theirs.label_names == ours.config.label_names


def test_the_pipeline_of_transformers_says_what_we_say(
    saved: dict[str, Path], tmp_path: Path
) -> None:
    photo = tmp_path / "photo.png"
    interop.picture(150, 100).save(photo)
    classify = transformers.pipeline("image-classification", model=str(saved["resnet18"]))
    theirs = classify(str(photo))
    ours = ImageClassifier.from_pretrained(saved["resnet18"]).classify(photo)
    assert [row["label"] for row in theirs] == [prediction.label for prediction in ours]
    for row, prediction in zip(theirs, ours, strict=True):
        assert row["score"] == pytest.approx(prediction.probability, abs=1e-6)


# --- pixels

PREPROCESSES = {
    "bilinear": PreprocessConfig(73, 64),
    "bicubic": PreprocessConfig(235, 224, "bicubic"),
    "nearest": PreprocessConfig(37, 32, "nearest"),
    "lanczos": PreprocessConfig(37, 32, "lanczos"),
    "box": PreprocessConfig(37, 32, "box"),
    "hamming": PreprocessConfig(37, 32, "hamming"),
    "odd margins": PreprocessConfig(70, 63),
    "nothing cut": PreprocessConfig(64, 64),
    "squashed": PreprocessConfig(80, 80, "bicubic", "squash"),
    "own statistics": PreprocessConfig(36, 32, mean=(0.5, 0.4, 0.3), std=(0.1, 0.2, 0.3)),
    "a crop_pct no short fraction gives": PreprocessConfig(331, 299),
}


@pytest.mark.parametrize("config", PREPROCESSES.values(), ids=PREPROCESSES)
def test_all_three_see_the_same_pixels(
    config: PreprocessConfig, saved: dict[str, Path], tmp_path: Path
) -> None:
    text = render_config(replace(read_config(saved["resnet18"]), preprocess=config))
    (tmp_path / "config.json").write_text(text)
    with_timm = interop.timm_transform(json.loads(text)["pretrained_cfg"])
    with_transformers = transformers.AutoImageProcessor.from_pretrained(tmp_path)
    for size in SIZES:
        image = interop.picture(*size)
        ours = torch.from_numpy(preprocess(image, config))
        assert torch.equal(with_timm(image), ours), size
        theirs = with_transformers(image, return_tensors="pt")["pixel_values"][0]
        assert torch.equal(theirs, ours), size


# --- what timm and torchvision write


@torch.inference_mode()
@pytest.mark.parametrize("arguments", [{}, {"drop_rate": 0.1, "drop_path_rate": 0.1}], ids=str)
@pytest.mark.parametrize("name", ["resnet34", "resnet50", "mobilenetv2_050", "mobilenetv2_140"])
def test_a_folder_timm_saved_is_read_by_us(
    name: str, arguments: dict[str, float], tmp_path: Path
) -> None:
    theirs = interop.lived_in(timm.create_model(name, num_classes=3, **arguments))
    save_for_hf(
        theirs,
        str(tmp_path),
        model_config={"label_names": list(interop.LABELS)},
        model_args=arguments,
        safe_serialization=True,
    )
    written = json.loads((tmp_path / "config.json").read_text())
    assert written["model_args"].items() >= {"num_classes": 3, **arguments}.items()
    ours = ImageClassifier.from_pretrained(tmp_path)
    batch = torch.randn(2, 3, 64, 64)
    assert torch.equal(ours(batch), theirs(batch))
    assert ours.config.label_names == interop.LABELS
    image = interop.picture(300, 200)
    assert torch.equal(ours.pixels(image), interop.timm_transform(theirs.pretrained_cfg)(image))


@pytest.mark.parametrize("name", interop.TWINS)
def test_every_published_variant_of_timm_has_a_config_we_read(name: str, tmp_path: Path) -> None:
    image = interop.picture(400, 300)
    with torch.device("meta"):
        theirs = timm.create_model(name)
    variants = timm.list_models(f"{name}.*", pretrained=True)
    seen = set()
    for variant in variants:
        theirs.pretrained_cfg = timm.get_pretrained_cfg(variant).to_dict()
        timm.models._hub.save_config_for_hf(theirs, str(tmp_path / "config.json"))
        ours = read_config(tmp_path)
        assert ours.architecture == name
        if ours.preprocess not in seen:
            seen.add(ours.preprocess)
            transform = interop.timm_transform(theirs.pretrained_cfg)
            pixels = torch.from_numpy(preprocess(image, ours.preprocess))
            assert torch.equal(transform(image), pixels), variant
    assert bool(variants) == (name not in {"mobilenetv2_035", "mobilenetv2_075"})


@pytest.mark.parametrize("name", [n for n, a in ARCHITECTURES.items() if a.imagenet is not None])
def test_torchvisions_state_dict_fits_weight_by_weight(name: str) -> None:
    title = ARCHITECTURES[name].imagenet
    assert title is not None
    builder = title.partition("_Weights")[0].lower()
    with torch.device("meta"):
        theirs = models.get_model(builder, num_classes=3).state_dict()
        ours = ImageClassifier.create(name, interop.LABELS).state_dict()
    names = torchvision_names(name, list(ours))
    assert {names[n]: t.shape for n, t in ours.items()} == {n: t.shape for n, t in theirs.items()}
    with torch.device("meta"):
        state = timm.create_model(name, num_classes=3).state_dict()
    assert set(disk_names(name, list(ours)).values()) == set(state)


# --- what only we read

ONLY_OURS = {
    "a width timm lacks": ("mobilenetv2_025", "imagenet"),
    "a small stem of other shapes": ("resnet18", "small"),
    "a small stem of the same shapes": ("mobilenetv2_035", "small"),
}


@pytest.mark.parametrize(("name", "stem"), ONLY_OURS.values(), ids=ONLY_OURS)
def test_what_others_would_misread_they_refuse_and_the_card_says_so(
    name: str, stem: str, tmp_path: Path
) -> None:
    folder = tmp_path / "ours"
    ImageClassifier.create(name, interop.LABELS, stem=stem).save_pretrained(folder)
    assert ImageClassifier.from_pretrained(folder).config.stem == stem
    with pytest.raises((RuntimeError, TypeError), match=r"Unknown model|unexpected keyword"):
        timm.create_model(f"local-dir:{folder}", pretrained=True)
    with pytest.raises((ImportError, TypeError), match=r"not supported|unexpected keyword"):
        transformers.AutoModelForImageClassification.from_pretrained(folder)
    card = (folder / "README.md").read_text()
    assert f"Only hub_models reads this folder: timm has no `{name}`" in card
    assert "library_name: hub_models\n" in card
    assert "local-dir:" not in card


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_card_sends_to_timm_exactly_where_timm_reads(name: str, saved: dict[str, Path]) -> None:
    config = replace(read_config(saved["resnet18"]), architecture=name)
    card = render_card(config, "some-name")
    is_read = name in interop.TWINS
    assert ("timm reads the same folder" in card) == is_read
    assert ("library_name: timm\n" in card) == is_read


# --- grey pixels


@pytest.fixture(scope="module")
def grey_folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A saved folder of each of FEW, with one channel."""
    root = tmp_path_factory.mktemp("grey")
    for name in FEW:
        torch.manual_seed(0)
        interop.save(name, root / name, preprocess=interop.SMALL.in_channels(1))
    return {name: root / name for name in FEW}


@pytest.mark.parametrize("name", FEW)
def test_timm_and_transformers_read_a_grey_folder_given_a_grey_picture(
    name: str, grey_folders: dict[str, Path]
) -> None:
    grey = interop.picture(150, 100).convert("L")
    assert interop.compare(grey_folders[name], grey) == EQUAL
    card = (grey_folders[name] / "README.md").read_text()
    assert 'transform(image.convert("L"))' in card
    assert "not through its pipeline" in card
    assert "pipeline(" not in card


def test_the_pipeline_of_transformers_fails_on_a_grey_folder(
    grey_folders: dict[str, Path], tmp_path: Path
) -> None:
    photo = tmp_path / "photo.png"
    interop.picture(150, 100).convert("L").save(photo)
    classify = transformers.pipeline("image-classification", model=str(grey_folders["resnet18"]))
    with pytest.raises(RuntimeError, match="to have 1 channels, but got 3"):  # as the card says
        classify(str(photo))


@torch.inference_mode()
@pytest.mark.parametrize("name", FEW)
def test_rgb_weights_become_grey_ones_as_timm_makes_them(name: str, saved: dict[str, Path]) -> None:
    ours = ImageClassifier.create(name, interop.LABELS, weights=saved[name], channels=1).eval()
    theirs = timm.create_model(f"local-dir:{saved[name]}", pretrained=True, in_chans=1).eval()
    batch = torch.randn(2, 1, 64, 64)
    assert torch.equal(ours.feature_map(batch).mean((2, 3)), _pooled(theirs, batch))


@torch.inference_mode()
@pytest.mark.parametrize("name", FEW)
def test_a_grey_folder_timm_saved_is_read_by_us(name: str, tmp_path: Path) -> None:
    arguments = {"in_chans": 1}
    theirs = interop.lived_in(timm.create_model(name, num_classes=3, in_chans=1), channels=1)
    save_for_hf(theirs, str(tmp_path), model_args=arguments, safe_serialization=True)
    ours = ImageClassifier.from_pretrained(tmp_path)
    batch = torch.randn(2, 1, 64, 64)
    assert torch.equal(ours(batch), theirs(batch))
    image = interop.picture(300, 200)
    written = json.loads((tmp_path / "config.json").read_text())["pretrained_cfg"]
    assert torch.equal(ours.pixels(image), interop.timm_transform(written)(image.convert("L")))
    assert written["mean"] == pytest.approx(PreprocessConfig().in_channels(1).mean)


def _pooled(theirs: torch.nn.Module, batch: torch.Tensor) -> torch.Tensor:
    return theirs.forward_head(theirs.forward_features(batch), pre_logits=True)
