from pathlib import Path

import pytest
import torch

from hub_models.errors import CheckpointError
from training.state import Progress, load_state, save_state


def save(folder: Path, step: int) -> None:
    progress = Progress(epoch=1, step=step, rows=[{"epoch": 1, "learning_rate": [0.1, 0.2]}])
    save_state(folder, {"model": {"w": torch.full((3,), float(step))}}, progress)


def test_the_newest_state_comes_back_as_it_was(tmp_path: Path) -> None:
    save(tmp_path, 5)
    save(tmp_path, 12)
    state, progress, damaged = load_state(tmp_path)
    assert torch.equal(state["model"]["w"], torch.full((3,), 12.0))
    assert (progress.epoch, progress.step, damaged) == (1, 12, [])
    assert progress.rows == [{"epoch": 1, "learning_rate": [0.1, 0.2]}]


def test_the_last_two_are_kept(tmp_path: Path) -> None:
    for step in (1, 2, 10, 11):
        save(tmp_path, step)
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "00001-0000010.state",
        "00001-0000011.state",
    ]


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty"])
def test_a_damaged_state_is_passed_over_for_the_one_before(damage: str, tmp_path: Path) -> None:
    save(tmp_path, 1)
    save(tmp_path, 2)
    path = tmp_path / "00001-0000002.state"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes({"cut": content[:-100], "flipped": content, "empty": b""}[damage])
    _, progress, damaged = load_state(tmp_path)
    assert (progress.step, damaged) == (1, ["00001-0000002.state"])


def test_no_state_and_no_whole_state_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no state to resume from"):
        load_state(tmp_path)
    save(tmp_path, 1)
    (tmp_path / "00001-0000001.state").write_bytes(b"x")
    with pytest.raises(CheckpointError, match="every state is damaged"):
        load_state(tmp_path)


def test_the_best_epoch_is_the_first_of_equals() -> None:
    progress = Progress()
    for accuracy in (0.5, 0.7, 0.7, 0.6):
        progress.end_epoch(accuracy)
    assert (progress.best_epoch, progress.best_accuracy, progress.stale_epochs) == (2, 0.7, 2)
