"""fastai: `vision_learner` with its own head, trained by `fit_one_cycle` as `fine_tune` does."""

import warnings
from pathlib import Path

import torch
from fastai.vision.all import (
    BnFreeze,
    Callback,
    accuracy,
    vision_learner,
)
from torch import nn

from benchmarks.fastai_reader import centred_loaders
from benchmarks.trainers.order import Clock, Order
from benchmarks.twin import torchvision_twin


class Noted(Callback):
    """Notes steps and epochs."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    def after_batch(self) -> None:
        """Called by fastai after every batch."""
        if self.training:
            self.clock.step()

    def after_epoch(self) -> None:
        """Called by fastai after every validation."""
        self.clock.epoch()


def train(order: Order, clock: Clock) -> float:
    """Train torchvision's model of the same weights.

    Args:
        order: What to train on what.
        clock: Notes steps and epochs.

    Returns:
        Validation accuracy after the last epoch.
    """
    torch.manual_seed(0)
    model, config = torchvision_twin(Path(order.start))
    loaders = centred_loaders(
        Path(order.data), config.preprocess, bs=order.batch, num_workers=order.workers
    )
    learner = vision_learner(
        loaders,
        lambda **_: _with_pool(model),
        normalize=False,
        pretrained=False,
        metrics=accuracy,
        train_bn=not order.frozen,
        cbs=[Noted(clock), *([BnFreeze()] if order.frozen else [])],
        path=Path(order.out),
    )
    learner.freeze() if order.frozen else learner.unfreeze()
    with learner.no_bar(), learner.no_logging(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        learner.fit_one_cycle(order.epochs, order.learning_rate)
    learner.save("last")
    return float(learner.recorder.values[-1][-1])


def _with_pool(model: nn.Module) -> nn.Module:
    """Give MobileNetV2 its pool as a layer: fastai cuts where it finds one."""
    if hasattr(model, "features"):
        return nn.Sequential(model.features, nn.AdaptiveAvgPool2d(1), model.classifier)
    return model
