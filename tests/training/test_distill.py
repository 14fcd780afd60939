from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from torch.nn import functional

from hub_models import ConfigError, ImageClassifier, PreprocessConfig, load_image
from hub_models.machine import cache_folder
from hub_models.preprocess import preprocess
from tests.training.conftest import CHANNELS
from tests.training.test_teacher import write_timm_folder
from training.config import Recipe
from training.data import Data, decode, load_data
from training.distill import Lesson, make_lesson
from training.loop import Training, set_up
from training.loss import hint_losses, soft_target_losses
from training.state import Progress
from training.teacher import load_teacher

LABELS = ("blue", "green", "red")  # as the data set has them
TEACHER_VIEW = PreprocessConfig(resize=40, crop=36, mean=(0.4, 0.5, 0.6), std=(0.2, 0.25, 0.3))


@pytest.fixture
def data(class_folders: Path) -> Data:
    return load_data(str(class_folders), validation_fraction=0.2)


@pytest.fixture
def teacher(tmp_path: Path) -> str:
    """A ResNet-18 whose opinions are its own, its classes in another order."""
    torch.manual_seed(5)
    model = ImageClassifier.create("resnet18", LABELS[::-1], preprocess=TEACHER_VIEW)
    torch.nn.init.normal_(model.head.weight, std=0.2)
    model.save_pretrained(tmp_path / "teacher")
    return str(tmp_path / "teacher")


def tiny(teacher: str, *, channels: int = 3, **keys: Any) -> tuple[Recipe, ImageClassifier]:
    defaults = {"freeze": "none", "image_size": 32, "batch_size": 16, "workers": 0, "epochs": 2}
    recipe = Recipe(**{**defaults, "teacher": teacher, **keys})  # type: ignore[arg-type]
    torch.manual_seed(0)
    view = PreprocessConfig(resize=36, crop=32).in_channels(channels)
    model = ImageClassifier.create("mobilenetv2_025", LABELS, preprocess=view)
    model.freeze(recipe.freeze, batch_norm=recipe.freeze_batch_norm)
    return recipe, model


def started(accelerator: Accelerator, data: Data, teacher: str, **keys: Any) -> Training:
    recipe, model = tiny(teacher, **keys)
    return set_up(accelerator, recipe, data, model)


def train(training: Training, *epochs: int) -> Training:
    for epoch in epochs or (0,):
        assert training.train_epoch(Progress(epoch=epoch), lambda _: False)
    return training


def lesson_of(accelerator: Accelerator, data: Data, teacher: str, **keys: Any) -> Lesson:
    recipe, model = tiny(teacher, **keys)
    lesson = make_lesson(accelerator, recipe, data, model)
    assert lesson is not None
    return lesson


def pictures(data: Data, view: PreprocessConfig, indices: list[int]) -> torch.Tensor:
    images = [decode(data.splits["train"][i]["image"]) for i in indices]
    return torch.stack([torch.from_numpy(preprocess(image, view)) for image in images])


def head_weights(training: Training) -> torch.Tensor:
    return training.model.head.weight.detach().clone()


def outputs(training: Training, data: Data) -> tuple[torch.Tensor, ...]:
    """What the learner gives for all training pictures.

    In training mode: after so few steps the running statistics of batch norm lag far behind.
    """
    training.model.dropout.p = 0.0
    training.learner.train()
    view = training.model.config.preprocess
    with torch.no_grad():
        given = training.learner(pictures(data, view, list(range(len(data.splits["train"])))))
    return given if isinstance(given, tuple) else (given,)


def distance(training: Training, lesson: Lesson, data: Data) -> float:
    """Mean divergence of a student's answers from a teacher's, on the training pictures."""
    rows = list(range(len(data.splits["train"])))
    assert lesson.head is not None
    batch = pictures(data, training.model.config.preprocess, rows)
    answers = lesson.head(lesson.look(batch, rows))
    logits = outputs(training, data)[0]
    return soft_target_losses(logits, answers, temperature=1.0).mean().item()


def test_the_centre_view_is_the_teacher_s_own_preprocessing_of_each_picture(
    accelerator: Accelerator, data: Data, teacher: str
) -> None:
    lesson = lesson_of(accelerator, data, teacher)
    rows = [7, 0, 31]
    uncached = load_teacher(teacher).features(pictures(data, TEACHER_VIEW, rows))
    torch.testing.assert_close(lesson.look(torch.zeros(3, 3, 32, 32), rows), uncached)


def test_the_centre_view_is_computed_once_for_all_runs_of_a_teacher(
    accelerator: Accelerator, data: Data, teacher: str
) -> None:
    lesson_of(accelerator, data, teacher)
    (file,) = cache_folder("features").iterdir()
    before = file.stat().st_mtime_ns
    lesson_of(accelerator, data, teacher, teacher_weight=0.2, learning_rate=0.5)
    assert [path.stat().st_mtime_ns for path in cache_folder("features").iterdir()] == [before]
    lesson_of(accelerator, data, teacher, teacher_size=32)
    assert len(list(cache_folder("features").iterdir())) == 2


def test_the_student_s_view_is_the_same_pixels_normalised_for_the_teacher(
    accelerator: Accelerator, data: Data, teacher: str
) -> None:
    lesson = lesson_of(accelerator, data, teacher, teacher_view="student")
    assert not cache_folder("features").exists()
    square = PreprocessConfig(resize=36, crop=32)
    theirs = PreprocessConfig(resize=36, crop=32, mean=TEACHER_VIEW.mean, std=TEACHER_VIEW.std)
    seen = lesson.look(pictures(data, square, [3, 4]), [3, 4])
    expected = load_teacher(teacher).features(pictures(data, theirs, [3, 4]))
    torch.testing.assert_close(seen, expected, rtol=1e-4, atol=1e-5)


def test_a_grey_student_s_view_is_shown_to_an_rgb_teacher_in_three_channels(
    accelerator: Accelerator, data: Data, teacher: str
) -> None:
    lesson = lesson_of(accelerator, data, teacher, teacher_view="student", channels=1)
    grey = pictures(data, PreprocessConfig(resize=36, crop=32).in_channels(1), [3, 4])
    plain = grey * 0.226 + 0.449
    mean, std = (torch.tensor(v)[:, None, None] for v in (TEACHER_VIEW.mean, TEACHER_VIEW.std))
    expected = load_teacher(teacher).features((plain.expand(-1, 3, -1, -1) - mean) / std)
    torch.testing.assert_close(lesson.look(grey, [3, 4]), expected, rtol=1e-4, atol=1e-5)


def test_a_grey_teacher_sees_the_pictures_of_an_rgb_student_but_not_its_batches(
    accelerator: Accelerator, data: Data, tmp_path: Path
) -> None:
    folder = str(tmp_path / "grey")
    view = PreprocessConfig(resize=36, crop=32).in_channels(1)
    ImageClassifier.create("resnet18", LABELS, preprocess=view).save_pretrained(folder)
    seen = lesson_of(accelerator, data, folder).look(torch.zeros(1), [3, 4])
    expected = load_teacher(folder).features(pictures(data, view, [3, 4]))
    torch.testing.assert_close(seen, expected, rtol=1e-4, atol=1e-5)
    with pytest.raises(ConfigError, match="cannot show RGB pixels to a teacher of grey ones"):
        lesson_of(accelerator, data, folder, teacher_view="student")


def test_a_batch_is_resized_for_a_teacher_that_takes_one_size(
    accelerator: Accelerator, data: Data, tmp_path: Path
) -> None:
    write_timm_folder(tmp_path / "vit", "test_vit")
    keys = {"teacher_view": "student", "teacher_weight": 0.0, "hint_weight": 1.0}
    lesson = lesson_of(accelerator, data, str(tmp_path / "vit"), **keys)
    assert lesson.look(torch.randn(2, 3, 32, 32), [0, 1]).shape == (2, 64)


def test_a_teacher_of_other_classes_gets_a_head_fitted_to_its_features(
    accelerator: Accelerator, data: Data, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_timm_folder(tmp_path / "timm")
    keys = {"teacher_size": 64, "teacher_weight": 1.0}
    lesson = lesson_of(accelerator, data, str(tmp_path / "timm"), **keys)
    assert "a head for blue, green, red was fitted to its features" in capsys.readouterr().out
    assert lesson.head is not None
    rows = list(range(len(data.splits["train"])))
    answers = lesson.head(lesson.look(torch.zeros(1), rows)).argmax(dim=1)
    targets = torch.tensor(data.splits["train"]["target"][:])
    assert (answers == targets).float().mean() > 0.9


def test_the_losses_are_weighed_as_the_recipe_says(
    accelerator: Accelerator, data: Data, teacher: str
) -> None:
    keys = {"teacher_weight": 0.3, "teacher_temperature": 2.0, "hint_weight": 5.0}
    lesson = lesson_of(accelerator, data, teacher, **keys)
    assert lesson.head is not None
    assert lesson.mean is not None
    hard, logits, projected = torch.rand(4), torch.randn(4, 3), torch.randn(4, 512)
    rows = [9, 8, 3, 1]
    seen = lesson.look(hard, rows)
    soft = soft_target_losses(logits, lesson.head(seen), 2.0)
    expected = 0.7 * hard + 0.3 * soft + 5 * hint_losses(projected, seen - lesson.mean)
    torch.testing.assert_close(lesson.losses(hard, (logits, projected), hard, rows), expected)


@pytest.mark.slow
@pytest.mark.parametrize("view", ["centre", "student"])
def test_a_taught_student_ends_nearer_to_its_teacher_than_an_untaught_one(
    view: str, accelerator: Accelerator, data: Data, teacher: str
) -> None:
    keys = {"epochs": 6, "learning_rate": 0.01, "flip": 0.0, "colour_jitter": 0.0, "crop": "center"}
    taught = started(accelerator, data, teacher, teacher_view=view, teacher_weight=1.0, **keys)
    untaught = started(accelerator, data, "", **keys)
    assert taught.lesson is not None
    near, far = (distance(train(run, *range(6)), taught.lesson, data) for run in (taught, untaught))
    assert near < 0.5 * far


def test_with_the_whole_weight_on_the_teacher_the_targets_count_for_nothing(
    accelerator: Accelerator, data: Data, teacher: str
) -> None:
    heads = []
    for shift in (0, 1):
        split = data.splits["train"].map(lambda row, shift=shift: {"target": (row + shift) % 3},
                                         input_columns="target")  # fmt: skip
        changed = Data(data.splits | {"train": split}, data.label_names, data.parts)
        training = started(accelerator, changed, teacher, teacher_weight=1.0)
        heads.append(head_weights(train(training)))
    assert torch.equal(*heads)


def test_hints_bring_the_features_nearer(
    accelerator: Accelerator, data: Data, teacher: str
) -> None:
    keys = {"teacher_weight": 0.0, "hint_weight": 10.0, "epochs": 6, "learning_rate": 0.01}
    training = started(accelerator, data, teacher, **keys)
    lesson = training.lesson
    assert lesson is not None
    rows = list(range(len(data.splits["train"])))
    assert lesson.mean is not None
    theirs = lesson.look(torch.zeros(1), rows) - lesson.mean
    before = hint_losses(outputs(training, data)[1], theirs).mean()
    assert before > 0.9  # a new projection knows nothing: right angles
    train(training, *range(6))
    after = hint_losses(outputs(training, data)[1], theirs).mean()
    assert after < 0.95 * before


@pytest.mark.parametrize("view", ["centre", "student"])
def test_the_teacher_stays_bit_equal(
    view: str, accelerator: Accelerator, data: Data, teacher: str
) -> None:
    training = started(accelerator, data, teacher, teacher_view=view, hint_weight=1.0)
    lesson = training.lesson
    assert lesson is not None
    assert lesson.head is not None
    batch, rows = torch.randn(4, 3, 32, 32), [1, 2, 3, 4]
    before = [lesson.look(batch, rows), lesson.head.weight.clone(), lesson.head.bias.clone()]
    train(training, 0, 1)
    after = [lesson.look(batch, rows), lesson.head.weight, lesson.head.bias]
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


def one_step(accelerator: Accelerator, data: Data, teacher: str, **keys: Any) -> torch.Tensor:
    """What a step over all 48 images changes, batch norm and dropout out of the way."""
    recipe, model = tiny(
        teacher, batch_size=48, freeze_batch_norm=True, optimizer="sgd", momentum=0.0,
        hint_weight=1.0, teacher_weight=0.5, **keys,
    )  # fmt: skip
    model.dropout.p = 0.0
    training = set_up(accelerator, recipe, data, model)
    before = [p.detach().clone() for p in training.learner.parameters()]
    train(training)
    pairs = zip(before, training.learner.parameters(), strict=True)
    return torch.cat([(a - b).flatten() for a, b in pairs])


@pytest.mark.parametrize("view", ["centre", "student"])
def test_micro_batches_are_taught_as_the_whole_batch_is(
    view: str, accelerator: Accelerator, data: Data, teacher: str
) -> None:
    whole = one_step(accelerator, data, teacher, teacher_view=view)
    parts = one_step(accelerator, data, teacher, teacher_view=view, micro_batches=3)
    torch.testing.assert_close(whole, parts, rtol=1e-3, atol=1e-6)


def test_a_head_on_cached_features_is_taught_as_one_on_images_is(
    accelerator: Accelerator, data: Data, teacher: str
) -> None:
    keys = {"freeze": "head", "weights": "imagenet", "views": 1}
    cached = train(started(accelerator, data, teacher, cache_features=True, **keys))
    images = train(started(accelerator, data, teacher, **keys))
    untaught = train(started(accelerator, data, "", **keys))
    torch.testing.assert_close(head_weights(cached), head_weights(images), rtol=1e-4, atol=1e-6)
    assert not torch.allclose(head_weights(images), head_weights(untaught), rtol=1e-4, atol=1e-6)


def test_hints_reach_a_backbone_that_opens_later(
    accelerator: Accelerator, data: Data, teacher: str
) -> None:
    keys = {"freeze": "head", "freeze_epochs": 1, "weights": "imagenet", "ema_decay": 0.5}
    training = started(
        accelerator, data, teacher, hint_weight=1.0, channels_last=True, clip_norm=1.0, **keys
    )
    assert training.lesson is not None
    assert training.lesson.projection is not None
    backbone = training.model.backbone.get_parameter("0.0.weight").detach().clone()
    projection = training.lesson.projection.weight.detach().clone()
    train(training, 0)
    assert torch.equal(training.model.backbone.get_parameter("0.0.weight"), backbone)
    assert not torch.equal(training.lesson.projection.weight, projection)
    train(training, 1)
    assert not torch.equal(training.model.backbone.get_parameter("0.0.weight"), backbone)
    training.validate()


def test_mixed_images_are_seen_by_the_teacher_mixed(
    accelerator: Accelerator, data: Data, teacher: str
) -> None:
    keys = {"teacher_view": "student", "mixup": 0.4, "hint_weight": 1.0}
    training = started(accelerator, data, teacher, **keys)
    before = head_weights(training)
    train(training)
    assert not torch.equal(head_weights(training), before)


def test_a_learner_s_logits_are_its_model_s(
    accelerator: Accelerator, data: Data, teacher: str
) -> None:
    training = started(accelerator, data, teacher, hint_weight=1.0)
    model = training.model.eval()
    batch = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        logits, projected = training.learner(batch)
        assert torch.equal(logits, model(batch))
    assert projected.shape == (2, 512)


def test_the_data_set_s_order_of_classes_is_used(
    accelerator: Accelerator, data: Data, teacher: str
) -> None:
    assert sorted(CHANNELS) == list(LABELS) == list(data.label_names)
    lesson = lesson_of(accelerator, data, teacher)
    assert lesson.head is not None
    path = data.splits["train"][5]["image"]["path"]
    said = ImageClassifier.from_pretrained(teacher).classify(load_image(path))
    logits = lesson.head(lesson.look(torch.zeros(1), [5]))
    probabilities = dict(zip(LABELS, functional.softmax(logits, dim=1)[0].tolist(), strict=True))
    assert probabilities == pytest.approx({p.label: p.probability for p in said}, rel=1e-3)
