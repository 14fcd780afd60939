"""transformers: what its example "image classification, no trainer" is documented to do.

An image folder read by `datasets`, torchvision transforms, AdamW without decay on biases, a linear
schedule, Accelerate, accuracy by `gather_for_metrics`, the model saved at the end.
"""

from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from datasets import load_dataset
from torch.utils.data import DataLoader
from torchvision import transforms
from transformers import AutoModelForImageClassification, get_scheduler

from benchmarks.trainers.order import MEAN, STD, Clock, Order


def train(order: Order, clock: Clock) -> float:
    """Train a folder that `AutoModelForImageClassification` reads.

    Args:
        order: What to train on what.
        clock: Notes steps and epochs.

    Returns:
        Validation accuracy after the last epoch.
    """
    accelerator = Accelerator()
    torch.manual_seed(0)
    model = AutoModelForImageClassification.from_pretrained(order.start)
    if order.frozen:
        model.requires_grad_(False)
        _head(model).requires_grad_(True)
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    groups = [
        {"params": [p for n, p in trained.items() if "bias" not in n], "weight_decay": 0.01},
        {"params": [p for n, p in trained.items() if "bias" in n], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=order.learning_rate)
    batches, tests = _batches(order)
    steps = order.epochs * len(batches)
    schedule = get_scheduler("linear", optimizer, num_warmup_steps=0, num_training_steps=steps)
    model, optimizer, batches, tests, schedule = accelerator.prepare(
        model, optimizer, batches, tests, schedule
    )
    accuracy = 0.0
    for _ in range(order.epochs):
        model.train()
        if order.frozen:  # spares peers the statistics, and the drift that comes with them
            model.eval()
        for batch in batches:
            accelerator.backward(model(**batch).loss)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
            clock.step()
        accuracy = _accuracy(accelerator, model, tests)
        clock.epoch()
    accelerator.unwrap_model(model).save_pretrained(order.out)
    return accuracy


def _head(model: Any) -> Any:
    """Find the last linear layer: `timm_model.fc` of a ResNet, `classifier` of others."""
    return [m for m in model.modules() if isinstance(m, torch.nn.Linear)][-1]


def _batches(order: Order) -> tuple[Any, Any]:
    view = transforms.Compose([
        transforms.Resize(order.resize),
        transforms.CenterCrop(order.side),
        transforms.ToTensor(),
        transforms.Normalize(MEAN, STD),
    ])  # fmt: skip

    def prepare(rows: dict[str, Any]) -> dict[str, Any]:
        rows["pixel_values"] = [view(image.convert("RGB")) for image in rows["image"]]
        return rows

    data = load_dataset(
        "imagefolder", data_dir=order.data, cache_dir=str(Path(order.out, "datasets"))
    )
    loaders = []
    for name, shuffle in (("train", True), ("validation", False)):
        split = data[name].with_transform(prepare)
        loaders.append(
            DataLoader(
                split,
                shuffle=shuffle,
                collate_fn=_collate,
                batch_size=order.batch,
                num_workers=order.workers,
            )
        )
    return loaders[0], loaders[1]


def _collate(rows: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
    pixels = torch.stack([row["pixel_values"] for row in rows])
    return {"pixel_values": pixels, "labels": torch.tensor([row["label"] for row in rows])}


def _accuracy(accelerator: Any, model: Any, batches: Any) -> float:
    model.eval()
    right = count = 0
    for batch in batches:
        with torch.no_grad():
            said = model(**batch).logits.argmax(dim=-1)
        said, true = accelerator.gather_for_metrics((said, batch["labels"]))
        right, count = right + int((said == true).sum()), count + len(true)
    return right / count
