import pytest
import torch
from torchvision import models

from hub_models import ARCHITECTURES, ConfigError, ImageClassifier, ModelConfig
from hub_models.architectures import find_architecture

WIDTHS = {"025": 0.25, "035": 0.35, "050": 0.5, "075": 0.75, "100": 1.0, "140": 1.4}


def _torchvision_model(name: str) -> torch.nn.Module:
    if name.startswith("mobilenetv2_"):
        return models.MobileNetV2(width_mult=WIDTHS[name.removeprefix("mobilenetv2_")])
    return models.get_model(name, weights=None)


TORCHVISIONS = [name for name in ARCHITECTURES if not name.startswith("mobilenetv1")]


@pytest.mark.parametrize("name", TORCHVISIONS)
def test_every_architecture_is_torchvisions_network_without_its_head(name: str) -> None:
    with torch.device("meta"):
        backbone = ARCHITECTURES[name].backbone("imagenet", 3)
        theirs = _torchvision_model(name)
    shapes = [tuple(tensor.shape) for tensor in backbone.state_dict().values()]
    their_head = ("fc.", "classifier.")
    assert shapes == [
        tuple(tensor.shape)
        for key, tensor in theirs.state_dict().items()
        if not key.startswith(their_head)
    ]


@pytest.mark.parametrize(
    ("name", "stem", "channels", "cells"),
    [(name, "imagenet", 3, 2) for name in ARCHITECTURES]
    + [("resnet18", "small", 3, 8), ("resnet50", "small", 3, 8), ("mobilenetv2_100", "small", 3, 4)]
    + [("mobilenetv1_025", "small", 3, 4), ("mobilenetv1_025", "imagenet", 1, 2)]
    + [("resnet18", "small", 1, 8), ("resnet18", "imagenet", 1, 2)]
    + [("mobilenetv2_025", "small", 1, 4), ("mobilenetv2_025", "imagenet", 1, 2)],
)
def test_the_feature_map_has_the_channels_the_head_expects(
    name: str, stem: str, channels: int, cells: int
) -> None:
    with torch.device("meta"):
        backbone = ARCHITECTURES[name].backbone(stem, channels)
        features = backbone(torch.zeros(2, channels, 64, 64))
    assert features.shape == (2, ARCHITECTURES[name].num_features, cells, cells)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_last_stage_begins_where_the_lowest_resolution_begins(name: str) -> None:
    architecture = ARCHITECTURES[name]
    with torch.device("meta"):
        children = dict(architecture.backbone("imagenet", 3).named_children())
        sides = {}
        batch = torch.zeros(1, 3, 64, 64)
        for child_name, child in children.items():
            batch = child(batch)
            sides[child_name] = batch.shape[-1]
    assert architecture.last_stage == next(n for n, side in sides.items() if side == 2)


@pytest.mark.parametrize("name", ["resnet18", "mobilenetv2_025"])
def test_the_small_stem_keeps_every_weight_its_place_on_disk(name: str) -> None:
    labels = ["a", "b"]
    plain = ImageClassifier.create(name, labels).state_dict()
    small = ImageClassifier.create(name, labels, stem="small").state_dict()
    assert list(plain) == list(small)


@pytest.mark.parametrize("stem", ["imagenet", "small"])
@pytest.mark.parametrize("name", ["resnet18", "mobilenetv1_025", "mobilenetv2_025"])
def test_a_grey_backbone_begins_with_numbers_as_large_as_an_rgb_one(name: str, stem: str) -> None:
    torch.manual_seed(0)
    rgb, grey = (
        next(ARCHITECTURES[name].backbone(stem, channels).parameters()) for channels in (3, 1)
    )
    assert (rgb.shape[0], rgb.shape[2:]) == (grey.shape[0], grey.shape[2:])
    assert (rgb.shape[1], grey.shape[1]) == (3, 1)
    assert grey.detach().std() == pytest.approx(float(rgb.detach().std()), rel=0.3)


def test_an_unknown_architecture_is_refused_with_those_there_are() -> None:
    with pytest.raises(ConfigError, match=r"'vgg16' is not known; there are resnet18, .*_140"):
        find_architecture("vgg16")


def config_of(name: str) -> ModelConfig:
    with torch.device("meta"):
        return ImageClassifier.create(name, ["a", "b"]).config


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_config_tells_whether_timm_knows_its_network(name: str) -> None:
    timm = pytest.importorskip("timm")
    assert config_of(name).is_read_by_timm == timm.is_model(name)


def test_mobilenetv1_has_the_paper_s_parameters() -> None:
    with torch.device("meta"):
        model = ImageClassifier.create("mobilenetv1_100", [str(i) for i in range(1000)])
    assert sum(p.numel() for p in model.parameters()) == 4_231_976  # 4.2 M in its table 8


@pytest.mark.parametrize("name", [n for n in ARCHITECTURES if config_of(n).is_read_by_timm])
def test_timm_has_the_same_shapes_under_the_same_name(name: str) -> None:
    timm = pytest.importorskip("timm")
    with torch.device("meta"):
        theirs = timm.create_model(name, num_classes=3)
        ours = ImageClassifier.create(name, ["a", "b", "c"])
        their_grey = timm.create_model(name, num_classes=3, in_chans=1)
        our_grey = ImageClassifier.create(name, ["a", "b", "c"], channels=1)
    assert [tuple(t.shape) for t in their_grey.state_dict().values()] == [
        tuple(t.shape) for t in our_grey.state_dict().values()
    ]
    assert theirs.num_features == ours.config.num_features
    assert theirs.default_cfg["first_conv"] == ours.config.first_conv
    assert theirs.default_cfg["classifier"] == ours.config.classifier
    assert [tuple(t.shape) for t in theirs.state_dict().values()] == [
        tuple(t.shape) for t in ours.state_dict().values()
    ]
