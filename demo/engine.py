"""Source to something that reads pictures: the one place where the demo runs a network.

Another way to run it (ONNX Runtime, say) needs to give a batch's logits and feature map.
PyTorch is imported when the first engine is opened, in a thread.
"""

import hashlib
import statistics
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import hub_models
from demo.other_things import find_threshold
from demo.outcome import ClassMap, Facts, Reading
from hub_models import HubModelsError
from hub_models.config_json import render_config
from hub_models.prediction import rank

if TYPE_CHECKING:
    from hub_models import ImageClassifier

IMAGENET: Final = "imagenet:"  # before an architecture's name: torchvision's own ImageNet model
MAX_SIDE_PX: Final = 1024  # of a model's input: a forward pass at 4,096 px would take minutes
MAPPED_CLASSES: Final = 5
KEPT_CLASSES: Final = 20  # of a model's, so that what is remembered stays small
TIMED_PASSES: Final = 5
TIMED_S: Final = 1.0  # fewer passes where they would take longer
T = TypeVar("T")


class Engine:
    """A loaded model that reads pictures; several threads may share it.

    Attributes:
        config: The model's.
        revision: The hub commit; None for a folder.
        identity: Changes with weights and config.
    """

    def __init__(self, model: "ImageClassifier") -> None:
        self._model = model
        self.config, self.revision = model.config, model.revision
        weights = digest_weights(model)
        described = render_config(self.config).encode()
        self.identity = weights + hashlib.sha256(described).hexdigest()
        self._unlike_below = find_threshold(weights, self.config.temperature)

    def facts(self, source: str) -> Facts:
        """Say what the model is.

        Args:
            source: As the visitor chose it.

        Returns:
            The facts of its card.
        """
        config, sizes = self.config, self.config.preprocess
        tensors = self._model.state_dict().values()
        return Facts(
            source=source.strip(),
            architecture=config.architecture,
            side_px=sizes.crop,
            labels=config.label_names,
            origin=config.origin,
            results=config.results,
            zoom=1.0 if sizes.crop_mode == "squash" else sizes.resize / sizes.crop,
            is_squashed=sizes.crop_mode == "squash",
            parameters=sum(p.numel() for p in self._model.parameters()),
            weight_bytes=sum(t.numel() * t.element_size() for t in tensors),
            revision=self.revision,
        )

    def read(self, image: Image.Image, *, decode_ms: float) -> Reading:
        """Say what the model makes of a picture, and how long it takes to.

        Args:
            image: Upright RGB image.
            decode_ms: How long it took to decode, handed on.

        Returns:
            The reading; each time is a median after a warm-up.

        Raises:
            HubModelsError: If the model's input is too large for a demo, or its weights damaged.
        """
        import torch

        side = self.config.preprocess.crop
        if side > MAX_SIDE_PX:
            raise HubModelsError(
                f"it sees {side:,} px; the demo takes models up to {MAX_SIDE_PX:,} px"
            )
        with torch.inference_mode():
            batch, preprocess_ms, _ = _timed(lambda: self._model.pixels(image).unsqueeze(0))
            (logits, features), forward_ms, passes = _timed(lambda: self._forward(batch))
        labels, temperature = self.config.label_names, self.config.temperature
        predictions = tuple(rank(logits, labels, top=KEPT_CLASSES, temperature=temperature))
        classes = np.argsort(-logits, kind="stable")[:MAPPED_CLASSES]
        weights = self._model.head.weight.detach().numpy()[classes]  # (k, K)
        return Reading(
            predictions=predictions,
            maps=tuple(_as_map(cells) for cells in map_classes(features, weights)),
            is_unlike=self._is_unlike(predictions[0].probability),
            decode_ms=decode_ms,
            preprocess_ms=preprocess_ms,
            forward_ms=forward_ms,
            passes=passes,
            threads=torch.get_num_threads(),
        )

    def _is_unlike(self, top_probability: float) -> bool | None:
        return None if self._unlike_below is None else top_probability < self._unlike_below

    def _forward(self, batch: Any) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        features = self._model.feature_map(batch)  # (1, K, h, w)
        logits = self._model.head(features.mean(dim=(2, 3)))  # (1, C)
        return logits[0].numpy(), features[0].numpy()


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
    return Engine(hub_models.ImageClassifier.from_pretrained(source, token=token))


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


def _timed(work: Callable[[], T]) -> tuple[T, float, int]:
    result = work()  # the warm-up
    times_s: Sequence[float] = []
    while len(times_s) < TIMED_PASSES and sum(times_s) < TIMED_S:
        started = time.perf_counter()
        work()
        times_s = [*times_s, time.perf_counter() - started]
    return result, statistics.median(times_s) * 1000, len(times_s)
