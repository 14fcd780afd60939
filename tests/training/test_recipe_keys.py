"""Every key of a recipe has a test; `python -m tests.training.test_recipe_keys` prints which."""

import ast
import sys
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest
import torch
from accelerate import Accelerator
from torch import Tensor

from tests.training.conftest import CHANNELS, draw
from training.config import Recipe
from training.data import Data, load_data
from training.loop import set_up
from training.run_folder import make_origin
from training.starting_model import make_model
from training.state import Progress

HERE: Final = Path(__file__).parent
BASE: Final[dict[str, Any]] = {
    "architecture": "mobilenetv2_025",
    "weights": "none",
    "freeze": "none",
    "image_size": 32,
    "batch_size": 8,
    "epochs": 2,
    "workers": 0,
    "validation_fraction": 0.34,
}
# Another value of a key, and what else the recipe must say for the key to matter.
CHANGES_THE_WEIGHTS: Final[dict[str, tuple[Any, dict[str, Any]]]] = {
    "batch_size": (12, {}),
    "channels": (1, {}),
    "class_weights": ("balanced", {}),
    "clip_norm": (0.01, {}),
    "colour_jitter": (0.5, {}),
    "crop": ("center", {}),
    "crop_pct": (0.6, {"crop": "random"}),
    "crop_ratio_max": (2.5, {}),
    "crop_scale_min": (0.9, {}),
    "cutmix": (1.0, {}),
    "epochs": (3, {}),
    "eta_min": (5e-4, {}),
    "flip": (0.0, {}),
    "gamma": (0.5, {"schedule": "step", "warmup_epochs": 0.0}),
    "head_learning_rate": (0.1, {}),
    "image_size": (48, {}),
    "image_size_start": (32, {"image_size": 64}),
    "interpolation": ("bicubic", {}),
    "label_smoothing": (0.3, {}),
    "learning_rate": (3e-3, {}),
    "micro_batches": (2, {}),
    "mixup": (1.0, {}),
    "momentum": (0.5, {"optimizer": "sgd"}),
    "optimizer": ("sgd", {}),
    "rand_augment": (9, {}),
    "blur": (1.0, {}),
    "shrink": (1.0, {}),
    "grey": (1.0, {}),
    "jpeg": (1.0, {}),
    "random_erasing": (1.0, {}),
    "random_sizes": ((40, 56), {"crop": "random"}),
    "rotation": (45.0, {}),
    "schedule": ("constant", {}),
    "seed": (1, {}),
    "stem": ("small", {}),
    "step_size": (0.5, {"schedule": "step", "warmup_epochs": 0.0}),
    "views": (1, {}),
    "warmup_epochs": (1.5, {}),
    "weight_decay": (5.0, {}),
}
CHANGES_NO_WEIGHT: Final[dict[str, Any]] = {"profile": True, "save_every": 1, "workers": 1}
IS_ON_THE_CARD: Final = (
    "base_license", "base_model", "dataset_license", "dataset_name", "license", "note", "start",
    "widget",
)  # fmt: skip
ELSEWHERE: Final = {
    "architecture": "test_finetune.py::test_what_cannot_be_had_is_one_sentence",
    "average_best": "test_loop.py::test_the_mean_of_the_best_epochs_is_the_mean",
    "cache_features": (
        "test_features.py::test_a_head_trained_on_cached_features_equals_one_trained_on_images"
    ),
    "channels_last": "test_loop.py::test_channels_last_changes_the_layout_and_not_the_result",
    "compile": "test_loop.py::test_a_compiled_model_keeps_the_names_of_its_weights",
    "data": "test_data.py::test_class_folders_become_labels_in_alphabetical_order",
    "early_stopping": "test_finetune.py::test_early_stopping_ends_a_run_that_no_longer_improves",
    "ema_decay": "test_loop.py::test_the_moving_average_is_what_is_measured_and_lags_behind",
    "eval_size": "test_config.py::test_evaluation_keeps_the_statistics_of_the_weights",
    "freeze": "test_loop.py::test_frozen_parts_are_bit_equal_after_training",
    "freeze_batch_norm": (
        "test_loop.py::test_batch_norm_statistics_can_stay_while_the_weights_train"
    ),
    "freeze_epochs": "test_loop.py::test_gradual_freezing_opens_the_backbone_after_its_epochs",
    "image_column": "test_data.py::test_two_label_columns_are_asked_about",
    "label_column": "test_data.py::test_two_label_columns_are_asked_about",
    "normalisation": (
        "test_finetune.py::test_the_training_pictures_own_mean_and_std_go_with_the_model"
    ),
    "out": "test_finetune.py::test_a_run_leaves_a_checkpoint_metrics_config_and_state",
    "pixel_cache_gib": (
        "test_pixel_cache.py::test_every_training_picture_is_stored_as_it_was_resized"
    ),
    "patience": "test_schedule.py::test_a_plateau_lowers_the_rates_after_its_patience",
    "push_to": "test_publish.py::test_a_run_is_pushed_when_it_is_done",
    "shuffle_buffer": "test_stream.py::test_a_larger_buffer_is_another_order",
    "split_file": "test_finetune.py::test_another_run_s_split_is_used_exactly",
    "steps_per_epoch": (
        "test_stream.py::test_an_epoch_has_its_steps_even_where_the_data_is_shorter"
    ),
    "streaming": (
        "test_stream.py::test_a_streamed_run_resumes_to_the_bits_of_an_uninterrupted_one"
    ),
    "hint_weight": "test_distill.py::test_hints_bring_the_features_nearer",
    "teacher": (
        "test_distill.py::test_a_taught_student_ends_nearer_to_its_teacher_than_an_untaught_one"
    ),
    "teacher_size": "test_distill.py::test_a_batch_is_resized_for_a_teacher_that_takes_one_size",
    "teacher_temperature": "test_distill.py::test_the_losses_are_weighed_as_the_recipe_says",
    "teacher_view": (
        "test_distill.py::test_the_student_s_view_is_the_same_pixels_normalised_for_the_teacher"
    ),
    "teacher_weight": (
        "test_distill.py::test_with_the_whole_weight_on_the_teacher_the_targets_count_for_nothing"
    ),
    "tracker": "test_finetune.py::test_tensorboard_gets_every_epoch_and_the_recipe",
    "validation_fraction": (
        "test_data.py::test_the_split_is_stratified_and_depends_on_the_seed_alone"
    ),
    "weights": "test_finetune.py::test_what_cannot_be_had_is_one_sentence",
}


@pytest.fixture(scope="module")
def unbalanced(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes of 6, 12 and 12 pictures."""
    folder = tmp_path_factory.mktemp("unbalanced")
    for number, label in enumerate(CHANNELS):
        (folder / label).mkdir()
        for i in range(6 if label == "red" else 12):
            draw(label, 100 * number + i).save(folder / label / f"{i:02}.jpg")
    return folder


@cache
def trained(folder: Path, **keys: Any) -> tuple[Tensor, ...]:
    """Train as a recipe says; give all weights."""
    recipe = Recipe(**{**BASE, "data": str(folder), **keys})
    torch.manual_seed(0)
    data = split(recipe)
    accelerator = Accelerator(cpu=True)
    training = set_up(accelerator, recipe, data, make_model(accelerator, recipe, data))
    progress = Progress()
    for _ in range(recipe.epochs):
        assert training.train_epoch(progress, lambda progress: False)
        progress.end_epoch(0.0)
    return tuple(training.model.state_dict().values())


def split(recipe: Recipe) -> Data:
    return loaded(recipe.data, recipe.validation_fraction, recipe.seed)


@cache
def loaded(source: str, fraction: float, seed: int) -> Data:
    return load_data(source, validation_fraction=fraction, seed=seed)


def are_equal(one: tuple[Tensor, ...], other: tuple[Tensor, ...]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("key", CHANGES_THE_WEIGHTS)
def test_the_key_changes_the_weights(key: str, unbalanced: Path) -> None:
    value, context = CHANGES_THE_WEIGHTS[key]
    assert not are_equal(
        trained(unbalanced, **context), trained(unbalanced, **context | {key: value})
    )


@pytest.mark.parametrize("key", CHANGES_NO_WEIGHT)
def test_the_key_changes_where_a_run_computes_and_no_weight(key: str, unbalanced: Path) -> None:
    changed = trained(unbalanced, **{key: CHANGES_NO_WEIGHT[key]})
    assert are_equal(trained(unbalanced), changed)


@pytest.mark.parametrize("key", IS_ON_THE_CARD)
def test_the_key_is_on_the_card(key: str, unbalanced: Path) -> None:
    recipe = Recipe(**{**BASE, "data": str(unbalanced), key: "owner/some-words"})
    assert "owner/some-words" in make_origin(recipe, split(recipe), "command").values()


def test_every_key_has_a_test() -> None:
    tested = [*CHANGES_THE_WEIGHTS, *CHANGES_NO_WEIGHT, *IS_ON_THE_CARD, *ELSEWHERE]
    assert sorted(tested) == sorted(field.name for field in fields(Recipe))


def test_the_tests_that_are_named_exist() -> None:
    for place in ELSEWHERE.values():
        module, name = place.split("::")
        tree = ast.parse((HERE / module).read_text(encoding="utf-8"))
        assert name in [node.name for node in tree.body if isinstance(node, ast.FunctionDef)], place


def places() -> dict[str, str]:
    """Key -> the test that would fail without it."""
    here = Path(__file__).name
    weights = f"{here}::test_the_key_changes_the_weights"
    none = f"{here}::test_the_key_changes_where_a_run_computes_and_no_weight"
    return (
        {key: f"{weights}[{key}]" for key in CHANGES_THE_WEIGHTS}
        | {key: f"{none}[{key}]" for key in CHANGES_NO_WEIGHT}
        | {key: f"{here}::test_the_key_is_on_the_card[{key}]" for key in IS_ON_THE_CARD}
        | ELSEWHERE
    )


if __name__ == "__main__":
    rows = [f"| {field.name} | {places()[field.name]} |" for field in fields(Recipe)]
    sys.stdout.write("\n".join(["| key | test in tests/training |", "|---|---|", *rows, ""]))
