"""A data set whose training pictures are read as they arrive and never stored."""

import sys
from collections.abc import Iterator
from itertools import count, islice
from typing import Any, Final

import datasets
import numpy as np
import pyarrow as pa
import torch
from torch import Tensor
from torch.utils.data import IterableDataset

from hub_models.errors import ConfigError, ImageError
from training.augment import RandomView
from training.config import Recipe
from training.data import Data, decode
from training.data_source import root_cause
from training.labelled import stream_labelled
from training.sampler import Key, StepSampler
from training.split import Part

Micro = tuple[Tensor, Tensor]
_PASSES: Final = 1_000_003  # apart: each pass of each epoch has an order of its own


def stream_data(recipe: Recipe) -> Data:
    """Open a data set's training rows as a stream, and copy its validation rows.

    Args:
        recipe: `data`, `image_column` and `label_column`.

    Returns:
        Data with the split validation alone, and `stream`.

    Raises:
        ConfigError: If the source cannot be had, has no validation split, does not say its
            columns or class names beforehand, or a column cannot be told.
    """
    labelled = stream_labelled(recipe.data, recipe.image_column, recipe.label_column)
    parts = {name: Part(name, table) for name, table in labelled.splits.items()}
    return Data(
        labelled.splits,
        labelled.label_names,
        parts,
        stream=labelled.stream,
        left_out=labelled.left_out,
        layout=labelled.layout,
    )


class StreamedSteps(IterableDataset[Micro]):
    """Yields this process's share of every optimiser step of an epoch, as micro-batches.

    The counterpart of `training.sampler.StepSampler`: the images of a step are the same at any
    number of processes and of micro-batches. For that every process reads all rows, and decodes
    its own share alone. An epoch is a pass over the rows in an order of its own, or several where
    the data set is shorter than that.

    Args:
        stream: Rows with `image`, undecoded, and `target`.
        view: Turns images into pixels, seeded by (epoch, position).
        recipe: Batch size, micro-batches, steps per epoch, buffer and seed.
        process: This one, counted from 0.
        processes: In all.

    Attributes:
        sampler: Its epoch and first step say where the next pass begins.

    Raises:
        ConfigError: If a step has too few images for so many parts.
    """

    def __init__(
        self,
        stream: datasets.IterableDataset,
        view: RandomView,
        recipe: Recipe,
        *,
        process: int = 0,
        processes: int = 1,
    ) -> None:
        self.stream = stream.shuffle(seed=recipe.seed, buffer_size=recipe.shuffle_buffer)
        self.view = view
        self.sampler = StepSampler(
            recipe.steps_per_epoch * recipe.batch_size,
            batch_size=recipe.batch_size,
            micro_batches=recipe.micro_batches,
            process=process,
            processes=processes,
        )
        self.processes = processes

    def __iter__(self) -> Iterator[Micro]:
        epoch, first_step = self.sampler.epoch, self.sampler.first_step
        size, parts = self.sampler.batch_size, self.sampler.parts
        rows = self._rows(epoch, behind=first_step * size)
        for step in range(first_step, self.sampler.steps):
            chunk = [((epoch, step * size + i), row) for i, row in enumerate(islice(rows, size))]
            for part in range(self.sampler.process, parts, self.processes):
                yield self._decoded(chunk[part::parts])

    def _rows(self, epoch: int, behind: int) -> Iterator[dict[str, Any]]:
        """Give an epoch's rows, pass after pass, without the first `behind`."""
        for number in count():
            self.stream.set_epoch(epoch + number * _PASSES)
            rows = 0
            for row in _named(self.stream):
                rows += 1
                if behind:
                    behind -= 1
                else:
                    yield row
            if not rows:
                raise ConfigError("data: the split 'train' has no rows")

    def _decoded(self, keyed: list[tuple[Key, dict[str, Any]]]) -> Micro:
        """Decode a micro-batch; a picture that cannot be read gives its place to another of it."""
        squares, keys, targets = [], [], []
        for key, row in keyed:
            try:
                if row["target"] is None or row["target"] < 0:
                    raise ImageError("a row of 'train' without a label")
                squares.append(self.view.take(decode(row["image"]), key))
            except ImageError as error:
                print(f"left out {error}", file=sys.stderr)
            else:
                keys.append(key)
                targets.append(row["target"])
        if not squares:
            raise ConfigError(f"data: none of {len(keyed)} pictures in a row could be read")
        full = [i % len(squares) for i in range(len(keyed))]
        pixels = self.view.finish(np.stack([squares[i] for i in full]), [keys[i] for i in full])
        return torch.from_numpy(pixels), torch.tensor([targets[i] for i in full])


def _named(stream: datasets.IterableDataset) -> Iterator[dict[str, Any]]:
    """Give rows; what goes wrong while they arrive is one sentence."""
    try:
        yield from stream
    except (OSError, ValueError, RuntimeError, pa.ArrowException) as error:
        raise ConfigError(f"data: 'train' cannot be read on ({root_cause(error)})") from error
