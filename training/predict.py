"""A split to the logits of all its images, gathered from every process."""

import torch
from accelerate import Accelerator
from torch import Tensor
from torch.utils.data import DataLoader
from tqdm import tqdm

from hub_models.model import ImageClassifier


@torch.inference_mode()
def predict(
    accelerator: Accelerator,
    model: ImageClassifier,
    batches: DataLoader[tuple[Tensor, Tensor]],
    name: str,
) -> tuple[Tensor, Tensor]:
    """Go once over a split, keeping every image's logits at any number of processes.

    Args:
        accelerator: Gathers; drops the images it added to fill the last batch.
        model: Unwrapped; its mode is restored afterwards.
        batches: Prepared by the accelerator, in order: batch (n, 3, S, S), targets (n,).
        name: Of the split, for the progress bar.

    Returns:
        Logits (N, C), float32, and targets (N,), in the split's order, in main memory.
    """
    was_training = model.training
    model.eval()
    gathered = []
    for batch, targets in tqdm(batches, name, leave=False, disable=not accelerator.is_main_process):
        logits = model.forward(batch).float()  # not model(batch): that could compile again
        pair = accelerator.gather_for_metrics((logits, targets))
        gathered.append([part.cpu() for part in pair])
    model.train(was_training)
    logits, targets = (torch.cat(parts) for parts in zip(*gathered, strict=True))
    return logits, targets
