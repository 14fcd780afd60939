import math
import multiprocessing
from pathlib import Path

import pytest
import torch
from accelerate import Accelerator, DataLoaderConfiguration
from torch import nn

from hub_models import ImageClassifier, PreprocessConfig
from training.config import Recipe
from training.data import Data, load_data
from training.loop import Training, evaluation, set_up
from training.metrics import Evaluation
from training.optimizer import make_optimizer
from training.predict import evaluate
from training.state import Progress


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


def train(training: Training, epoch: int = 0) -> Evaluation:
    progress = Progress(epoch=epoch)
    assert training.train_epoch(progress, lambda _: False)
    return evaluation(progress.totals)


@pytest.mark.parametrize("freeze", ["head", "last_stage"])
def test_frozen_parts_are_bit_equal_after_training(
    freeze: str, accelerator: Accelerator, data: Data
) -> None:
    recipe, model = tiny(freeze=freeze)
    before = snapshot(model)
    train(set_up(accelerator, recipe, data, model))
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
    train(set_up(accelerator, recipe, data, model))
    after = model.backbone.state_dict()
    assert not torch.equal(after["0.1.running_mean"], before["0.1.running_mean"])


def test_batch_norm_statistics_can_stay_while_the_weights_train(
    accelerator: Accelerator, data: Data
) -> None:
    recipe, model = tiny(freeze_batch_norm=True)
    before = snapshot(model.backbone)
    train(set_up(accelerator, recipe, data, model))
    after = model.backbone.state_dict()
    assert torch.equal(after["0.1.running_mean"], before["0.1.running_mean"])
    assert not torch.equal(after["0.1.weight"], before["0.1.weight"])
    assert not torch.equal(after["0.0.weight"], before["0.0.weight"])


def test_training_learns_the_colours(accelerator: Accelerator, data: Data) -> None:
    recipe, model = tiny(epochs=24, learning_rate=0.01, colour_jitter=0.0, label_smoothing=0.0)
    training = set_up(accelerator, recipe, data, model)
    losses = [train(training, epoch).loss for epoch in range(24)]
    assert sum(losses[-4:]) / 4 < 0.5 * losses[0]


def test_the_same_seed_gives_the_same_weights_with_and_without_workers(
    accelerator: Accelerator, data: Data
) -> None:
    weights = []
    for workers in (0, 2):
        recipe, model = tiny(workers=workers)
        train(set_up(accelerator, recipe, data, model))
        weights.append(model.head.weight.detach().clone())
    assert torch.equal(*weights)


def test_stored_pixels_train_the_same_weights_as_decoded_ones(
    accelerator: Accelerator, data: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUB_MODELS_CACHE", str(tmp_path / "cache"))
    weights, losses = [], []
    for budget_gib in (0.0, 0.1):  # 50 × 40 px: small enough to be stored as they are
        recipe, model = tiny(pixel_cache_gib=budget_gib, random_erasing=0.5)
        training = set_up(accelerator, recipe, data, model)
        train(training)
        losses.append(training.validate().loss)
        weights.append(model.head.weight.detach().clone())
    assert len(list((tmp_path / "cache" / "pixels").iterdir())) == 2
    assert torch.equal(*weights)
    assert losses[0] == losses[1]


def test_worker_processes_are_started_once(accelerator: Accelerator, data: Data) -> None:
    recipe, model = tiny(workers=1)
    training = set_up(accelerator, recipe, data, model)
    workers = []
    for epoch in range(2):
        train(training, epoch)
        training.validate()
        workers.append({process.pid for process in multiprocessing.active_children()})
    assert len(workers[0]) == 2  # one trains, one validates
    assert workers[0] == workers[1]


def test_stored_pixels_need_no_worker_processes_on_a_cpu(
    data: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUB_MODELS_CACHE", str(tmp_path / "cache"))
    accelerator = Accelerator(
        cpu=True, dataloader_config=DataLoaderConfiguration(split_batches=True)
    )
    for budget_gib, expected in ((0.0, 1), (0.1, 0)):
        recipe, model = tiny(workers=1, pixel_cache_gib=budget_gib)
        training = set_up(accelerator, recipe, data, model)
        assert training.train_batches.num_workers == expected
        assert training.validation_batches.num_workers == expected


def test_a_loss_that_is_not_a_number_stops_the_run(accelerator: Accelerator, data: Data) -> None:
    recipe, model = tiny()
    nn.init.constant_(model.head.weight, math.nan)
    with pytest.raises(FloatingPointError, match="lower learning_rate"):
        train(set_up(accelerator, recipe, data, model))


def test_channels_last_changes_the_layout_and_not_the_result(
    accelerator: Accelerator, data: Data
) -> None:
    losses = []
    for channels_last in (False, True):
        recipe, model = tiny(channels_last=channels_last, learning_rate=1e-9)
        losses.append(train(set_up(accelerator, recipe, data, model)).loss)
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


def gradients(accelerator: Accelerator, data: Data, **keys: object) -> list[torch.Tensor]:
    """Of one step over all 48 images, batch norm and dropout out of the way."""
    recipe, model = tiny(
        batch_size=48, freeze_batch_norm=True, optimizer="sgd", momentum=0.0, **keys
    )
    model.dropout.p = 0.0
    before = [p.detach().clone() for p in model.parameters()]
    train(set_up(accelerator, recipe, data, model))
    return [a - b for a, b in zip(before, model.parameters(), strict=True)]


@pytest.mark.parametrize("micro_batches", [2, 5])
def test_micro_batches_give_the_gradient_of_the_whole_batch(
    micro_batches: int, accelerator: Accelerator, data: Data
) -> None:
    whole = gradients(accelerator, data)
    parts = gradients(accelerator, data, micro_batches=micro_batches)
    for one, other in zip(whole, parts, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-7)


def test_the_last_smaller_step_weighs_its_images_rightly(
    accelerator: Accelerator, data: Data
) -> None:
    recipe, model = tiny(batch_size=32, micro_batches=3)  # 48 images: steps of 32 and 16
    training = set_up(accelerator, recipe, data, model)
    progress = Progress()
    counted: list[float] = []
    training.train_epoch(progress, lambda p: bool(counted.append(p.totals[1])))
    assert counted == [32.0, 48.0]
    assert training.sampler.steps == 2


def test_clipping_bounds_the_step(accelerator: Accelerator, data: Data) -> None:
    recipe, model = tiny(
        batch_size=48, clip_norm=0.01, optimizer="sgd", momentum=0.0, weight_decay=0.0,
        learning_rate=1.0, warmup_epochs=0.0, schedule="constant",
    )  # fmt: skip
    before = [p.detach().clone() for p in model.parameters()]
    train(set_up(accelerator, recipe, data, model))
    moved = [a - b for a, b in zip(before, model.parameters(), strict=True)]
    norm = torch.cat([m.flatten() for m in moved]).norm().item()
    assert norm == pytest.approx(0.01, rel=1e-3)


def test_gradual_freezing_opens_the_backbone_after_its_epochs(
    accelerator: Accelerator, data: Data
) -> None:
    recipe, model = tiny(freeze="head", freeze_epochs=1, weights="imagenet", epochs=2)
    before = snapshot(model.backbone)
    training = set_up(accelerator, recipe, data, model)
    train(training, 0)
    after_first = snapshot(model.backbone)
    assert all(torch.equal(after_first[n], before[n]) for n in before)
    train(training, 1)
    assert not torch.equal(model.backbone.state_dict()["0.0.weight"], before["0.0.weight"])


def test_the_moving_average_is_what_is_measured_and_lags_behind(
    accelerator: Accelerator, data: Data
) -> None:
    recipe, model = tiny(ema_decay=0.9)
    training = set_up(accelerator, recipe, data, model)
    start = model.head.weight.detach().clone()
    train(training)
    averaged = training.result
    assert averaged is not model
    lag = (averaged.head.weight - start).norm()
    assert 0 < lag < (model.head.weight - start).norm()
    assert averaged.backbone.get_buffer("0.1.num_batches_tracked") == 3
    training.validate()


def test_a_frozen_backbone_is_bit_equal_in_the_moving_average(
    accelerator: Accelerator, data: Data
) -> None:
    recipe, model = tiny(freeze="head", ema_decay=0.5)
    before = snapshot(model.backbone)
    training = set_up(accelerator, recipe, data, model)
    train(training)
    after = training.result.backbone.state_dict()
    assert all(torch.equal(after[n], before[n]) for n in before)


@pytest.mark.parametrize("keys", [{"mixup": 0.4}, {"cutmix": 1.0}, {"mixup": 0.4, "cutmix": 1.0}])
def test_mixed_images_train_too(
    keys: dict[str, object], accelerator: Accelerator, data: Data
) -> None:
    recipe, model = tiny(**keys)
    before = model.head.weight.detach().clone()
    assert 0 < train(set_up(accelerator, recipe, data, model)).loss < 10
    assert not torch.equal(model.head.weight, before)


def test_balanced_class_weights_make_rare_classes_count(
    accelerator: Accelerator, data: Data
) -> None:
    targets = data.splits["train"]["target"][:]
    kept = [i for i, target in enumerate(targets) if target != 0 or i % 4 == 0]
    data.splits["train"] = data.splits["train"].select(kept)
    recipe, model = tiny(class_weights="balanced")
    weight = set_up(accelerator, recipe, data, model).criterion.weight
    counts = torch.bincount(torch.tensor(data.splits["train"]["target"][:]))
    torch.testing.assert_close(weight * counts, (counts.sum() / 3).expand(3).float())


def test_the_mean_of_the_best_epochs_is_the_mean(accelerator: Accelerator, data: Data) -> None:
    recipe, model = tiny(average_best=2)
    training = set_up(accelerator, recipe, data, model)
    heads = []
    for epoch, accuracy in enumerate([0.5, 0.9, 0.7]):
        train(training, min(epoch, 1))
        training.remember(accuracy, epoch + 1)
        heads.append(model.head.weight.detach().clone())
    assert [(a, e) for a, e, _ in training.best] == [(0.9, 2), (0.7, 3)]
    training.average_of_best()
    torch.testing.assert_close(model.head.weight.detach(), (heads[1] + heads[2]) / 2)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("adam", torch.optim.Adam),
        ("adamw", torch.optim.AdamW),
        ("sgd", torch.optim.SGD),
        ("rmsprop", torch.optim.RMSprop),
    ],
)
def test_every_optimiser_goes_downhill(name: str, kind: type[torch.optim.Optimizer]) -> None:
    recipe, model = tiny(optimizer=name, learning_rate=1e-3, weight_decay=0.0)
    optimizer = make_optimizer(model, recipe)
    assert type(optimizer) is kind
    losses = []
    for _ in range(20):
        loss = sum(p.square().sum() for p in model.parameters())
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert losses == sorted(losses, reverse=True)


def test_the_optimiser_steps_at_the_rate_of_the_schedule_also_after_a_resume(
    accelerator: Accelerator, data: Data
) -> None:
    recipe, model = tiny(epochs=3)
    training = set_up(accelerator, recipe, data, model)
    seen = []

    def look(progress: Progress) -> bool:
        seen.append((training.optimizer.param_groups[0]["lr"], training.schedule.rates()[0]))
        return False

    assert training.train_epoch(Progress(), look)
    assert all(used == said for used, said in seen)
    assert len({used for used, _ in seen}) == len(seen) == 3
    training.load_state_dict(training.state_dict())
    assert training.train_epoch(Progress(epoch=1), look)
    assert all(used == said for used, said in seen)
    assert len({used for used, _ in seen}) == 6


def test_a_compiled_model_keeps_the_names_of_its_weights(
    accelerator: Accelerator, data: Data
) -> None:
    recipe, model = tiny(compile=True)
    names = list(model.state_dict())
    set_up(accelerator, recipe, data, model)
    assert model._compiled_call_impl is not None  # what calling it runs
    assert list(model.state_dict()) == names
