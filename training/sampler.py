"""Which images each process sees in each optimiser step: decided by seed, epoch and step alone."""

from collections.abc import Iterator, Sequence
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
        self._drawn: tuple[int, list[int]] = (-1, [])  # an epoch and its order
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

    def indices(self, step: int, part: int) -> Sequence[int]:
        """Name the images of one of this process's micro-batches in the current epoch.

        Args:
            step: Of the epoch, counted from 0.
            part: Which micro-batch of the step, counted from 0.

        Returns:
            Rows of the training split, in the order of the micro-batch.
        """
        chunk = self._order()[step * self.batch_size : (step + 1) * self.batch_size]
        first = part * (self.parts // self.micro_batches) + self.process
        return chunk[first :: self.parts]

    def __len__(self) -> int:
        return (self.steps - self.first_step) * self.micro_batches

    def __iter__(self) -> Iterator[list[Key]]:
        for step in range(self.first_step, self.steps):
            for part in range(self.micro_batches):
                yield [(self.epoch, index) for index in self.indices(step, part)]

    def _order(self) -> list[int]:
        if self._drawn[0] != self.epoch:
            generator = torch.Generator().manual_seed(seed_of(self.seed, self.epoch))
            order = torch.randperm(self.images, generator=generator).tolist()
            self._drawn = (self.epoch, order)
        return self._drawn[1]


def seed_of(*numbers: int) -> int:
    """Mix whole numbers into a seed, so that neighbours give unrelated random numbers.

    Args:
        numbers: At least 0 each, such as (seed, epoch, index).

    Returns:
        A 64-bit seed.
    """
    return int(SeedSequence(numbers).generate_state(1, "uint64")[0] >> 1)
