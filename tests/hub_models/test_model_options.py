"""The options of from_pretrained: labels, precision, device."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from hub_models import ConfigError, ImageClassifier
from hub_models.hub import read_config, write_config


def test_other_label_names_of_the_same_number_rename_the_classes(
    tiny_folder: Path, model: ImageClassifier, photo: Path
) -> None:
    names = ["Katze", "Hund", "Eule"]
    renamed = ImageClassifier.from_pretrained(tiny_folder, label_names=names)
    german = dict(zip(("cat", "dog", "owl"), names, strict=True))
    expected = [(german[p.label], p.probability) for p in model.classify(photo)]
    assert [(p.label, p.probability) for p in renamed.classify(photo)] == expected


def test_another_number_of_labels_is_an_error_that_names_both(tiny_folder: Path) -> None:
    with pytest.raises(ConfigError, match="2 label_names were given, the checkpoint's head has 3"):
        ImageClassifier.from_pretrained(tiny_folder, label_names=["day", "night"])


@pytest.mark.parametrize("labels", [["day", "night"], ["day", "dusk", "night"]])
def test_a_fresh_head_takes_the_place_of_one_for_other_classes(
    labels: list[str], folder: Path, model: ImageClassifier
) -> None:
    results = {"test": {"accuracy": 0.75, "images": 8}}
    write_config(folder, replace(read_config(folder), results=results))
    fresh = ImageClassifier.from_pretrained(folder, label_names=labels, ignore_mismatched_head=True)
    assert fresh.config.label_names == tuple(labels)
    assert fresh.head.weight.shape == (len(labels), fresh.config.num_features)
    assert 0 < fresh.head.weight.std() < 0.02
    assert fresh.report.reinitialised == ("classifier.weight", "classifier.bias")
    assert fresh.config.results == {}  # they were measured with the head that is gone
    assert fresh.config.origin == {"start": f"the backbone of {folder.name}"}
    assert not fresh.training
    batch = torch.randn(2, 3, 32, 32)
    assert torch.equal(fresh.feature_map(batch), model.feature_map(batch))


def test_a_head_for_the_same_classes_is_kept(tiny_folder: Path, model: ImageClassifier) -> None:
    same = ImageClassifier.from_pretrained(
        tiny_folder, label_names=["cat", "dog", "owl"], ignore_mismatched_head=True
    )
    assert torch.equal(same.head.weight, model.head.weight)
    assert same.report.reinitialised == ()


def test_a_fresh_head_can_be_trained_and_saved(tiny_folder: Path, tmp_path: Path) -> None:
    fresh = ImageClassifier.from_pretrained(
        tiny_folder, label_names=["day", "night"], ignore_mismatched_head=True
    )
    fresh.train()(torch.randn(2, 3, 32, 32)).sum().backward()
    fresh.save_pretrained(tmp_path / "fresh")
    again = ImageClassifier.from_pretrained(tmp_path / "fresh")
    assert torch.equal(again.head.weight, fresh.head.weight)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ignore_mismatched_head": True}, "ignore_mismatched_head needs label_names"),
        ({"label_names": "cat"}, "labels must be a list"),
        ({"label_names": ["cat", "cat", "owl"]}, "'cat' stands there twice"),
        ({"dtype": torch.int8}, r"dtype must be one such as torch\.bfloat16, not torch\.int8"),
        ({"dtype": "half"}, "dtype must be one such as"),
        ({"device": "toaster"}, "device 'toaster' cannot be used here"),
    ],
)
def test_options_that_cannot_be_are_named(options: dict, message: str, tiny_folder: Path) -> None:
    with pytest.raises(ConfigError, match=message) as raised:
        ImageClassifier.from_pretrained(tiny_folder, **options)
    assert "\n" not in str(raised.value)


def test_asking_the_hub_and_never_asking_it_exclude_each_other() -> None:
    with pytest.raises(ConfigError, match="force_download asks the hub, local_files_only never"):
        ImageClassifier.from_pretrained("owner/tiny", force_download=True, local_files_only=True)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_another_precision_classifies_and_is_saved_as_float32(
    dtype: torch.dtype, tiny_folder: Path, tmp_path: Path, model: ImageClassifier, photo: Path
) -> None:
    other = ImageClassifier.from_pretrained(tiny_folder, dtype=dtype)
    assert other.head.weight.dtype == dtype
    probabilities = {p.label: p.probability for p in model.classify(photo)}
    for prediction in other.classify(photo):
        assert prediction.probability == pytest.approx(probabilities[prediction.label], abs=0.05)
    other.save_pretrained(tmp_path / "other")
    assert ImageClassifier.from_pretrained(tmp_path / "other").head.weight.dtype == torch.float32


def test_the_device_is_where_the_weights_go(tiny_folder: Path) -> None:
    model = ImageClassifier.from_pretrained(tiny_folder, device="meta")
    assert {tensor.device.type for tensor in model.state_dict().values()} == {"meta"}
