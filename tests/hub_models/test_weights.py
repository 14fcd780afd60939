from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from hub_models import CheckpointError, ImageClassifier
from hub_models.weights import disk_names, match, torchvision_names

# Memory -> disk, written by hand from the two projects' own state dicts.
MOBILENETV2_NAMES = {
    "backbone.0.0.weight": "conv_stem.weight",
    "backbone.0.1.running_mean": "bn1.running_mean",
    "backbone.1.conv.0.0.weight": "blocks.0.0.conv_dw.weight",
    "backbone.1.conv.1.weight": "blocks.0.0.conv_pw.weight",
    "backbone.1.conv.2.bias": "blocks.0.0.bn2.bias",
    "backbone.2.conv.0.0.weight": "blocks.1.0.conv_pw.weight",
    "backbone.3.conv.1.0.weight": "blocks.1.1.conv_dw.weight",
    "backbone.6.conv.2.weight": "blocks.2.2.conv_pwl.weight",
    "backbone.7.conv.3.num_batches_tracked": "blocks.3.0.bn3.num_batches_tracked",
    "backbone.10.conv.1.1.running_var": "blocks.3.3.bn2.running_var",
    "backbone.13.conv.0.1.weight": "blocks.4.2.bn1.weight",
    "backbone.16.conv.3.bias": "blocks.5.2.bn3.bias",
    "backbone.17.conv.2.weight": "blocks.6.0.conv_pwl.weight",
    "backbone.18.0.weight": "conv_head.weight",
    "backbone.18.1.weight": "bn2.weight",
    "head.weight": "classifier.weight",
    "head.bias": "classifier.bias",
}
RESNET_NAMES = {
    "backbone.conv1.weight": "conv1.weight",
    "backbone.layer4.1.bn2.running_var": "layer4.1.bn2.running_var",
    "head.weight": "fc.weight",
}


def test_mobilenetv2_names_on_disk_are_timms() -> None:
    assert disk_names("mobilenetv2_100", list(MOBILENETV2_NAMES)) == MOBILENETV2_NAMES


def test_resnet_names_on_disk_are_timms() -> None:
    assert disk_names("resnet18", list(RESNET_NAMES)) == RESNET_NAMES


@pytest.mark.parametrize("name", ["mobilenetv2_035", "mobilenetv2_100", "resnet18", "resnet50"])
def test_timms_own_model_has_exactly_the_names_and_shapes_on_disk(name: str) -> None:
    timm = pytest.importorskip("timm")
    with torch.device("meta"):
        theirs = timm.create_model(name, num_classes=3).state_dict()
        ours = ImageClassifier.create(name, ["a", "b", "c"]).state_dict()
    names = disk_names(name, list(ours))
    assert {names[n]: t.shape for n, t in ours.items()} == {n: t.shape for n, t in theirs.items()}


@pytest.mark.parametrize(("name", "size_px"), [("mobilenetv2_035", 64), ("resnet18", 75)])
def test_timm_reads_a_saved_folder_and_gives_equal_logits(
    name: str, size_px: int, tmp_path: Path
) -> None:
    timm = pytest.importorskip("timm")
    ours = ImageClassifier.create(name, ["a", "b", "c"]).eval()
    ours.save_pretrained(tmp_path / "saved")
    theirs = timm.create_model(f"local-dir:{tmp_path / 'saved'}", pretrained=True).eval()
    batch = torch.randn(2, 3, size_px, size_px)
    with torch.inference_mode():
        assert torch.equal(theirs(batch), ours(batch))
    assert theirs.pretrained_cfg["label_names"] == ["a", "b", "c"]


def test_torchvisions_names_cover_its_whole_model() -> None:
    from torchvision import models

    for name in ("resnet18", "mobilenetv2_100"):
        with torch.device("meta"):
            ours = ImageClassifier.create(name, ["a"] * 1).state_dict()
            theirs = (
                models.resnet18() if name == "resnet18" else models.mobilenet_v2()
            ).state_dict()
        assert list(torchvision_names(name, list(ours)).values()) == list(theirs)


NAMES = {
    "backbone.conv1.weight": "conv1.weight",
    "backbone.bn1.num_batches_tracked": "bn1.num_batches_tracked",
    "head.weight": "fc.weight",
    "head.bias": "fc.bias",
}
STATE = {
    "backbone.conv1.weight": torch.zeros(4, 3, 3, 3),
    "backbone.bn1.num_batches_tracked": torch.tensor(0),
    "head.weight": torch.zeros(2, 4),
    "head.bias": torch.zeros(2),
}


def _file(**changes: torch.Tensor | None) -> dict[str, torch.Tensor]:
    whole = {NAMES[name]: tensor + 1 for name, tensor in STATE.items()}
    changed = whole | {name.replace("__", "."): tensor for name, tensor in changes.items()}
    return {name: tensor for name, tensor in changed.items() if tensor is not None}


def test_a_fitting_file_loads_whole() -> None:
    fitted, report = match(_file(), STATE, NAMES)
    assert list(fitted) == list(STATE)
    assert all(int(tensor.flatten()[0]) == 1 for tensor in fitted.values())
    assert report.loaded == tuple(NAMES.values())
    assert report.reinitialised == report.missing == ()
    assert str(report) == "4 loaded"


MISFITS = {
    "missing": (_file(conv1__weight=None), "weight 'conv1.weight' is missing$"),
    "two missing": (
        _file(conv1__weight=None, fc__bias=None),
        r"weight 'conv1.weight' is missing \(and 1 more\)",
    ),
    "extra": (_file(bn9__bias=torch.zeros(1)), "weight 'bn9.bias' is not part of the model$"),
    "two extra": (
        _file(z=torch.zeros(1), bn9__bias=torch.zeros(1)),
        r"weight 'bn9.bias' is not part of the model \(and 1 more\)",
    ),
    "wrong shape": (
        _file(fc__weight=torch.zeros(5, 4)),
        r"weight 'fc.weight' has shape \(5, 4\), the model needs \(2, 4\)",
    ),
    "whole numbers": (
        _file(fc__bias=torch.zeros(2, dtype=torch.int64)),
        "weight 'fc.bias' is torch.int64, the model needs torch.float32",
    ),
    "complex numbers": (
        _file(fc__bias=torch.zeros(2, dtype=torch.complex64)),
        "weight 'fc.bias' is torch.complex64, the model needs torch.float32",
    ),
    "eight bits": (
        _file(fc__bias=torch.zeros(2, dtype=torch.float8_e4m3fn)),
        "weight 'fc.bias' is torch.float8_e4m3fn, the model needs torch.float32",
    ),
    "a counter of complex numbers": (
        _file(bn1__num_batches_tracked=torch.tensor(1j)),
        "weight 'bn1.num_batches_tracked' is torch.complex64, the model needs torch.int64",
    ),
    "a shape of a hundred thousand sides": (
        _file(fc__bias=torch.zeros([1] * 100_000)),
        r"weight 'fc.bias' has shape \(1, 1, [1, ]*\.\.\., the model needs \(2,\)$",
    ),
    "a name of a hundred thousand letters": (
        _file(**{"x" * 100_000: torch.zeros(1)}),
        r"weight 'x{70,80}\.\.\. is not part of the model$",
    ),
    "a fraction as counter": (
        _file(bn1__num_batches_tracked=torch.tensor(1.5)),
        "weight 'bn1.num_batches_tracked' is torch.float32, the model needs torch.int64",
    ),
}


@pytest.mark.parametrize(("found", "message"), MISFITS.values(), ids=MISFITS)
def test_a_weight_that_does_not_fit_is_an_error_that_names_it(
    found: dict[str, torch.Tensor], message: str
) -> None:
    with pytest.raises(CheckpointError, match=message):
        match(found, STATE, NAMES)


def test_a_missing_counter_is_allowed_and_listed() -> None:
    fitted, report = match(_file(bn1__num_batches_tracked=None), STATE, NAMES)
    assert "backbone.bn1.num_batches_tracked" not in fitted
    assert report.missing == ("bn1.num_batches_tracked",)
    assert str(report) == "3 loaded, missing: bn1.num_batches_tracked"


@pytest.mark.parametrize(
    ("found", "reinitialised", "missing"),
    [
        (_file(), ("fc.weight", "fc.bias"), ()),
        (_file(fc__weight=torch.zeros(9, 4)), ("fc.weight", "fc.bias"), ()),
        (_file(fc__weight=None, fc__bias=None), (), ("fc.weight", "fc.bias")),
        (_file(fc__bias=None), ("fc.weight",), ("fc.bias",)),
    ],
    ids=["same head", "head of other classes", "headless", "half a head"],
)
def test_with_a_new_head_every_weight_is_reported_exactly_once(
    found: dict[str, torch.Tensor], reinitialised: tuple[str, ...], missing: tuple[str, ...]
) -> None:
    fitted, report = match(found, STATE, NAMES, new_head=True)
    assert not {"head.weight", "head.bias"} & set(fitted)
    assert (report.reinitialised, report.missing) == (reinitialised, missing)
    every = [*report.loaded, *report.reinitialised, *report.missing]
    assert sorted(every) == sorted(NAMES.values())


def test_a_new_head_excuses_nothing_in_the_backbone() -> None:
    with pytest.raises(CheckpointError, match=r"'conv1\.weight' is missing"):
        match(_file(conv1__weight=None), STATE, NAMES, new_head=True)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_floats_of_any_width_become_float32(dtype: torch.dtype) -> None:
    found = _file(fc__bias=torch.tensor([1.5, -2.0], dtype=dtype))
    fitted, _ = match(found, STATE, NAMES)
    assert fitted["head.bias"].dtype == torch.float32
    assert fitted["head.bias"].tolist() == [1.5, -2.0]


def test_a_half_precision_folder_loads_and_classifies(folder: Path, photo: Path) -> None:
    path = folder / "model.safetensors"
    whole = ImageClassifier.from_pretrained(folder).classify(photo)
    half = {n: t.half() if t.is_floating_point() else t for n, t in load_file(path).items()}
    save_file(half, path, metadata={"format": "pt"})
    model = ImageClassifier.from_pretrained(folder)
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert model.classify(photo)[0].probability == pytest.approx(whole[0].probability, abs=0.01)


def test_a_folder_without_counters_loads_and_saves_them_as_zero(folder: Path) -> None:
    path = folder / "model.safetensors"
    kept = {n: t for n, t in load_file(path).items() if not n.endswith("num_batches_tracked")}
    save_file(kept, path)
    model = ImageClassifier.from_pretrained(folder)
    assert len(model.report.missing) == 52
    model.save_pretrained(folder)
    assert load_file(path)["bn1.num_batches_tracked"].item() == 0
