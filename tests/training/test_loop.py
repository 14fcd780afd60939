import math

import pytest
import torch
from accelerate import Accelerator, DataLoaderConfiguration
from torch import nn

from hub_models import ImageClassifier, PreprocessConfig
from training.config import Recipe
from training.data import Data, load_data
from training.loop import evaluate, make_optimizer, make_schedule, set_up


@pytest.fixture
def accelerator() -> Accelerator:
    return Accelerator(dataloader_config=DataLoaderConfiguration(split_batches=True))


@pytest.fixture
def data(class_folders: object) -> Data:
    return load_data(str(class_folders), validation_fraction=0.2)


def tiny(**recipe: object) -> tuple[Recipe, ImageClassifier]:
    keys = {"freeze": "none", "image_size": 32, "batch_size": 16, "workers": 0, "epochs": 2}
    chosen = Recipe(**{**keys, **recipe})  # type: ignore[arg-type]
    torch.manual_seed(0)
    preprocess = PreprocessConfig(resize=36, crop=32)
    labels = ["blue", "green", "red"]
    model = ImageClassifier.create("mobilenetv2_025", labels, preprocess=preprocess)
    model.freeze(chosen.freeze, batch_norm=chosen.freeze_batch_norm)
    return chosen, model


def snapshot(module: nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


@pytest.mark.parametrize("freeze", ["head", "last_stage"])
def test_frozen_parts_are_bit_equal_after_training(
    freeze: str, accelerator: Accelerator, data: Data
) -> None:
    recipe, model = tiny(freeze=freeze)
    before = snapshot(model)
    set_up(accelerator, recipe, data, model).train_epoch(0)
    changed = {n for n, tensor in model.state_dict().items() if not torch.equal(tensor, before[n])}
    trained = {"head": ("head.",), "last_stage": ("head.", "backbone.14.", "backbone.18.")}[freeze]
    allowed = tuple(f"backbone.{i}." for i in range(14, 19)) if freeze == "last_stage" else ()
    assert all(name.startswith(("head.", *allowed)) for name in changed), changed
    assert all(any(name.startswith(part) for name in changed) for part in trained)


def test_the_naive_way_to_freeze_lets_running_statistics_drift(
    accelerator: Accelerator, data: Data
) -> None:
    recipe, model = tiny()
    model.backbone.requires_grad_(False)  # what most scripts do, and nothing more
    before = snapshot(model.backbone)
    set_up(accelerator, recipe, data, model).train_epoch(0)
    after = model.backbone.state_dict()
    assert not torch.equal(after["0.1.running_mean"], before["0.1.running_mean"])


def test_batch_norm_statistics_can_stay_while_the_weights_train(
    accelerator: Accelerator, data: Data
) -> None:
    recipe, model = tiny(freeze_batch_norm=True)
    before = snapshot(model.backbone)
    set_up(accelerator, recipe, data, model).train_epoch(0)
    after = model.backbone.state_dict()
    assert torch.equal(after["0.1.running_mean"], before["0.1.running_mean"])
    assert not torch.equal(after["0.1.weight"], before["0.1.weight"])
    assert not torch.equal(after["0.0.weight"], before["0.0.weight"])


def test_training_learns_the_colours(accelerator: Accelerator, data: Data) -> None:
    recipe, model = tiny(epochs=12, learning_rate=0.01, colour_jitter=0.0, label_smoothing=0.0)
    training = set_up(accelerator, recipe, data, model)
    losses = [training.train_epoch(epoch).loss for epoch in range(12)]
    assert losses[-1] < 0.5 * losses[0]


def test_the_same_seed_gives_the_same_weights_with_and_without_workers(
    accelerator: Accelerator, data: Data
) -> None:
    weights = []
    for workers in (0, 2):
        recipe, model = tiny(workers=workers)
        set_up(accelerator, recipe, data, model).train_epoch(0)
        weights.append(model.head.weight.detach().clone())
    assert torch.equal(*weights)


def test_a_loss_that_is_not_a_number_stops_the_run(accelerator: Accelerator, data: Data) -> None:
    recipe, model = tiny()
    nn.init.constant_(model.head.weight, math.nan)
    with pytest.raises(FloatingPointError, match="lower learning_rate"):
        set_up(accelerator, recipe, data, model).train_epoch(0)


def test_channels_last_changes_the_layout_and_not_the_result(
    accelerator: Accelerator, data: Data
) -> None:
    losses = []
    for channels_last in (False, True):
        recipe, model = tiny(channels_last=channels_last, learning_rate=1e-9)
        losses.append(set_up(accelerator, recipe, data, model).train_epoch(0).loss)
    weight = model.backbone.get_parameter("1.conv.1.weight")
    assert weight.is_contiguous(memory_format=torch.channels_last)
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


def test_evaluation_counts_every_image_once_and_restores_the_mode(
    accelerator: Accelerator, data: Data
) -> None:
    recipe, model = tiny(batch_size=5)
    training = set_up(accelerator, recipe, data, model)
    model.train()
    result = evaluate(accelerator, model, training.validation_batches, "validation")
    predictions = model.classify([row["image"]["path"] for row in data.splits["validation"]], top=1)
    targets = [data.label_names[row["target"]] for row in data.splits["validation"]]
    correct = sum(p[0].label == target for p, target in zip(predictions, targets, strict=True))
    assert (result.images, result.correct) == (12, correct)
    assert model.training


def test_the_schedule_rises_then_falls_to_zero() -> None:
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = make_schedule(optimizer, steps=10, warmup_steps=4)
    rates = []
    for _ in range(10):
        rates.append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()
    assert rates[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert rates[5:] == sorted(rates[5:], reverse=True)
    assert schedule.get_last_lr()[0] == pytest.approx(0.0, abs=1e-12)


def test_biases_and_norms_are_not_decayed_and_the_head_has_its_own_rate() -> None:
    recipe, model = tiny(learning_rate=0.1, head_learning_rate=0.5, weight_decay=0.3)
    groups = make_optimizer(model, recipe).param_groups
    assert [(g["lr"], g["weight_decay"]) for g in groups] == [
        (0.1, 0.3),
        (0.1, 0.0),
        (0.5, 0.3),
        (0.5, 0.0),
    ]
    assert all(p.ndim > 1 for g in groups if g["weight_decay"] for p in g["params"])
    assert sum(len(g["params"]) for g in groups) == len(list(model.parameters()))


def test_a_frozen_backbone_is_not_in_the_optimiser() -> None:
    recipe, model = tiny(freeze="head", optimizer="sgd")
    optimizer = make_optimizer(model, recipe)
    assert isinstance(optimizer, torch.optim.SGD)
    assert sum(len(g["params"]) for g in optimizer.param_groups) == 2
