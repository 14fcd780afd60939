"""A checkpoint folder to one ONNX file that explains itself, if it computes what PyTorch computes.

Neither of PyTorch's exporters is trusted: both were reported to give wrong ResNets
(pytorch/pytorch#169178, #166797, #157621). What they write is compared with PyTorch first.
"""

import json
import logging
import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hub_models import hub
from hub_models.atomic import hash_file, staged
from hub_models.config import ModelConfig
from hub_models.config_json import render_config
from hub_models.drawn import draw
from hub_models.errors import CheckpointError
from hub_models.model import ImageClassifier
from hub_models.session import CONFIG_KEY, INPUT, OUTPUTS, Session, load_optional

OPSET: Final = 18
TOLERANCE: Final = 1e-4  # of the largest output: float32 sums in another order differ by far less
BATCH_SIZES: Final = (1, 3, 8)
_DRAWN_PICTURES: Final = 8
_log = logging.getLogger(__name__)

Exporter = Callable[[nn.Module, Tensor, Path], None]


@dataclass(frozen=True)
class Parity:
    """How far an exported file is from PyTorch.

    Attributes:
        exporter: Which of EXPORTERS wrote the file.
        logits_difference: Largest difference of a logit ÷ the largest logit of all pictures;
            infinite if a shape differs or a logit is NaN.
        feature_map_difference: The same of the feature map.
        top1_agreement: Share of pictures with the same first class, 0 to 1.
        pictures: How many there were, each at every batch size.
    """

    exporter: str
    logits_difference: float
    feature_map_difference: float
    top1_agreement: float
    pictures: int

    @property
    def is_close(self) -> bool:
        """Tell whether the file may be used in PyTorch's place."""
        return max(self.logits_difference, self.feature_map_difference) <= TOLERANCE


class _TwoOutputs(nn.Module):
    def __init__(self, model: ImageClassifier) -> None:
        super().__init__()
        self.model = model

    def forward(self, batch: Tensor) -> tuple[Tensor, Tensor]:
        feature_map = self.model.feature_map(batch)
        return self.model.head(feature_map.mean(dim=(2, 3))), feature_map


def _export_torchscript(network: nn.Module, batch: Tensor, path: Path) -> None:
    axes = {name: {0: "N"} for name in (INPUT, *OUTPUTS)}
    _export(network, batch, path, dynamo=False, dynamic_axes=axes)


def _export_dynamo(network: nn.Module, batch: Tensor, path: Path) -> None:
    shapes = ({0: torch.export.Dim("N")},)
    _export(
        network, batch, path, dynamo=True, dynamic_shapes=shapes, external_data=False, verbose=False
    )


def _export(network: nn.Module, batch: Tensor, path: Path, **options: Any) -> None:
    names: dict[str, Any] = {
        "input_names": [INPUT],
        "output_names": list(OUTPUTS),
        "opset_version": OPSET,
    }
    with warnings.catch_warnings():  # that one exporter is old, and of constants the other folds
        warnings.simplefilter("ignore")
        torch.onnx.export(network, (batch,), str(path), **names, **options)


# In the order of trying. The older one first: it needs no package beside PyTorch (the newer one
# needs onnxscript) and folds batch norms into convolutions itself.
EXPORTERS: Final[Mapping[str, Exporter]] = {
    "torchscript": _export_torchscript,
    "dynamo": _export_dynamo,
}


def export_onnx(
    folder: Path,
    path: Path,
    *,
    pixels: NDArray[np.float32] | None = None,
    exporters: Mapping[str, Exporter] = EXPORTERS,
) -> Parity:
    """Write a checkpoint folder as one ONNX file with two outputs, logits and feature map.

    The first exporter whose file agrees with PyTorch at batch sizes 1, 3 and 8 is taken.

    Args:
        folder: A checkpoint folder.
        path: The file to write, whole or not at all; its folder is made if missing.
        pixels: float32 (N, 3 or 1, S, S), preprocessed pictures to compare on; drawn ones if None.
        exporters: Name -> exporter, in the order of trying.

    Returns:
        How close the file is to PyTorch.

    Raises:
        ConfigError: If onnx or onnxruntime is not installed.
        CheckpointError: If the folder is wrong, no exporter's file agrees with PyTorch, or the
            file cannot be written.
    """
    for package in ("onnx", "onnxruntime"):
        load_optional(package)  # before the seconds that follow
    model = ImageClassifier.from_pretrained(folder)
    metadata = _metadata(model.config, hash_file(hub.weights_path(folder)))
    if pixels is None:
        pixels = _drawn_pixels(model)
    failures = []
    with staged(path) as staging:
        for name, exporter in exporters.items():
            try:
                exporter(_TwoOutputs(model), _example(model), staging)
                annotate(staging, metadata | {"exporter": name})
                parity = _compare(name, model, Session(staging), pixels)
            except Exception as error:  # exporters fail in many ways; the next one may not
                failure = f"{name} failed ({type(error).__name__}: {_first_line(error)})"
            else:
                if parity.is_close:
                    return parity
                failure = f"{name} is off by {parity.logits_difference:.1e} of the largest logit"
            _log.warning("%s: exporter %s", folder, failure)
            failures.append(failure)
        raise CheckpointError(
            f"{folder}: no exporter gave PyTorch's results: {'; '.join(failures)}"
        )


def annotate(path: Path, metadata: Mapping[str, str]) -> None:
    """Write metadata into an ONNX file and put it through ONNX's own checker.

    Args:
        path: The file.
        metadata: Replaces what it had.
    """
    onnx = load_optional("onnx")
    content = onnx.load(str(path))
    onnx.helper.set_model_props(content, dict(metadata))
    onnx.checker.check_model(content, full_check=True)
    onnx.save(content, str(path))


def _example(model: ImageClassifier) -> Tensor:
    preprocess = model.config.preprocess
    shape = (preprocess.channels, preprocess.crop, preprocess.crop)
    return torch.zeros(2, *shape)  # two: a batch of one is taken for a constant


def _drawn_pixels(model: ImageClassifier) -> NDArray[np.float32]:
    return np.stack([model.pixels(draw(seed)).numpy() for seed in range(_DRAWN_PICTURES)])


def _metadata(config: ModelConfig, weights_sha256: str) -> dict[str, str]:
    return {
        CONFIG_KEY: render_config(config),
        "architecture": config.architecture,
        "labels": json.dumps(config.label_names, ensure_ascii=False),
        "preprocess": json.dumps(asdict(config.preprocess)),
        "weights_sha256": weights_sha256,
        "versions": json.dumps({name: version(name) for name in ("torch", "onnx")}),
    }


@torch.inference_mode()
def _compare(
    name: str, model: ImageClassifier, session: Session, pixels: NDArray[np.float32]
) -> Parity:
    network = _TwoOutputs(model).eval()
    count = len(pixels)
    pixels = np.resize(pixels, (max(count, BATCH_SIZES[-1]), *pixels.shape[1:]))  # by repeating
    differences = [0.0, 0.0]
    scales = [1e-12, 1e-12]
    agreements: list[NDArray[np.bool_]] = []
    for size in BATCH_SIZES:
        for start in range(0, len(pixels), size):
            batch = np.ascontiguousarray(pixels[start : start + size])
            ours = [output.numpy() for output in network(torch.from_numpy(batch))]
            theirs = session.run(batch)
            for i, (a, b) in enumerate(zip(ours, theirs, strict=True)):
                differences[i] = max(differences[i], _difference(a, b))
                scales[i] = max(scales[i], float(np.abs(a).max()))
            agreements.append(ours[0].argmax(axis=1) == theirs[0].argmax(axis=1))
    logits, feature_map = (d / s for d, s in zip(differences, scales, strict=True))
    return Parity(name, logits, feature_map, float(np.concatenate(agreements).mean()), count)


def _difference(ours: NDArray[np.float32], theirs: NDArray[np.float32]) -> float:
    difference = float(np.abs(ours - theirs).max()) if ours.shape == theirs.shape else math.nan
    return math.inf if math.isnan(difference) else difference  # max() would pass over a NaN


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0]
