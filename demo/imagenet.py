"""An architecture's name to torchvision's own ImageNet-1k classifier, head and all."""

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from hub_models import ImageClassifier

# Those that torchvision has weights of, smallest first; written out, because looking them up
# would import PyTorch before the page is up.
IMAGENET_NAMES: Final = (
    "mobilenetv2_100",
    "resnet18",
    "resnet34",
    "resnet50",
    "resnet101",
    "resnet152",
)


def load_imagenet(architecture: str) -> "ImageClassifier":
    """Load torchvision's best ImageNet model of an architecture; fetched once, then cached.

    Args:
        architecture: timm's name.

    Returns:
        The classifier of 1,000 classes, in evaluation mode.

    Raises:
        ConfigError: If there is no such architecture, or torchvision has no weights of it.
        CheckpointError: If they cannot be fetched, are damaged or do not fit.
    """
    from torchvision import models

    from hub_models import ImageClassifier, ModelConfig
    from hub_models.architectures import find_architecture, imagenet_weights
    from hub_models.weights import fit, torchvision_names

    known = find_architecture(architecture)
    tensors, preprocess, title = imagenet_weights(architecture)
    config = ModelConfig(
        architecture=architecture,
        label_names=tuple(models.get_weight(title).meta["categories"]),
        num_features=known.num_features,
        first_conv=known.first_conv,
        classifier=known.classifier,
        preprocess=preprocess,
        origin={"start": f"ImageNet-1k weights of torchvision ({title})"},
    )
    model = ImageClassifier(config)
    fit(model, tensors, torchvision_names(architecture, list(model.state_dict())))
    return model.eval()
