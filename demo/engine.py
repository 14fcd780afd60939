"""Source to something that reads pictures: the one place where the demo runs a network.

PyTorch answers at once; ONNX Runtime takes over when the export is there, which takes seconds the
first time. PyTorch is imported when the first engine is opened, in a thread.
"""

import hashlib
import statistics
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import hub_models
from demo.lanes import shared_lanes
from demo.other_things import find_threshold
from demo.outcome import ClassMap, Facts, Reading
from hub_models import HubModelsError
from hub_models.batcher import Batcher, Network
from hub_models.config_json import render_config
from hub_models.prediction import Prediction, rank
from hub_models.preprocess import preprocess
from hub_models.session import Arrays, Session

if TYPE_CHECKING:
    from hub_models import ImageClassifier

IMAGENET: Final = "imagenet:"  # before an architecture's name: torchvision's own ImageNet model
MAX_SIDE_PX: Final = 1024  # of a model's input: a forward pass at 4,096 px would take minutes
MAPPED_CLASSES: Final = 5
KEPT_CLASSES: Final = 20  # of a model's, so that what is remembered stays small
TIMED_PASSES: Final = 5  # the latest, of which the median is shown
TIMED_S: Final = 1.0  # of timing before the first picture: fewer passes where they take longer
# PyTorch's exporter keeps state for the whole process; and nothing is timed beside an export.
_exporting = threading.Lock()


@dataclass(frozen=True)
class _Runner:
    """What runs a network, and how long its latest passes of one picture took."""

    name: str
    network: Network
    times_ms: deque[float] = field(default_factory=lambda: deque(maxlen=TIMED_PASSES))

    def run(self, batch: NDArray[np.float32], *, is_timed: bool) -> Arrays:
        started = time.perf_counter()
        outputs = self.network(batch)
        if is_timed:
            self.times_ms.append((time.perf_counter() - started) * 1000)
        return outputs

    def warm_up(self, batch: NDArray[np.float32]) -> None:
        """Run once untimed, then until there are times to take a median of."""
        deadline = time.perf_counter() + TIMED_S
        self.run(batch, is_timed=False)
        while not self.times_ms or (
            len(self.times_ms) < TIMED_PASSES and time.perf_counter() < deadline
        ):
            self.run(batch, is_timed=True)


class Engine:
    """A loaded model that reads pictures; several threads may share it.

    Args:
        model: In evaluation mode.
        folder: The checkpoint folder it came from; None if there is none.

    Attributes:
        config: The model's.
        revision: The hub commit; None for a folder.
    """

    def __init__(self, model: "ImageClassifier", folder: Path | None = None) -> None:
        import torch

        from hub_models.runtime import torch_network

        self.config, self.revision = model.config, model.revision
        self._folder, self._lanes = folder, shared_lanes()
        weights = digest_weights(model)
        described = render_config(self.config).encode()
        self._fingerprint = weights + hashlib.sha256(described).hexdigest()
        self._unlike_below = find_threshold(weights, self.config.temperature)
        self._parameters = sum(p.numel() for p in model.parameters())
        self._bytes = sum(t.numel() * t.element_size() for t in model.state_dict().values())
        self._head = model.head.weight.detach().numpy().copy()  # (C, K)
        torch.set_num_threads(self._lanes.threads)
        self._runner = self._warm(_Runner("PyTorch", torch_network(model)))
        self._batcher = Batcher(self._pass)

    @property
    def runtime(self) -> str:
        """Say what runs it now: "PyTorch" or "ONNX Runtime"."""
        return self._runner.name

    @property
    def identity(self) -> str:
        """Tell it from every other engine: changes with weights, config and runtime."""
        return f"{self._fingerprint} {self.runtime}"

    def facts(self, source: str) -> Facts:
        """Say what the model is.

        Args:
            source: As the visitor chose it.

        Returns:
            The facts of its card.
        """
        config, sizes = self.config, self.config.preprocess
        return Facts(
            source=source.strip(),
            architecture=config.architecture,
            side_px=sizes.crop,
            labels=config.label_names,
            origin=config.origin,
            results=config.results,
            zoom=1.0 if sizes.crop_mode == "squash" else sizes.resize / sizes.crop,
            is_squashed=sizes.crop_mode == "squash",
            parameters=self._parameters,
            weight_bytes=self._bytes,
            revision=self.revision,
        )

    def read(self, image: Image.Image, *, decode_ms: float) -> Reading:
        """Say what the model makes of a picture, and how long it takes to.

        Args:
            image: Upright RGB image.
            decode_ms: How long it took to decode, handed on.

        Returns:
            The reading. Nothing is computed twice to be timed: the forward time is the median of
            the latest passes, this one among them unless many pictures are being read.

        Raises:
            HubModelsError: If the model's input is too large for a demo, or its weights damaged.
        """
        runner = self._runner
        with self._lanes.reading():
            started = time.perf_counter()
            batch = self._pixels(image)
            preprocess_ms = (time.perf_counter() - started) * 1000
            logits, features = (rows[0] for rows in self._batcher.submit(batch).result())
            times_ms = list(runner.times_ms)
            passes = 0 if self._lanes.is_crowded else len(times_ms)
        predictions = tuple(self._rank(logits))
        classes = np.argsort(-logits, kind="stable")[:MAPPED_CLASSES]
        return Reading(
            predictions=predictions,
            maps=tuple(_as_map(cells) for cells in map_classes(features, self._head[classes])),
            is_unlike=self._is_unlike(predictions[0].probability),
            decode_ms=decode_ms,
            preprocess_ms=preprocess_ms,
            forward_ms=statistics.median(times_ms),
            passes=passes,
            threads=self._lanes.threads,
            runtime=runner.name,
        )

    @property
    def threads(self) -> int:
        """How many cores one pass uses."""
        return self._lanes.threads

    def classify(self, image: Image.Image) -> list[Prediction]:
        """Say what is in a picture, once and without measuring anything.

        Args:
            image: Upright RGB image.

        Returns:
            The most probable classes, the most probable first.

        Raises:
            HubModelsError: As of `read`.
        """
        logits, _ = self._batcher.submit(self._pixels(image)).result()
        return self._rank(logits[0])

    def use_onnx(self) -> None:
        """Let ONNX Runtime take over from PyTorch, if the model came from a folder.

        Exports it first if need be, which takes seconds; pictures are read meanwhile.

        Raises:
            ConfigError: If ONNX Runtime or ONNX is not installed.
            CheckpointError: If the export fails, or cannot be kept.
        """
        if self._folder is None:
            return
        from hub_models.export_cache import cached_export

        with _exporting:
            session = Session(cached_export(self._folder), threads=self._lanes.threads)
            self._runner = self._warm(_Runner("ONNX Runtime", session.run))

    def _warm(self, runner: _Runner) -> _Runner:
        sizes = self.config.preprocess
        if sizes.crop <= MAX_SIDE_PX:  # a larger one is refused when it is asked
            runner.warm_up(np.zeros((1, sizes.channels, sizes.crop, sizes.crop), np.float32))
        return runner

    def _pixels(self, image: Image.Image) -> NDArray[np.float32]:
        side = self.config.preprocess.crop
        if side > MAX_SIDE_PX:
            raise HubModelsError(
                f"it sees {side:,} px; the demo takes models up to {MAX_SIDE_PX:,} px"
            )
        return preprocess(image, self.config.preprocess)[None]  # (1, 3 or 1, S, S)

    def _rank(self, logits: NDArray[np.float32]) -> list[Prediction]:
        labels, temperature = self.config.label_names, self.config.temperature
        return rank(logits, labels, top=KEPT_CLASSES, temperature=temperature)

    def _is_unlike(self, top_probability: float) -> bool | None:
        return None if self._unlike_below is None else top_probability < self._unlike_below

    def _pass(self, batch: NDArray[np.float32]) -> Arrays:
        with self._lanes.lane():
            return self._runner.run(batch, is_timed=len(batch) == 1 and not self._lanes.is_crowded)


def open_engine(source: str, *, token: bool | None = None) -> Engine:
    """Load a model, from the hub if need be.

    Args:
        source: A folder, a repo_id[@revision], or "imagenet:" and an architecture.
        token: As in huggingface_hub.

    Returns:
        The engine.

    Raises:
        HubModelsError: If it cannot be loaded.
    """
    if source.startswith(IMAGENET):
        from demo.imagenet import load_imagenet

        return Engine(load_imagenet(source.removeprefix(IMAGENET)))
    model = hub_models.ImageClassifier.from_pretrained(source, token=token)
    return Engine(model, _find_folder(source, model.revision))


def _find_folder(source: str, revision: str | None) -> Path:
    """Give the folder that a source was loaded from: the cache's, of what came from the hub."""
    if revision is None:
        return Path(source)
    from hub_models import hub

    repo_id = source.partition("@")[0]
    return hub.resolve(repo_id, revision=revision, local_files_only=True).folder


def map_classes(features: NDArray[np.float32], weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """Compute class activation maps (Zhou et al. 2016, arXiv:1512.04150).

    Behind global average pooling and one linear layer they are exact: a map's mean, plus the
    class's bias, is its logit.

    Args:
        features: (K, h, w), what the pooling sees.
        weights: (C, K), rows of the linear layer.

    Returns:
        (C, h, w).
    """
    return np.tensordot(weights, features, axes=1)


def digest_weights(model: "ImageClassifier") -> str:
    """Compute the sha256 of a model's tensors, by name.

    Args:
        model: On the CPU.

    Returns:
        64 hex digits.
    """
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()


def _as_map(cells: NDArray[np.float32]) -> ClassMap:
    return tuple(tuple(map(float, row)) for row in cells)
