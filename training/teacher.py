"""A source to a teacher: a frozen network that gives pooled features, and logits of our classes.

The source is a folder or repo_id: one of ours, or any that timm reads (the extra `interop`).
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from hub_models import ImageClassifier, hub
from hub_models.architectures import ARCHITECTURES
from hub_models.config import ModelConfig, PreprocessConfig
from hub_models.errors import CheckpointError, ConfigError, HubModelsError


class TimmNetwork(nn.Module):
    """A network of timm's in the form `training.features` takes.

    Args:
        backbone: timm's model, its classifier included.
        config: What it is and what images go through.
    """

    def __init__(self, backbone: nn.Module, config: ModelConfig) -> None:
        super().__init__()
        self.backbone = backbone
        self.config = config

    def feature_map(self, batch: Tensor) -> Tensor:
        """Compute what the classifier sees.

        Args:
            batch: float32 (N, 3, S, S), preprocessed.

        Returns:
            (N, K, 1, 1): timm has pooled already, in the way of the architecture.
        """
        return _pooled(self.backbone, batch)[:, :, None, None]


@dataclass(frozen=True)
class Teacher:
    """A frozen network to learn from.

    Attributes:
        network: In evaluation mode, nothing of it trains; `config` has its preprocessing.
        classifier: Its last layer, features (N, K) to logits; None where that is not linear.
        fixed_side: The only side its pixels may have; 0 where any goes.
        description: What decides its features beside weights and preprocessing.
    """

    network: ImageClassifier | TimmNetwork
    classifier: nn.Linear | None
    fixed_side: int = 0
    description: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Freeze the network; channels last is the faster layout of convolutions on CPUs."""
        self.network.eval().requires_grad_(False).to(memory_format=torch.channels_last)

    @property
    def preprocess(self) -> PreprocessConfig:
        """What an image goes through before it."""
        return self.network.config.preprocess

    def see_at(self, side: int) -> None:
        """Change the size of pictures in its preprocessing; smaller is faster.

        Args:
            side: Of the square it sees, in pixels; 0 keeps its own. The share of a picture that
                the square covers stays.

        Raises:
            ConfigError: If it takes one size alone.
        """
        if side in (0, self.preprocess.crop):
            return
        if self.fixed_side:
            raise ConfigError(f"teacher_size: this teacher takes {self.fixed_side} px alone")
        resize = side * self.preprocess.resize // self.preprocess.crop
        preprocess = replace(self.preprocess, crop=side, resize=resize)
        self.network.config = replace(self.network.config, preprocess=preprocess)

    @property
    def num_features(self) -> int:
        """K, the size of its pooled features."""
        return self.network.config.num_features

    @torch.no_grad()  # not inference_mode: its tensors could not be part of a loss
    def features(self, batch: Tensor) -> Tensor:
        """Compute pooled features.

        Args:
            batch: float32 (N, 3, S, S), preprocessed for it.

        Returns:
            (N, K), without gradients.
        """
        return self.network.feature_map(batch).mean(dim=(2, 3))

    def head(self, label_names: Sequence[str]) -> nn.Linear | None:
        """Give the layer that turns its features into logits of a data set's classes.

        Args:
            label_names: Of the data set, in any order.

        Returns:
            A frozen copy in the order of `label_names`; None if it knows other classes.
        """
        theirs = self.network.config.label_names
        if self.classifier is None or set(theirs) != set(label_names):
            return None
        order = [theirs.index(label) for label in label_names]
        weight, bias = self.classifier.weight, self.classifier.bias
        return make_head(weight[order], torch.zeros(len(order)) if bias is None else bias[order])


def make_head(weight: Tensor, bias: Tensor) -> nn.Linear:
    """Make a frozen linear layer of given weights.

    Args:
        weight: (C, K).
        bias: (C,).

    Returns:
        The layer, with copies of them in float32.
    """
    head = nn.Linear(weight.shape[1], weight.shape[0])
    head.load_state_dict({"weight": weight, "bias": bias})
    return head.requires_grad_(False)


def load_teacher(source: str) -> Teacher:
    """Load a teacher.

    Args:
        source: A folder, or "owner/name[@revision]" on a hub, with config.json and
            model.safetensors; config.json's architecture decides who reads it.

    Returns:
        The teacher, on the CPU.

    Raises:
        ConfigError: If config.json is not usable, or timm is needed and not installed.
        CheckpointError: If the source cannot be found or its weights do not fit.
    """
    try:
        folder = hub.resolve(source).folder
        hub.weights_path(folder)  # only safetensors: timm would read pickles too
        content = _read_json(folder / hub.CONFIG_FILE)
        if content.get("architecture") in ARCHITECTURES:
            model = ImageClassifier.from_pretrained(folder)
            return Teacher(model, model.head)
        return _load_with_timm(folder, content)
    except HubModelsError as error:
        raise type(error)(f"teacher: {error}") from error


def _load_with_timm(folder: Path, content: Mapping[str, Any]) -> Teacher:
    try:
        import timm
    except ImportError as error:
        raise ConfigError(
            f"{folder}: timm is needed for this architecture, {content.get('architecture')!r}; "
            "pip install '.[interop]' brings it"
        ) from error
    # timm meets wrong configs and weights with the errors of several libraries, asserts included.
    try:
        backbone = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
        options = timm.data.resolve_model_data_config(backbone)
        channels, height, width = options["input_size"]
        with torch.inference_mode():
            shape = tuple(_pooled(backbone, torch.zeros(1, channels, height, width)).shape)
        classifier = backbone.get_classifier()
    except Exception as error:
        first_line = str(error).strip().split("\n", 1)[0]
        raise CheckpointError(f"{folder}: timm cannot use this folder ({first_line})") from error
    if channels != 3 or height != width or len(shape) != 2:
        raise ConfigError(
            f"{folder}: RGB squares in and one vector out are needed, not input_size "
            f"{options['input_size']} and features of shape {shape}"
        )
    cfg = backbone.pretrained_cfg
    config = ModelConfig(
        architecture=str(content["architecture"]),
        label_names=tuple(cfg.get("label_names") or ()),
        num_features=shape[1],
        first_conv=str(cfg.get("first_conv")),
        classifier=str(cfg.get("classifier")),
        preprocess=_preprocess(folder, options),
    )
    return Teacher(
        TimmNetwork(backbone, config),
        classifier if isinstance(classifier, nn.Linear) else None,
        fixed_side=height if cfg.get("fixed_input_size") else 0,
        description={"timm": timm.__version__, "model_args": content.get("model_args")},
    )


def _preprocess(folder: Path, options: Mapping[str, Any]) -> PreprocessConfig:
    crop = options["input_size"][1]
    is_squash = options["crop_mode"] == "squash"
    try:
        return PreprocessConfig(
            resize=crop if is_squash else math.floor(crop / options["crop_pct"]),
            crop=crop,
            interpolation=options["interpolation"],
            crop_mode=options["crop_mode"],
            mean=tuple(options["mean"]),
            std=tuple(options["std"]),
        )
    except ConfigError as error:
        raise ConfigError(f"{folder}: {error}") from error


def _pooled(backbone: Any, batch: Tensor) -> Tensor:
    """Give what the last linear layer of a timm model sees, (N, K)."""
    features: Tensor = backbone.forward_head(backbone.forward_features(batch), pre_logits=True)
    return features


def _read_json(path: Path) -> Mapping[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: not readable as JSON ({error})") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: must be an object")
    return content
