"""Trainers of the benchmark learn the same small thing from the same weights."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image

from benchmarks.interop import lived_in
from benchmarks.photographs import write_split
from benchmarks.trainers import ours, timm_loop, transformers_loop
from benchmarks.trainers.order import Clock, Order
from hub_models import ImageClassifier, PreprocessConfig

pytestmark = pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")  # timm's data set


@pytest.fixture(scope="module")
def order(tmp_path_factory: pytest.TempPathFactory) -> Order:
    parent = tmp_path_factory.mktemp("trainers")
    for label, colour in (("blue", (20, 40, 200)), ("red", (200, 40, 20))):
        for number in range(10):
            path = parent / "source" / label / f"{number}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (50 + number, 40), colour).save(path)
    write_split(parent / "source", parent / "data", (10, 10))
    rule = PreprocessConfig(resize=36, crop=32)
    model = ImageClassifier.create("mobilenetv2_035", ["blue", "red"], preprocess=rule)
    torch.manual_seed(0)
    lived_in(model)
    model.save_pretrained(parent / "start")
    return Order("", str(parent / "data"), str(parent / "start"), "", "mobilenetv2_035",
                 epochs=4, batch=4, side=32, workers=0, threads=1, learning_rate=0.05)  # fmt: skip


def test_a_split_has_every_fifth_picture_of_a_class_for_validation(order: Order, tmp_path: Path):
    counts = {p: len(list(Path(order.data, p, "red").iterdir())) for p in ("train", "validation")}
    assert counts == {"train": 8, "validation": 2}
    with pytest.raises(SystemExit, match="pictures of the classes, not"):
        write_split(Path(order.data), tmp_path / "more", (11, 10))


@pytest.mark.parametrize("trainer", [ours, timm_loop, transformers_loop])
def test_a_trainer_learns_colours_with_a_frozen_backbone(trainer, order: Order, tmp_path: Path):
    clock = Clock()
    accuracy = trainer.train(replace(order, out=str(tmp_path / "run")), clock)
    assert accuracy > 0.5  # one class for all pictures would be half
    noted = clock.last_epoch
    assert noted["epoch_s"] > noted["tests_s"] + 2 * noted["step_s"] > 0
