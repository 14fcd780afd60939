"""A run's folder: one run at a time writes there, and goes on from its state and its recipe."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

from accelerate import Accelerator
from accelerate.utils import broadcast_object_list
from filelock import FileLock, Timeout

from hub_models.errors import ConfigError
from training.config import Recipe, read_recipe
from training.run_folder import METRICS_FILE, SPLIT_FILE
from training.state import Progress, has_state, load_state

# What decides where and how a run computes and reports, and none of its numbers.
FREE: Final = ("data", "out", "workers", "profile", "save_every", "tracker", "push_to")


def resumed_recipe(path: Path | None, overrides: Mapping[str, Any]) -> Recipe:
    """Give the recipe that the run in `out` began with.

    A resumed run ends at the bits of an uninterrupted one only under the same recipe, so a key
    that differs is an error; those in `FREE` may differ.

    Args:
        path: Recipe file, if one was named; the run's own config.toml if None.
        overrides: Key -> value, as typed.

    Returns:
        The run's own recipe, with the free keys as asked for now.

    Raises:
        ConfigError: If a recipe cannot be read, or asks for something else than the run's own.
    """
    asked = read_recipe(path, overrides)
    own_path = Path(asked.out) / "config.toml"
    if not own_path.exists():  # reading the state will say what is missing
        return asked
    own = read_recipe(own_path, {k: v for k, v in overrides.items() if k in FREE})
    asked = read_recipe(path or own_path, overrides)
    for key in (field.name for field in fields(Recipe)):
        now, then = getattr(asked, key), getattr(own, key)
        if now != then and key not in FREE:
            raise ConfigError(
                f"{own_path}: this run has {key} = {then!r}, not {now!r}; a resumed run keeps its "
                f"recipe, all but {', '.join(FREE)}"
            )
    return own


@contextlib.contextmanager
def locked(out: Path, accelerator: Accelerator) -> Iterator[None]:
    """Keep a run's folder for one run; the kernel ends the lock of a process that was killed.

    What a killed run was writing is removed; a new folder that nothing was written to goes again.

    Args:
        out: RUN; made if missing.
        accelerator: Its main process takes the lock; all of them hear of it.

    Raises:
        ConfigError: If another run writes there, or nothing can be written there.
    """
    lock, is_new = FileLock(out / ".lock"), not out.exists()
    box = [_acquire(lock, out) if accelerator.is_main_process else ""]
    broadcast_object_list(box)
    try:
        if box[0]:
            raise ConfigError(box[0])
        yield
    finally:
        if lock.is_locked:
            with contextlib.suppress(OSError):
                (out / ".lock").unlink()  # while it is held: who opened it sees that it is gone
                if is_new:
                    out.rmdir()  # if it is empty
            lock.release()


def _acquire(lock: FileLock, out: Path) -> str:
    """Take the lock and clear up; give a sentence if that cannot be done."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
        with tempfile.TemporaryFile(dir=out):  # a lock can be there in a read-only folder too
            pass
    except Timeout:
        return f"--out {out}: another run is writing there; wait for it, or name another folder"
    except OSError as error:
        return f"--out {out}: no run can be written there ({error})"
    for folder in (out, out / "state", out / "checkpoint"):
        for unfinished in folder.glob(".writing-*"):
            shutil.rmtree(unfinished, ignore_errors=True)
    return ""


def open_run(
    out: Path, accelerator: Accelerator, *, resume: bool
) -> tuple[dict[str, Any] | None, Progress]:
    """Read the state a run goes on from; refuse to write over a run that was not to be resumed.

    A run that was killed before its first state begins again.

    Args:
        out: RUN, locked.
        accelerator: All processes look before the main process writes.
        resume: Whether `--resume` was typed.

    Returns:
        The state, None for a run that begins, and the progress.

    Raises:
        ConfigError: If there is a run, or a checkpoint, that would be written over.
        CheckpointError: If there is no state to resume from, or none is whole.
    """
    metrics = out / METRICS_FILE
    has_epochs = metrics.exists() and metrics.stat().st_size > 0
    is_begun = (out / SPLIT_FILE).exists()
    if has_state(out) or (resume and (has_epochs or not is_begun)):
        if not resume:
            raise ConfigError(f"{out} holds a run; --resume continues it, --out FOLDER keeps it")
        state, progress, damaged = load_state(out / "state")
        for name in damaged:
            accelerator.print(f"{out / 'state' / name} is damaged: using the state before it")
        accelerator.print(f"resuming at epoch {progress.epoch + 1}, step {progress.step + 1}")
        return state, progress
    if has_epochs or ((out / "checkpoint").exists() and not metrics.exists()):
        raise ConfigError(f"{out} holds a model and no state to go on from; --out FOLDER keeps it")
    if is_begun:
        accelerator.print(f"{out}: stopped before its first state was saved; it begins again")
    accelerator.wait_for_everyone()
    return None, Progress()
