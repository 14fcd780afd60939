"""Architecture names to backbones: a plain dict; torchvision's networks, or built of its blocks.

A backbone turns a batch (N, 3, S, S), or (N, 1, S, S) of grey pixels, into a feature map
(N, K, h, w); the classifier's pooling and head are the same for every family and live in `model`.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from pickle import UnpicklingError
from typing import Final
from urllib.error import URLError

import torch
from torch import Tensor, nn
from torchvision import models
from torchvision.ops import Conv2dNormActivation

from hub_models.config import PreprocessConfig, abbreviated
from hub_models.errors import CheckpointError, ConfigError
from hub_models.machine import own_cache_instead

# Of the paper's table 1: channels at width 1, blocks, stride of the first.
_MOBILENETV1_STAGES: Final = ((64, 1, 1), (128, 2, 2), (256, 2, 2), (512, 6, 2), (1024, 2, 2))


@dataclass(frozen=True)
class Architecture:
    """What tells one architecture from another.

    Attributes:
        backbone: Builds the backbone for a stem, "imagenet" or "small", and 3 or 1 channels.
        num_features: K, the channels of the feature map.
        first_conv: timm's name of the first convolution.
        classifier: timm's name of the last linear layer.
        last_stage: First name of the backbone's children in the stage of lowest resolution; that
            child and all after it are what `freeze("last_stage")` leaves trainable.
        drop_rate: Dropout before the head that the architecture's authors used.
        imagenet: torchvision's name of its best ImageNet weights; None where it has none.
    """

    backbone: Callable[[str, int], nn.Sequential]
    num_features: int
    first_conv: str
    classifier: str
    last_stage: str
    drop_rate: float = 0.0
    imagenet: str | None = None


def find_architecture(name: str) -> Architecture:
    """Look an architecture up by timm's name.

    Args:
        name: Such as "resnet18" or "mobilenetv2_100".

    Returns:
        The architecture.

    Raises:
        ConfigError: If there is none of that name; the message lists those there are.
    """
    if name not in ARCHITECTURES:
        known = ", ".join(ARCHITECTURES)
        raise ConfigError(f"architecture {abbreviated(name)} is not known; there are {known}")
    return ARCHITECTURES[name]


def imagenet_weights(name: str) -> tuple[dict[str, Tensor], PreprocessConfig, str]:
    """Fetch torchvision's best ImageNet weights by its own loader, which caches them.

    Args:
        name: timm's name of the architecture.

    Returns:
        The state dict of torchvision's whole model, the preprocessing it was measured with, and
        torchvision's name of the weights.

    Raises:
        ConfigError: If torchvision has no weights for this architecture.
        CheckpointError: If they cannot be fetched, or the cached file is damaged.
    """
    title = find_architecture(name).imagenet
    if title is None:
        raise ConfigError(
            f"torchvision has no ImageNet weights for {name}; use weights=None, or a folder"
        )
    weights = models.get_weight(title)
    own = own_cache_instead(torch.hub.get_dir(), "torch", ("TORCH_HOME",))
    folder = own or Path(torch.hub.get_dir(), "checkpoints")
    try:
        tensors = weights.get_state_dict(
            progress=True, check_hash=True, weights_only=True, model_dir=folder
        )
    except (URLError, OSError) as error:
        raise CheckpointError(
            f"ImageNet weights of {name}: cannot be fetched ({error}); "
            "use weights=None, or a folder"
        ) from error
    except (EOFError, RuntimeError, UnpicklingError) as error:
        path = folder / weights.url.rpartition("/")[2]
        raise CheckpointError(
            f"ImageNet weights of {name}: {path} is damaged; delete it, then they are fetched again"
        ) from error
    transform = weights.transforms()
    preprocess = PreprocessConfig(
        resize=transform.resize_size[0],
        crop=transform.crop_size[0],
        interpolation=transform.interpolation.value,
        mean=tuple(transform.mean),
        std=tuple(transform.std),
    )
    return tensors, preprocess, str(weights)


def _resnet_backbone(name: str, stem: str, channels: int) -> nn.Sequential:
    network = models.get_model(name, weights=None)
    children = OrderedDict(network.named_children())
    del children["avgpool"], children["fc"]
    if stem == "small":  # as He et al. 2015 (arXiv:1512.03385) §4.2 do for 32 px
        children["conv1"] = _first_conv(channels, 64, kernel_size=3, stride=1)
        del children["maxpool"]
    elif channels != 3:
        children["conv1"] = _first_conv(channels, 64, kernel_size=7, stride=2)
    return nn.Sequential(children)


def _first_conv(channels: int, out: int, *, kernel_size: int, stride: int) -> nn.Conv2d:
    conv = nn.Conv2d(channels, out, kernel_size, stride, padding=kernel_size // 2, bias=False)
    nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
    return conv


def _mobilenetv2_backbone(width: float, stem: str, channels: int) -> nn.Sequential:
    features: nn.Sequential = models.MobileNetV2(width_mult=width).features
    first = features.get_submodule("0.0")
    assert isinstance(first, nn.Conv2d)
    stride = 1 if stem == "small" else 2
    if channels == 3:
        first.stride = (stride, stride)
    else:
        conv = _first_conv(channels, first.out_channels, kernel_size=3, stride=stride)
        features.set_submodule("0.0", conv)
    return features


def _mobilenetv1_backbone(width: float, stem: str, channels: int) -> nn.Sequential:
    """Build what torchvision lacks of its own blocks (Howard et al. 2017, arXiv:1704.04861)."""
    block = partial(Conv2dNormActivation, activation_layer=nn.ReLU6)
    width_in = int(32 * width)
    layers: list[nn.Module] = [block(channels, width_in, stride=1 if stem == "small" else 2)]
    for plain_out, repeats, first_stride in _MOBILENETV1_STAGES:
        out = int(plain_out * width)
        for number in range(repeats):
            stride = 1 if number else first_stride
            depthwise = block(width_in, width_in, stride=stride, groups=width_in)
            layers.append(nn.Sequential(depthwise, block(width_in, out, kernel_size=1)))
            width_in = out
    backbone = nn.Sequential(*layers)
    for module in backbone.modules():  # as torchvision's MobileNetV2 begins
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out")
    return backbone


def _resnet(name: str, num_features: int) -> Architecture:
    return Architecture(
        backbone=partial(_resnet_backbone, name),
        num_features=num_features,
        first_conv="conv1",
        classifier="fc",
        last_stage="layer4",
        imagenet=f"ResNet{name.removeprefix('resnet')}_Weights.DEFAULT",
    )


def _mobilenetv1(width: float) -> Architecture:
    return Architecture(
        backbone=partial(_mobilenetv1_backbone, width),
        num_features=int(1024 * width),
        first_conv="conv_stem",
        classifier="classifier",
        last_stage="12",  # the block that brings the feature map to 1/32 of the image
    )


def _mobilenetv2(width: float, imagenet: str | None = None) -> Architecture:
    return Architecture(
        backbone=partial(_mobilenetv2_backbone, width),
        num_features=int(1280 * max(1.0, width)),
        first_conv="conv_stem",
        classifier="classifier",
        last_stage="14",  # the block that brings the feature map to 1/32 of the image
        drop_rate=0.2,
        imagenet=imagenet,
    )


ARCHITECTURES: Final[dict[str, Architecture]] = {
    "resnet18": _resnet("resnet18", 512),
    "resnet34": _resnet("resnet34", 512),
    "resnet50": _resnet("resnet50", 2048),
    "resnet101": _resnet("resnet101", 2048),
    "resnet152": _resnet("resnet152", 2048),
    "mobilenetv1_025": _mobilenetv1(0.25),
    "mobilenetv1_050": _mobilenetv1(0.5),
    "mobilenetv1_075": _mobilenetv1(0.75),
    "mobilenetv1_100": _mobilenetv1(1.0),
    "mobilenetv2_025": _mobilenetv2(0.25),
    "mobilenetv2_035": _mobilenetv2(0.35),
    "mobilenetv2_050": _mobilenetv2(0.5),
    "mobilenetv2_075": _mobilenetv2(0.75),
    "mobilenetv2_100": _mobilenetv2(1.0, "MobileNet_V2_Weights.DEFAULT"),
    "mobilenetv2_140": _mobilenetv2(1.4),
}
