"""timm: its parts put together as its train.py does, the backbone frozen by `timm.utils.freeze`."""

from pathlib import Path
from typing import Any

import timm
import torch
from timm.data import create_dataset, create_loader
from timm.optim import create_optimizer_v2
from timm.scheduler import create_scheduler_v2
from timm.utils import AverageMeter, freeze
from timm.utils import accuracy as right_percent

from benchmarks.trainers.order import MEAN, STD, Clock, Order


def train(order: Order, clock: Clock) -> float:
    """Train a folder that `timm.create_model` reads.

    Args:
        order: What to train on what.
        clock: Notes steps and epochs.

    Returns:
        Validation accuracy after the last epoch.
    """
    torch.manual_seed(0)
    model = timm.create_model(f"local-dir:{order.start}", pretrained=True)
    if order.frozen:
        head = model.pretrained_cfg["classifier"].partition(".")[0]
        freeze(model, [name for name, _ in model.named_children() if name != head])
    if order.channels_last:
        model.to(memory_format=torch.channels_last)
    batches, tests = _loader(order, "train"), _loader(order, "validation")
    batches.dataset.transform = tests.dataset.transform  # --no-aug alone resizes otherwise
    optimizer = create_optimizer_v2(model, "adamw", lr=order.learning_rate, weight_decay=0.01)
    schedule, epochs = create_scheduler_v2(optimizer, "cosine", num_epochs=order.epochs)
    criterion = torch.nn.CrossEntropyLoss()
    accuracy, updates = 0.0, 0
    for epoch in range(epochs):
        model.train()
        for batch, targets in batches:
            loss = criterion(model(_laid_out(batch, order)), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            updates += 1
            schedule.step_update(num_updates=updates)
            clock.step()
        accuracy = _accuracy(order, model, tests)
        schedule.step(epoch + 1, accuracy)
        clock.epoch()
    Path(order.out).mkdir(parents=True, exist_ok=True)
    torch.save(model.state_dict(), Path(order.out, "last.pth"))
    return accuracy


def _loader(order: Order, split: str) -> Any:
    is_training = split == "train"
    return create_loader(
        create_dataset("", root=str(Path(order.data, split)), split=split),
        (3, order.side, order.side),
        order.batch,
        is_training=is_training,
        no_aug=is_training,
        interpolation="bilinear",
        crop_pct=0.875,
        mean=MEAN,
        std=STD,
        num_workers=order.workers,
        device=torch.device("cpu"),
    )


def _laid_out(batch: torch.Tensor, order: Order) -> torch.Tensor:
    return batch.contiguous(memory_format=torch.channels_last) if order.channels_last else batch


def _accuracy(order: Order, model: Any, batches: Any) -> float:
    model.eval()
    meter = AverageMeter()
    with torch.no_grad():
        for batch, targets in batches:
            (percent,) = right_percent(model(_laid_out(batch, order)), targets)
            meter.update(percent.item(), len(targets))
    mean: float = meter.avg / 100
    return mean
