"""Architecture names to torchvision backbones: a plain dict, nothing torchvision has is rewritten.

A backbone turns a batch (N, 3, S, S) into a feature map (N, K, h, w); the classifier's pooling and
head are the same for every family and live in `model`.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from torch import nn
from torchvision import models

from hub_models.errors import ConfigError


@dataclass(frozen=True)
class Architecture:
    """What tells one architecture from another.

    Attributes:
        backbone: Builds the backbone for a stem, "imagenet" or "small".
        num_features: K, the channels of the feature map.
        first_conv: timm's name of the first convolution.
        classifier: timm's name of the last linear layer.
        last_stage: First name of the backbone's children in the stage of lowest resolution; that
            child and all after it are what `freeze("last_stage")` leaves trainable.
        drop_rate: Dropout before the head that the architecture's authors used.
        imagenet: torchvision's name of its best ImageNet weights; None where it has none.
    """

    backbone: Callable[[str], nn.Sequential]
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
        raise ConfigError(f"architecture {name!r} is not known; there are {known}")
    return ARCHITECTURES[name]


def _resnet_backbone(name: str, stem: str) -> nn.Sequential:
    network = models.get_model(name, weights=None)
    children = OrderedDict(network.named_children())
    del children["avgpool"], children["fc"]
    if stem == "small":  # as He et al. 2015 (arXiv:1512.03385) §4.2 do for 32 px
        children["conv1"] = nn.Conv2d(3, 64, kernel_size=3, stride=1, padding=1, bias=False)
        nn.init.kaiming_normal_(children["conv1"].weight, mode="fan_out", nonlinearity="relu")
        del children["maxpool"]
    return nn.Sequential(children)


def _mobilenetv2_backbone(width: float, stem: str) -> nn.Sequential:
    features: nn.Sequential = models.MobileNetV2(width_mult=width).features
    if stem == "small":
        first_conv = features.get_submodule("0.0")
        assert isinstance(first_conv, nn.Conv2d)
        first_conv.stride = (1, 1)
    return features


def _resnet(name: str, num_features: int) -> Architecture:
    return Architecture(
        backbone=partial(_resnet_backbone, name),
        num_features=num_features,
        first_conv="conv1",
        classifier="fc",
        last_stage="layer4",
        imagenet=f"ResNet{name.removeprefix('resnet')}_Weights.DEFAULT",
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
    "mobilenetv2_025": _mobilenetv2(0.25),
    "mobilenetv2_035": _mobilenetv2(0.35),
    "mobilenetv2_050": _mobilenetv2(0.5),
    "mobilenetv2_075": _mobilenetv2(0.75),
    "mobilenetv2_100": _mobilenetv2(1.0, "MobileNet_V2_Weights.DEFAULT"),
    "mobilenetv2_140": _mobilenetv2(1.4),
}
