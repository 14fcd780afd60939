"""torchvision's own model with the weights of one of our folders."""

from pathlib import Path

import torchvision
from torch import nn

from hub_models import ImageClassifier, ModelConfig
from hub_models.weights import torchvision_names

_BUILDERS = {"resnet": lambda name: name, "mobilenetv2": lambda _: "mobilenet_v2"}


def torchvision_twin(folder: Path) -> tuple[nn.Module, ModelConfig]:
    """Build torchvision's model of the same weights.

    Args:
        folder: A checkpoint folder of a ResNet or MobileNetV2.

    Returns:
        The model, and the folder's config.
    """
    ours = ImageClassifier.from_pretrained(folder)
    family = ours.config.architecture.partition("_")[0].rstrip("0123456789")
    family = "mobilenetv2" if family.startswith("mobilenetv") else family
    build = getattr(torchvision.models, _BUILDERS[family](ours.config.architecture))
    model: nn.Module = build(num_classes=len(ours.config.label_names))
    weights = ours.state_dict()
    names = torchvision_names(ours.config.architecture, list(weights))
    model.load_state_dict({names[name]: value for name, value in weights.items()})
    return model, ours.config
