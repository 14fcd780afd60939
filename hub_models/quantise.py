"""An exported ONNX file to INT8 by one of several schemes; `int8` measures which is best.

Post-training static quantisation in QDQ form (Jacob et al. 2018, arXiv:1712.05877), by ONNX
Runtime. PyTorch's dynamic quantisation, often shown for this, leaves convolutions as they are.
"""

import itertools
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from hub_models.session import INPUT, load_optional

_LIBRARY: Final = "onnxruntime.quantization"
# Activation type, weight type, weights of 7 bits, symmetric activations.
_NUMBERS: Final = {
    "u8s7": ("QUInt8", "QInt8", True, False),
    "u8u8": ("QUInt8", "QUInt8", False, False),
    "s8s8": ("QInt8", "QInt8", False, True),
}
_QUANTISED_KINDS: Final = ["Conv", "Add", "Gemm", "ReduceMean", "MaxPool"]


@dataclass(frozen=True)
class Scheme:
    """One way to choose scales.

    Attributes:
        per_channel: One scale for each output channel of a weight, or one for all of it.
        numbers: "u8s7" is unsigned activations with weights of 7 bits, as ONNX Runtime advises
            for CPUs whose 8-bit instructions overflow; "u8u8" both unsigned; "s8s8" both signed
            and symmetric.
        keeps_ends: Leave the first convolution and the head in fp32.
    """

    per_channel: bool
    numbers: str
    keeps_ends: bool

    def __str__(self) -> str:
        """Say it in a table's cell."""
        scales = "per channel" if self.per_channel else "per tensor"
        return f"{scales}, {self.numbers}" + (", ends in fp32" if self.keeps_ends else "")


def list_schemes(*, keeps_ends: bool) -> list[Scheme]:
    """List the schemes that are worth measuring.

    Args:
        keeps_ends: As in Scheme.

    Returns:
        Every combination of scales and numbers.
    """
    return [
        Scheme(per_channel, numbers, keeps_ends)
        for per_channel, numbers in itertools.product((True, False), _NUMBERS)
    ]


def prepare(source: Path, target: Path) -> None:
    """Write a file whose shapes are known and whose nodes are fused, as quantisation needs it.

    Args:
        source: An ONNX file that `export_onnx` wrote.
        target: The file to write.
    """
    with _quiet():
        load_optional(_LIBRARY).quant_pre_process(str(source), str(target))


def quantise(
    prepared: Path, target: Path, scheme: Scheme, calibration: NDArray[np.float32]
) -> None:
    """Write a file in INT8 by one scheme.

    Args:
        prepared: What `prepare` wrote.
        target: The file to write. The ranges of activations are kept beside `prepared`, so that
            the next scheme does not compute them again.
        scheme: How to choose scales.
        calibration: float32 (N, 3, S, S), preprocessed pictures whose ranges of activations count.
    """
    library = load_optional(_LIBRARY)
    activations, weights, is_reduced, is_symmetric = _NUMBERS[scheme.numbers]
    with _quiet():
        library.quantize_static(
            str(prepared),
            str(target),
            _Reader(calibration),
            quant_format=library.QuantFormat.QDQ,
            op_types_to_quantize=_QUANTISED_KINDS,
            per_channel=scheme.per_channel,
            reduce_range=is_reduced,
            activation_type=library.QuantType[activations],
            weight_type=library.QuantType[weights],
            nodes_to_exclude=_ends(prepared) if scheme.keeps_ends else [],
            extra_options={"ActivationSymmetric": is_symmetric},
            calibration_cache_path=prepared.with_suffix(".ranges.json"),
        )


def count_convs(path: Path) -> tuple[int, int]:
    """Count the convolutions of a file.

    Args:
        path: An ONNX file.

    Returns:
        How many there are in 8 bits (input and weight), and how many in all.
    """
    graph = load_optional("onnx").load(str(path)).graph
    dequantised = {o for n in graph.node if n.op_type == "DequantizeLinear" for o in n.output}
    convs = [node for node in graph.node if node.op_type == "Conv"]
    return sum(set(node.input[:2]) <= dequantised for node in convs), len(convs)


class _Reader:
    """Calibration pictures one by one, in the form ONNX Runtime asks for."""

    def __init__(self, pixels: NDArray[np.float32]) -> None:
        self._batches: Iterator[NDArray[np.float32]] = iter(pixels[:, None])  # (1, 3, S, S) each

    def get_next(self) -> dict[str, Any] | None:
        batch = next(self._batches, None)
        return None if batch is None else {INPUT: batch}

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return ({INPUT: batch} for batch in self._batches)


def _ends(path: Path) -> list[str]:
    nodes = load_optional("onnx").load(str(path)).graph.node
    first = next(node.name for node in nodes if node.op_type == "Conv")
    return [first, *(node.name for node in nodes if node.op_type == "Gemm")]


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep ONNX Runtime's advice on quantisation, logged on the root logger, from the terminal."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
