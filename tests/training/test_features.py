from pathlib import Path

import pytest
import torch
from accelerate import Accelerator

from hub_models import ImageClassifier, PreprocessConfig
from hub_models.machine import cache_folder
from training.augment import CentreView
from training.config import Recipe
from training.data import Data, load_data
from training.features import Features, FeatureSource, cached_features
from training.loop import set_up
from training.state import Progress


@pytest.fixture
def data(class_folders: Path) -> Data:
    return load_data(str(class_folders), validation_fraction=0.2)


def make_model() -> ImageClassifier:
    torch.manual_seed(0)
    preprocess = PreprocessConfig(resize=36, crop=32)
    labels = ["blue", "green", "red"]
    model = ImageClassifier.create("mobilenetv2_025", labels, preprocess=preprocess)
    model.freeze("head")
    return model


def source(data: Data, model: ImageClassifier) -> FeatureSource:
    view = CentreView(model.config.preprocess)
    return FeatureSource(data.splits["validation"], "validation", view, {})


def files() -> list[Path]:
    return sorted(cache_folder("features").glob("*"))


def trained_head(accelerator: Accelerator, data: Data, **keys: object) -> torch.Tensor:
    model = make_model()
    recipe = Recipe(image_size=32, batch_size=16, epochs=3, workers=0, learning_rate=0.01, **keys)  # type: ignore[arg-type]
    training = set_up(accelerator, recipe, data, model)
    for epoch in range(3):
        training.train_epoch(Progress(epoch=epoch), lambda _: False)
    training.validate()
    return model.head.weight.detach()


@pytest.mark.parametrize("views", [1, 2])
def test_a_head_trained_on_cached_features_equals_one_trained_on_images(
    views: int, accelerator: Accelerator, data: Data
) -> None:
    cached = trained_head(accelerator, data, views=views, cache_features=True)
    assert len(files()) == 2
    uncached = trained_head(accelerator, data, views=views)
    torch.testing.assert_close(cached, uncached, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("flip", "made"), [(0.0, 2), (0.5, 3)])
def test_heads_of_other_seeds_share_the_features_unless_the_views_are_random(
    flip: float, made: int, accelerator: Accelerator, data: Data
) -> None:
    fixed = {"crop": "center", "colour_jitter": 0.0, "flip": flip, "views": 1}
    for seed in (0, 1):
        trained_head(accelerator, data, cache_features=True, seed=seed, **fixed)
    assert len(files()) == made


def test_the_features_are_the_backbone_s(accelerator: Accelerator, data: Data) -> None:
    model = make_model().eval()
    path = cached_features(accelerator, model, source(data, model), workers=0)
    features = Features(path, data.splits["validation"]["target"][:])
    picture = data.splits["validation"][3]["image"]["path"]
    with torch.inference_mode():
        expected = model.feature_map(model.pixels(picture)[None]).mean(dim=(2, 3))[0]
    torch.testing.assert_close(features[(5, 3)][0], expected)
    assert features[(5, 3)][1] == data.splits["validation"][3]["target"]


def test_features_are_computed_once(accelerator: Accelerator, data: Data) -> None:
    model = make_model()
    path = cached_features(accelerator, model, source(data, model), workers=0)
    before = path.stat().st_mtime_ns
    assert cached_features(accelerator, model, source(data, model), workers=0) == path
    assert path.stat().st_mtime_ns == before


def test_other_weights_preprocessing_or_pictures_are_other_features(
    accelerator: Accelerator, data: Data
) -> None:
    model = make_model()
    cached_features(accelerator, model, source(data, model), workers=0)
    with torch.no_grad():
        model.backbone.get_parameter("0.0.weight")[0, 0, 0, 0] += 1e-3
    cached_features(accelerator, model, source(data, model), workers=0)
    assert len(files()) == 2
    picture = Path(data.splits["validation"][0]["image"]["path"])
    picture.write_bytes(Path(data.splits["validation"][1]["image"]["path"]).read_bytes())
    cached_features(accelerator, model, source(data, model), workers=0)
    assert len(files()) == 3


def test_a_damaged_cache_is_computed_again(accelerator: Accelerator, data: Data) -> None:
    model = make_model()
    path = cached_features(accelerator, model, source(data, model), workers=0)
    whole = path.read_bytes()
    path.write_bytes(whole[:-50])
    assert cached_features(accelerator, model, source(data, model), workers=0) == path
    assert path.read_bytes() == whole
