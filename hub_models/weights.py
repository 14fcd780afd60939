"""Names of weights in memory and on disk, strict matching, and the report of what was loaded.

On disk the names are timm's. In memory a classifier has `backbone.*` (torchvision's modules) and
`head.weight`, `head.bias`. The MobileNet tables are checked by a test against timm's own model.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

import torch
from torch import Tensor, nn

from hub_models.config import abbreviated
from hub_models.errors import CheckpointError
from hub_models.tensor_file import is_aligned

Value = TypeVar("Value")

HEAD_NAMES: Final = ("head.weight", "head.bias")
# A counter that no computation here reads; weights older than PyTorch 0.4.1 lack it.
_COUNTER: Final = "num_batches_tracked"
_FLOATS: Final = (torch.float64, torch.float32, torch.float16, torch.bfloat16)
_V1_REPEATS: Final = (1, 2, 2, 6, 2)  # MobileNetV1's blocks per stage, paper table 1
_V2_REPEATS: Final = (1, 2, 3, 4, 3, 3, 1)  # MobileNetV2's, paper table 2


@dataclass(frozen=True)
class LoadReport:
    """What became of every weight, in timm's names.

    Attributes:
        loaded: Taken from the file.
        reinitialised: In the file, but replaced by a fresh head because that was asked for.
        missing: Not in the file: a fresh head of a headless backbone, or batch-norm counters.
    """

    loaded: tuple[str, ...] = ()
    reinitialised: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Say it in one line."""
        text = f"{len(self.loaded)} loaded"
        if self.reinitialised:
            text += f", re-initialised: {', '.join(self.reinitialised)}"
        if self.missing:
            text += f", missing: {', '.join(self.missing)}"
        return text


def disk_names(architecture: str, memory_names: list[str]) -> dict[str, str]:
    """Map the names of a classifier's state dict to timm's names.

    Args:
        architecture: timm's name of the architecture.
        memory_names: Keys of an ImageClassifier's state dict.

    Returns:
        Name in memory -> name on disk, in the order given.
    """
    family = architecture.partition("_")[0]
    rename = {"mobilenetv1": _mobilenetv1_name, "mobilenetv2": _mobilenetv2_name}.get(
        family, _resnet_name
    )
    return {name: rename(name) for name in memory_names}


def torchvision_names(architecture: str, memory_names: list[str]) -> dict[str, str]:
    """Map the names of a classifier's state dict to those of torchvision's whole model.

    Args:
        architecture: timm's name of the architecture.
        memory_names: Keys of an ImageClassifier's state dict.

    Returns:
        Name in memory -> torchvision's name, in the order given.
    """
    if architecture.startswith("mobilenetv2"):
        prefixes = {"backbone.": "features.", "head.": "classifier.1."}
    else:
        prefixes = {"backbone.": "", "head.": "fc."}
    names = {}
    for name in memory_names:
        kind, rest = name.split(".", 1)
        names[name] = prefixes[kind + "."] + rest
    return names


def match(
    found: Mapping[str, Tensor],
    expected: Mapping[str, Tensor],
    names: Mapping[str, str],
    *,
    new_head: bool = False,
) -> tuple[dict[str, Tensor], LoadReport]:
    """Fit the tensors of a file to a model, strictly.

    Args:
        found: The file's tensors, by the file's names.
        expected: The model's state dict, by names in memory; only shapes are looked at.
        names: Name in memory -> name in the file.
        new_head: Leave the head out: it is new, whatever the file holds.

    Returns:
        The tensors to load, by names in memory, and the report.

    Raises:
        CheckpointError: If a weight is missing, left over, or of another shape.
    """
    fitted: dict[str, Tensor] = {}
    reinitialised: list[str] = []
    missing: list[str] = []
    for name, tensor in expected.items():
        there = found.get(names[name])
        if new_head and name in HEAD_NAMES:
            (missing if there is None else reinitialised).append(names[name])
        elif there is not None:
            fitted[name] = _same_shape(names[name], there, tensor)
        elif name.endswith(_COUNTER):
            missing.append(names[name])
        else:
            raise CheckpointError(
                f"weight {names[name]!r} is missing{_others(expected, found, names)}"
            )
    extra = sorted(set(found) - set(names.values()))
    if extra:
        raise CheckpointError(
            f"weight {abbreviated(extra[0])} is not part of the model{_more(extra)}"
        )
    loaded = tuple(names[name] for name in fitted)
    return fitted, LoadReport(loaded, tuple(reinitialised), tuple(missing))


def summed_over_colours(found: Mapping[str, Tensor], names: Mapping[str, str]) -> dict[str, Tensor]:
    """Turn the tensors of an RGB network into those of a grey one.

    The first convolution's weights are summed, as timm does: a grey picture then gives what it
    gave repeated three times, if the three channels were normalised alike.

    Args:
        found: The file's tensors, by the file's names.
        names: Name in memory -> name in the file, in the order of the model's state dict.

    Returns:
        The same tensors but for that one, in float32.
    """
    first = next(iter(names.values()))
    if first not in found or found[first].ndim != 4:  # `fit` says what is wrong
        return dict(found)
    return {**found, first: found[first].float().sum(dim=1, keepdim=True)}


def fit(
    module: nn.Module,
    found: Mapping[str, Tensor],
    names: Mapping[str, str],
    *,
    new_head: bool = False,
) -> LoadReport:
    """Load the tensors of a file into a classifier, strictly.

    Args:
        module: On the meta device it takes the tensors themselves, so that nothing is initialised
            or copied twice; only those at addresses PyTorch would not have chosen are copied,
            because its kernels may round them differently there.
        found: The file's tensors, by the file's names.
        names: Name in memory -> name in the file.
        new_head: Leave the head as it is, whatever the file holds.

    Returns:
        What became of every weight.

    Raises:
        CheckpointError: As `match`.
    """
    state = module.state_dict()
    fitted, report = match(found, state, names, new_head=new_head)
    kept = {  # on the meta device only counters can be left over
        name: torch.zeros_like(tensor, device="cpu") if tensor.is_meta else tensor
        for name, tensor in state.items()
        if name not in fitted
    }
    takes_over = any(tensor.is_meta for tensor in state.values())
    if takes_over:
        fitted = {n: t if is_aligned(t) else t.clone() for n, t in fitted.items()}
    module.load_state_dict(fitted | kept, assign=takes_over)
    return report


def _same_shape(name: str, found: Tensor, expected: Tensor) -> Tensor:
    if found.shape != expected.shape:
        shape = abbreviated(tuple(found.shape))
        raise CheckpointError(
            f"weight {name!r} has shape {shape}, the model needs {tuple(expected.shape)}"
        )
    fitting = _FLOATS if expected.is_floating_point() else (torch.int64,)
    if found.dtype not in fitting:
        raise CheckpointError(f"weight {name!r} is {found.dtype}, the model needs {expected.dtype}")
    return found.to(expected.dtype)


def _others(
    expected: Mapping[str, Tensor], found: Mapping[str, Tensor], names: Mapping[str, str]
) -> str:
    absent = [names[n] for n in expected if names[n] not in found and not n.endswith(_COUNTER)]
    return _more(absent)


def _more(names: list[str]) -> str:
    return f" (and {len(names) - 1} more)" if len(names) > 1 else ""


def _resnet_name(name: str) -> str:
    kind, rest = name.split(".", 1)
    return f"fc.{rest}" if kind == "head" else rest


def _mobilenetv1_name(name: str) -> str:
    kind, rest = name.split(".", 1)
    if kind == "head":
        return f"classifier.{rest}"
    parts = rest.split(".")
    index = int(parts[0])
    if index == 0:
        return ".".join(["conv_stem" if parts[1] == "0" else "bn1", parts[2]])
    layer = {"0.0": "conv_dw", "0.1": "bn1", "1.0": "conv_pw", "1.1": "bn2"}[".".join(parts[1:3])]
    return f"blocks.{_stage_and_block(index, _V1_REPEATS)}.{layer}.{parts[3]}"


def _mobilenetv2_name(name: str) -> str:
    kind, rest = name.split(".", 1)
    if kind == "head":
        return f"classifier.{rest}"
    parts = rest.split(".")
    index = int(parts[0])
    if index in (0, 18):  # the stem and the last 1x1 convolution: (conv, batch norm)
        conv, norm = ("conv_stem", "bn1") if index == 0 else ("conv_head", "bn2")
        return ".".join([conv if parts[1] == "0" else norm, *parts[2:]])
    inner, leaf = ".".join(parts[2:-1]), parts[-1]
    return f"blocks.{_stage_and_block(index, _V2_REPEATS)}.{_block_layer(index, inner)}.{leaf}"


def _stage_and_block(index: int, repeats: tuple[int, ...]) -> str:
    block = index - 1
    for stage, blocks in enumerate(repeats):
        if block < blocks:
            return f"{stage}.{block}"
        block -= blocks
    raise AssertionError(index)


def _block_layer(index: int, inner: str) -> str:
    if index == 1:  # the first block has no expansion
        return {"0.0": "conv_dw", "0.1": "bn1", "1": "conv_pw", "2": "bn2"}[inner]
    layers = {"0.0": "conv_pw", "0.1": "bn1", "1.0": "conv_dw", "1.1": "bn2"}
    return (layers | {"2": "conv_pwl", "3": "bn3"})[inner]
