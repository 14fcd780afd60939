"""The options of from_pretrained: labels, precision, device."""

import os
import pickle
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from hub_models import CheckpointError, ConfigError, ImageClassifier, load_runtime
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
        ({"label_names": "cat"}, "labels must be at least one class name"),
        ({"label_names": ["cat", "cat", "owl"]}, "'cat' stands there twice"),
        ({"dtype": torch.int8}, r"dtype must be one of torch\.float32, .*, not torch\.int8"),
        ({"dtype": "half"}, "dtype must be one of .*, not 'half'"),
        ({"dtype": torch.float8_e4m3fn}, "dtype must be one of"),
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


def written_over(folder: Path, how: str) -> None:
    """Change a folder's weights as people do by mistake, and as `save_pretrained` does."""
    path = folder / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-(len(content) // 2) :] = bytes(len(content) // 2)
    match how:
        case "copied over":
            path.write_bytes(content)
        case "cut short":
            os.truncate(path, len(content) // 2)
        case "written into":
            with open(path, "r+b") as file:
                file.seek(len(content) // 2)
                file.write(content[len(content) // 2 :])
        case "renamed":
            (folder / "new").write_bytes(content)
            (folder / "new").rename(path)
        case "gone":
            path.unlink()


HARM = ("copied over", "cut short", "written into", "renamed", "gone")


@pytest.mark.parametrize("how", HARM)
def test_a_loaded_classifier_does_not_change_with_its_file(
    how: str, folder: Path, photo: Path
) -> None:
    model = ImageClassifier.from_pretrained(folder)
    runtime = load_runtime(folder, engine="torch", mmap=True)  # its folded copy is its own
    expected = model.classify(photo), runtime.classify(photo)
    written_over(folder, how)
    assert (model.classify(photo), runtime.classify(photo)) == expected


@pytest.mark.parametrize("how", HARM)
def test_a_mapped_classifier_refuses_to_answer_once_its_file_was_written_over(
    how: str, folder: Path, photo: Path
) -> None:
    plain = ImageClassifier.from_pretrained(folder).classify(photo)
    model = ImageClassifier.from_pretrained(folder, mmap=True)
    copies = model.__deepcopy__({}), pickle.loads(pickle.dumps(model))
    assert model.classify(photo) == plain
    written_over(folder, how)
    if how in ("renamed", "gone"):  # the map is of the file that was
        assert model.classify(photo) == plain
    else:
        said = r"model\.safetensors: written over while its weights were mapped; load it again"
        asks = [lambda: model.classify(photo), lambda: model(torch.zeros(1, 3, 32, 32))]
        asks += [lambda: model.save_pretrained(folder / "x"), lambda: pickle.dumps(model)]
        for ask in asks:
            with pytest.raises(CheckpointError, match=said):
                ask()
    assert [copied.classify(photo) for copied in copies] == [plain, plain]


@pytest.mark.parametrize("options", [{"dtype": torch.bfloat16}, {"device": "meta"}])
def test_a_map_that_does_not_stay_is_not_watched(options: dict[str, object], folder: Path) -> None:
    model = ImageClassifier.from_pretrained(folder, mmap=True, **options)
    written_over(folder, "copied over")
    model(torch.zeros(1, 3, 32, 32).to(model.head.weight))


@pytest.mark.parametrize("mmap", [False, True])
def test_a_pickle_holds_the_weights_once(mmap: bool, folder: Path) -> None:
    """Tensors that share the storage of a whole file would each take it along."""
    model = ImageClassifier.from_pretrained(folder, mmap=mmap)
    size = (folder / "model.safetensors").stat().st_size
    assert len(pickle.dumps(model)) < size + 2000 * len(model.state_dict())
