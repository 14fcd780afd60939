import pytest

from hub_models import PreprocessConfig
from tests.training.conftest import draw
from training.config import Recipe
from training.reduction import EvaluationSquare, ShorterSide, training_reduction


def test_the_shorter_side_is_reduced_and_the_ratio_kept() -> None:
    reduction = ShorterSide(20, "bilinear")
    assert reduction.size((50, 40)) == (25, 20)
    assert reduction(draw("red", 0, size=(50, 40))).size == (25, 20)


def test_a_small_picture_is_never_enlarged() -> None:
    image = draw("red", 0, size=(50, 18))
    reduced = ShorterSide(20, "bilinear")(image)
    assert reduced.size == (50, 18)
    assert reduced.tobytes() == image.tobytes()


@pytest.mark.parametrize(
    ("keys", "side"),
    [
        ({"image_size": 100, "crop_scale_min": 0.25}, 200),  # such a crop has half of the sides
        ({"image_size": 100, "image_size_start": 64, "crop_scale_min": 1.0}, 100),
        ({"image_size": 100, "crop": "random", "crop_pct": 0.8}, 125),
        ({"image_size": 100, "crop": "center", "crop_pct": 0.5}, 200),
        ({"image_size": 100, "crop": "random", "random_sizes": (120, 150, 130)}, 150),
    ],
)
def test_the_largest_training_size_and_the_crop_decide_how_small(
    keys: dict[str, object], side: int
) -> None:
    assert training_reduction(Recipe(**keys)) == ShorterSide(side, "bilinear")  # type: ignore[arg-type]


def test_a_square_has_its_size_whatever_the_picture_s() -> None:
    reduction = EvaluationSquare(PreprocessConfig(resize=36, crop=32))
    assert reduction.size((50, 40)) == reduction(draw("red", 0)).size == (32, 32)
