"""The folders the repository ships: real models, whose cards say only what was measured."""

import hashlib
import json
import re
from pathlib import Path

import pytest
from huggingface_hub import ModelCard

from hub_models import ImageClassifier

CARDS = Path("model_cards")
FOLDERS = sorted(path.parent for path in CARDS.glob("*/config.json"))
CAT = Path("demo/examples/cat.jpg")


def test_both_models_are_there() -> None:
    assert [folder.name for folder in FOLDERS] == [
        "mobilenetv2-100-cats-vs-dogs",
        "resnet18-cats-vs-dogs",
    ]


def test_the_better_model_sees_the_cat() -> None:
    model = ImageClassifier.from_pretrained(CARDS / "mobilenetv2-100-cats-vs-dogs")
    assert model.classify(CAT)[0].label == "cat"


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_it_says_cat_or_dog(folder: Path) -> None:
    predictions = ImageClassifier.from_pretrained(folder).classify(CAT)
    assert sorted(p.label for p in predictions) == ["cat", "dog"]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_saving_it_again_gives_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    again = tmp_path / folder.name
    ImageClassifier.from_pretrained(folder).save_pretrained(again)
    for path in folder.iterdir():
        assert path.read_bytes() == (again / path.name).read_bytes(), path.name


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_its_card_says_start_photographs_size_time_and_both_accuracies(folder: Path) -> None:
    text = (folder / "README.md").read_text(encoding="utf-8")
    rows = ("Started from", "Training photographs", "Image size in training", "Training time")
    for row in rows:
        assert re.search(rf"^\| {re.escape(row)}.* \| .+ \|$", text, re.MULTILINE), row
    assert "do not compare the architectures" in " ".join(text.split())
    results = json.loads((folder / "results.json").read_text())
    metadata = ModelCard(text).data
    measured = {r.dataset_split: r.metric_value for r in metadata.eval_results or []}
    assert measured == {split: numbers["accuracy"] for split, numbers in results.items()}
    assert set(measured) == {"validation", "test"}
    for numbers in results.values():
        assert numbers["correct"] / numbers["images"] == numbers["accuracy"]
        assert f"{numbers['accuracy']:.2%}" in text


def test_the_accuracies_are_those_we_promise() -> None:
    results = {folder.name: json.loads((folder / "results.json").read_text()) for folder in FOLDERS}
    assert results["mobilenetv2-100-cats-vs-dogs"]["test"]["accuracy"] >= 0.965
    assert results["resnet18-cats-vs-dogs"]["test"]["accuracy"] >= 0.95
    for splits in results.values():
        assert splits["test"]["ece_calibrated"] < 0.02


def test_the_comparison_is_of_the_committed_weights() -> None:
    comparison = json.loads((CARDS / "comparison.json").read_text())
    for folder, model in zip(FOLDERS, comparison["models"], strict=True):
        weights = (folder / "model.safetensors").read_bytes()
        assert model["weights_sha256"] == hashlib.sha256(weights).hexdigest()
        results = json.loads((folder / "results.json").read_text())
        assert model["accuracy"] == results["test"]["accuracy"]
