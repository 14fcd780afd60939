"""Which images each process sees in each optimiser step: decided by seed, epoch and step alone."""

from collections.abc import Iterator
from typing import Final

import torch
from numpy.random import SeedSequence
from torch.utils.data import Sampler

from hub_models.errors import ConfigError

MIN_IMAGES: Final = 4  # per micro-batch of a full step
Key = tuple[int, int]  # (epoch, index): names an image and seeds its augmentation


class StepSampler(Sampler[list[Key]]):
    """Yields this process's share of every optimiser step, as one or several micro-batches.

    The images of a step are the same at any number of processes and of micro-batches; only who
    computes which of them differs. Each epoch's order is drawn from (seed, epoch), so a run can go
    on at any step without a word about the past. The last, smaller step is kept if it is at least
    half full, so that every micro-batch has two images, which batch norm needs.

    Args:
        images: In the training split.
        batch_size: Images per optimiser step, over all processes and micro-batches; all of them
            if there are fewer.
        micro_batches: Parts of a step that each process computes one after the other.
        process: This one, counted from 0.
        processes: In all.
        seed: Of the order.

    Raises:
        ConfigError: If a step has too few images for so many parts.
    """

    def __init__(
        self,
        images: int,
        *,
        batch_size: int,
        micro_batches: int = 1,
        process: int = 0,
        processes: int = 1,
        seed: int = 0,
    ) -> None:
        self.images = images
        self.batch_size = min(batch_size, images)
        self.micro_batches = micro_batches
        self.process = process
        self.parts = processes * micro_batches
        self.seed = seed
        self.epoch = 0
        self.first_step = 0
        if self.batch_size < MIN_IMAGES * self.parts:
            raise ConfigError(
                f"{self.batch_size} images per step are too few for {processes} processes with "
                f"{micro_batches} micro-batches each: {MIN_IMAGES} images for each are needed"
            )
        full_steps, rest = divmod(images, self.batch_size)
        self.steps = full_steps + (2 * rest >= self.batch_size)

    def images_in(self, step: int) -> int:
        """Count the images of a step, over all processes."""
        return min(self.batch_size, self.images - step * self.batch_size)

    def __len__(self) -> int:
        return (self.steps - self.first_step) * self.micro_batches

    def __iter__(self) -> Iterator[list[Key]]:
        generator = torch.Generator().manual_seed(seed_of(self.seed, self.epoch))
        order = torch.randperm(self.images, generator=generator).tolist()
        for step in range(self.first_step, self.steps):
            chunk = order[step * self.batch_size : (step + 1) * self.batch_size]
            for micro_batch in range(self.micro_batches):
                part = micro_batch * (self.parts // self.micro_batches) + self.process
                yield [(self.epoch, index) for index in chunk[part :: self.parts]]


def seed_of(*numbers: int) -> int:
    """Mix whole numbers into a seed, so that neighbours give unrelated random numbers.

    Args:
        numbers: At least 0 each, such as (seed, epoch, index).

    Returns:
        A 64-bit seed.
    """
    return int(SeedSequence(numbers).generate_state(1, "uint64")[0] >> 1)
