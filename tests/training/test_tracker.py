from pathlib import Path
from typing import Any

import pytest
from accelerate import Accelerator
from accelerate.tracking import GeneralTracker

import training.tracker
from hub_models.errors import ConfigError
from training.tracker import check_tracker, start_tracker


class Kept(GeneralTracker):
    """Keeps what it is told."""

    name = "kept"
    requires_logging_directory = False
    main_process_only = True

    def __init__(self) -> None:
        super().__init__()
        self.told: list[Any] = []

    @property
    def tracker(self) -> list[Any]:
        return self.told

    def store_init_configuration(self, values: dict[str, Any]) -> None:
        self.told.append(values)

    def log(self, values: dict[str, Any], step: int | None = None, **_: Any) -> None:
        self.told.append((step, values))


def test_no_tracker_is_fine(tmp_path: Path) -> None:
    assert check_tracker("") is None
    start_tracker(Accelerator(log_with=check_tracker(""), project_dir=tmp_path), {"epochs": 3})
    assert list(tmp_path.iterdir()) == []


def test_a_tracker_that_is_not_known_is_one_sentence() -> None:
    with pytest.raises(ConfigError, match=r"tracker must be one of aim, .*not 'tensorbord'"):
        check_tracker("tensorbord")


def test_a_tracker_that_is_not_installed_is_an_error_and_not_silence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(training.tracker, "get_available_trackers", lambda: [])
    with pytest.raises(ConfigError, match="'comet_ml' is not installed: pip install comet-ml"):
        check_tracker("comet_ml")
    monkeypatch.setattr(training.tracker, "get_available_trackers", lambda: ["comet_ml"])
    assert check_tracker("comet_ml") == "comet_ml"


def test_the_tracker_is_told_the_recipe_as_plain_values(tmp_path: Path) -> None:
    kept = Kept()
    accelerator = Accelerator(log_with=kept, project_dir=tmp_path)
    start_tracker(accelerator, {"epochs": 3, "flip": 0.5, "sizes": (64, 96), "compile": True})
    accelerator.log({"train_loss": 0.5}, step=1)
    assert kept.told == [
        {"epochs": 3, "flip": 0.5, "sizes": "(64, 96)", "compile": True},
        (1, {"train_loss": 0.5}),
    ]
