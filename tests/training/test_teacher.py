import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from hub_models import ImageClassifier
from hub_models.errors import CheckpointError, ConfigError, HubModelsError
from hub_models.preprocess import preprocess
from tests.conftest import LABELS
from tests.hub_server import HubServer
from tests.pictures import photo as draw_photo
from training.teacher import load_teacher


def write_timm_folder(folder: Path, name: str = "test_efficientnet", **config: Any) -> Any:
    """Save a tiny network of timm's with five classes, random weights and batch-norm statistics."""
    timm = pytest.importorskip("timm")
    torch.manual_seed(0)
    network = timm.create_model(name, num_classes=5)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.normal_(module.running_mean)
    classifier = network.get_classifier()
    torch.nn.init.normal_(classifier.bias)
    folder.mkdir(parents=True)
    save_file(network.state_dict(), folder / "model.safetensors")
    content = {"architecture": name, "num_classes": 5, "pretrained_cfg": network.pretrained_cfg}
    (folder / "config.json").write_text(json.dumps({**content, **config}))
    return network.eval()


def test_a_teacher_of_ours_gives_its_features_and_logits_in_any_order(
    tiny_folder: Path, model: ImageClassifier
) -> None:
    teacher = load_teacher(str(tiny_folder))
    batch = torch.randn(2, 3, 32, 32)
    features = teacher.features(batch)
    assert features.shape == (2, teacher.num_features)
    head = teacher.head(["owl", "cat", "dog"])
    assert head is not None
    assert LABELS == ("cat", "dog", "owl")
    with torch.no_grad():
        torch.testing.assert_close(head(features), model(batch)[:, [2, 0, 1]])
    assert teacher.preprocess == model.config.preprocess


def test_a_teacher_of_other_classes_has_no_logits_for_ours(tiny_folder: Path) -> None:
    assert load_teacher(str(tiny_folder)).head(["cat", "dog"]) is None


def test_a_teacher_is_fetched_from_the_hub(
    tiny_folder: Path, model: ImageClassifier, hub_server: HubServer
) -> None:
    hub_server.commit("someone/tiny", tiny_folder)
    batch = torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        expected = model.feature_map(batch).mean(dim=(2, 3))
    torch.testing.assert_close(load_teacher("someone/tiny").features(batch), expected)


def test_timm_s_network_gives_what_its_last_layer_sees(tmp_path: Path) -> None:
    network = write_timm_folder(tmp_path / "timm", label_names=["a", "b", "c", "d", "e"])
    teacher = load_teacher(str(tmp_path / "timm"))
    batch = torch.randn(2, 3, 64, 64)
    head = teacher.head(["e", "d", "c", "b", "a"])
    assert head is not None
    with torch.no_grad():
        expected = network(batch)[:, [4, 3, 2, 1, 0]]
        torch.testing.assert_close(head(teacher.features(batch)), expected)


def test_timm_s_preprocessing_is_timm_s(tmp_path: Path) -> None:
    timm_data = pytest.importorskip("timm.data")
    network = write_timm_folder(tmp_path / "timm")
    options = timm_data.resolve_model_data_config(network)
    image = draw_photo(210, 170)
    theirs = timm_data.create_transform(**options)(image)
    ours = torch.from_numpy(preprocess(image, load_teacher(str(tmp_path / "timm")).preprocess))
    torch.testing.assert_close(ours, theirs)


def test_a_teacher_may_see_smaller_pictures(tiny_folder: Path) -> None:
    teacher = load_teacher(str(tiny_folder))
    assert (teacher.preprocess.resize, teacher.preprocess.crop) == (36, 32)
    teacher.see_at(16)
    assert (teacher.preprocess.resize, teacher.preprocess.crop) == (18, 16)
    assert preprocess(Image.new("RGB", (50, 40)), teacher.preprocess).shape == (3, 16, 16)


def test_a_teacher_of_one_size_says_so(tmp_path: Path) -> None:
    write_timm_folder(tmp_path / "vit", "test_vit")
    teacher = load_teacher(str(tmp_path / "vit"))
    assert teacher.fixed_side == 160
    with pytest.raises(ConfigError, match="teacher_size: this teacher takes 160 px alone"):
        teacher.see_at(64)


def test_nothing_of_a_teacher_trains_or_changes(tmp_path: Path) -> None:
    write_timm_folder(tmp_path / "timm")
    teacher = load_teacher(str(tmp_path / "timm"))
    before = {n: t.clone() for n, t in teacher.network.state_dict().items()}
    assert not teacher.features(torch.randn(4, 3, 64, 64)).requires_grad
    after = teacher.network.state_dict()
    assert all(torch.equal(after[name], before[name]) for name in before)
    assert not any(p.requires_grad for p in teacher.network.parameters())
    assert not any(module.training for module in teacher.network.modules())


def test_without_timm_the_sentence_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_timm_folder(tmp_path / "timm")
    monkeypatch.setitem(sys.modules, "timm", None)  # Python's way to say that it is not installed
    with pytest.raises(ConfigError, match=r"^teacher: .*'test_efficientnet'; pip install"):
        load_teacher(str(tmp_path / "timm"))


def break_folder(folder: Path, how: str) -> None:
    config = json.loads((folder / "config.json").read_text())
    match how:
        case "no weights":
            (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
        case "no config":
            (folder / "config.json").unlink()
        case "no object":
            (folder / "config.json").write_text("[]")
        case "no such network":
            (folder / "config.json").write_text(json.dumps(config | {"architecture": "notanet"}))
        case "other shapes":
            (folder / "config.json").write_text(json.dumps(config | {"num_classes": 6}))
        case "oblong pictures":
            config["pretrained_cfg"]["input_size"] = [3, 64, 96]
            (folder / "config.json").write_text(json.dumps(config))
        case "unknown filter":
            config["pretrained_cfg"]["interpolation"] = "random"
            (folder / "config.json").write_text(json.dumps(config))


@pytest.mark.parametrize(
    ("how", "kind", "message"),
    [
        ("no weights", CheckpointError, "no model.safetensors in this folder, only pytorch_model"),
        ("no config", ConfigError, "config.json: not readable as JSON"),
        ("no object", ConfigError, "config.json: must be an object"),
        ("no such network", CheckpointError, "timm cannot use this folder (Unknown model"),
        ("other shapes", CheckpointError, "timm cannot use this folder (Error(s) in loading"),
        ("oblong pictures", ConfigError, "RGB squares in and one vector out are needed"),
        ("unknown filter", ConfigError, "interpolation must be one of"),
    ],
)
def test_a_teacher_that_cannot_be_used_is_one_sentence(
    how: str, kind: type[HubModelsError], message: str, tmp_path: Path
) -> None:
    folder = tmp_path / "timm"
    write_timm_folder(folder)
    break_folder(folder, how)
    with pytest.raises(kind) as raised:
        load_teacher(str(folder))
    said = str(raised.value)
    assert said.startswith(f"teacher: {folder}")
    assert message in said
    assert "\n" not in said


def test_a_teacher_that_is_nowhere_is_one_sentence() -> None:
    with pytest.raises(CheckpointError, match=r"^teacher: nowhere/at-all: no such folder"):
        load_teacher("nowhere/at-all")
