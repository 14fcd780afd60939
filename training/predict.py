"""A split to the logits of all its images, gathered from every process, and to its accuracy."""

from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.utils.data import DataLoader
from tqdm import tqdm

from hub_models import ImageClassifier
from hub_models.fold import evaluating, folded
from training.data import Pictures, as_it_is
from training.features import Features
from training.memory import give_back_freed_memory
from training.metrics import Evaluation

Rows = Pictures | Features
Batches = DataLoader[Any]  # of (batch (n, 3, S, S), targets (n,)); with Features (n, K), (n,)


def in_order(rows: Rows, *, batch_size: int, workers: int) -> Batches:
    """Make batches for evaluation, in order and complete.

    Args:
        rows: Pictures or features.
        batch_size: Rows per batch, over all processes.
        workers: Processes that decode; 0 for this one.

    Returns:
        The loader, to be prepared by an accelerator.
    """
    return DataLoader(
        rows,
        batch_size=batch_size,
        sampler=[(0, index) for index in range(len(rows))],
        num_workers=workers,
        persistent_workers=workers > 0,
        collate_fn=as_it_is,
    )


@torch.inference_mode()
def predict(
    accelerator: Accelerator, model: nn.Module, batches: Batches, name: str
) -> tuple[Tensor, Tensor]:
    """Go once over a split, keeping every image's logits at any number of processes.

    Args:
        accelerator: Gathers; drops the images it added to fill the last batch.
        model: Unwrapped; left in its mode.
        batches: From `in_order`, prepared by the accelerator.
        name: Of the split, for the progress bar.

    Returns:
        Logits (N, C), float32, and targets (N,), in the split's order, in main memory.
    """
    network = folded(model) if isinstance(model, ImageClassifier) else evaluating(model)
    gathered = []
    give_back_freed_memory()  # the first time, workers start below
    for batch, targets in tqdm(batches, name, leave=False, disable=not accelerator.is_main_process):
        logits = network.forward(batch).float()  # not network(batch): compiled, it'd recompile
        pair = accelerator.gather_for_metrics((logits, targets))
        gathered.append([part.cpu() for part in pair])
    logits, targets = (torch.cat(parts) for parts in zip(*gathered, strict=True))
    return logits, targets


def evaluate(accelerator: Accelerator, model: nn.Module, batches: Batches, name: str) -> Evaluation:
    """Count a model's right answers on a split, every image once.

    Args:
        accelerator: As for `predict`.
        model: As for `predict`.
        batches: As for `predict`.
        name: As for `predict`.

    Returns:
        Accuracy and loss.
    """
    logits, targets = predict(accelerator, model, batches, name)
    loss = nn.functional.cross_entropy(logits.double(), targets).item()
    correct = int((logits.argmax(dim=1) == targets).sum())
    return Evaluation(correct, len(targets), loss)
