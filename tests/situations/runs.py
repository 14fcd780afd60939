"""Runs: two in one folder, killed ones, folders that cannot be written, paths on a card."""

import functools
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from accelerate import Accelerator

from hub_models import ImageClassifier
from tests.situations import Situation
from tests.situations._scripts import draw_class_folders, outcome, train, typed
from training.finetune import main as finetune
from training.resume import locked
from training.state import Progress, load_state, save_state

Happens = Callable[[Path], str]


def _second_run(root: Path) -> str:
    with locked(root / "run", Accelerator()):
        said = outcome(finetune, *typed(root, data=root / "no data is read"))
    return f"{said}; the first's lock is given back: {not (root / 'run').exists()}"


@functools.cache
def _killed() -> str:
    with tempfile.TemporaryDirectory() as root:
        words = [sys.executable, "-m", "tests.situations._killed", root]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr[-300:]


def _after(moment: str) -> Happens:
    return lambda _: " | ".join(line for line in _killed().splitlines() if line.startswith(moment))


def _no_run_without_state(root: Path) -> str:
    said = outcome(finetune, *typed(root), "--resume")
    return f"{said}; a folder is left: {(root / 'run').exists()}"


def _state_deleted(root: Path) -> str:
    checkpoint = train(root)
    for state in (root / "run" / "state").iterdir():
        state.unlink()
    before = (checkpoint / "config.json").read_bytes()
    said = outcome(finetune, *typed(root))
    return f"{said}; whole: {(checkpoint / 'config.json').read_bytes() == before}"


def _a_model_there(root: Path) -> str:
    draw_class_folders(root / "data")
    ImageClassifier.create("mobilenetv2_025", ["a", "b"]).save_pretrained(root / "run/checkpoint")
    return outcome(finetune, *typed(root))


def _out(place: str) -> Happens:
    def happens(root: Path) -> str:
        (root / "file").write_text("precious")
        words = typed(root, data=root / "no data is read", out=place.format(root=root))
        return f"{outcome(finetune, *words)}; the file: {(root / 'file').read_text()}"

    return happens


@contextmanager
def _files_of_at_most(size: int) -> Iterator[None]:
    """Let no file grow over a size, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def _full_while_training(root: Path) -> str:
    draw_class_folders(root / "data")
    with _files_of_at_most(2_000_000):  # a checkpoint is smaller, a state with AdamW's is larger
        said = outcome(finetune, *typed(root))
    run = root / "run"
    labels = ImageClassifier.from_pretrained(run / "checkpoint").config.label_names
    left = [path.name for path in run.rglob(".*")]
    return f"{said.replace(str(root), '')}; checkpoint of {len(labels)}, left over {left}"


def _full_while_saving(root: Path) -> str:
    save_state(root, {"model": {"w": torch.zeros(1000)}}, Progress(epoch=1))
    try:
        with _files_of_at_most(2000):
            save_state(root, {"model": {"w": torch.zeros(1000)}}, Progress(epoch=2))
        said = "saved"
    except Exception as error:
        said = f"{type(error).__name__}: {error}"
    return f"{said}; epoch {load_state(root)[1].epoch} is there, damaged {load_state(root)[2]}"


def _typed(*words: str) -> Happens:
    return lambda root: outcome(finetune, *typed(root, data=root / "no data is read"), *words)


def _launched_with(precision: str) -> Happens:
    def happens(root: Path) -> str:
        from accelerate.state import AcceleratorState

        AcceleratorState._reset_state(True)
        os.environ["ACCELERATE_MIXED_PRECISION"] = precision
        try:
            return outcome(finetune, *typed(root, data=root / "no data is read"))
        finally:
            del os.environ["ACCELERATE_MIXED_PRECISION"]
            AcceleratorState._reset_state(True)

    return happens


def _on_the_card(root: Path, *words: str) -> str:
    """Train with words for the data and more; say what of the root is published, and the command.

    Of the command only the words that are given here are shown.
    """
    given = typed(root)
    given = given[: given.index("--data")] + given[given.index("--data") + 2 :]
    said = outcome(finetune, *given, *words)
    if not said.startswith("rc 0"):
        return said
    folder = root / "run" / "checkpoint"
    texts = [(folder / name).read_text() for name in ("config.json", "README.md", "results.json")]
    command = ImageClassifier.from_pretrained(folder).config.origin["command"]
    dataset = ImageClassifier.from_pretrained(folder).config.origin["dataset"]
    is_named = any(str(root) in text or root.name in text for text in texts)
    return f"a path on the card: {is_named}; data set {dataset}; {command[-90:]}"


def _card(*words: str) -> Happens:
    def happens(root: Path) -> str:
        draw_class_folders(root / "pets")
        (root / "link").symlink_to(root / "pets")
        (root / "mine.toml").write_text("seed = 3\n")
        there = os.path.relpath(root)
        return _on_the_card(root, *(word.format(root=root, there=there) for word in words))

    return happens


def _card_of_a_recipe(root: Path) -> str:
    draw_class_folders(root / "pets")
    (root / "mine.toml").write_text(
        f"data = '{root}/pets'\nnote = 'pictures of {root}/pets, see https://example.org/a'\n"
    )
    return _on_the_card(root, "--recipe", f"{root}/mine.toml")


def _card_of_split_and_teacher(root: Path) -> str:
    teacher = train(root, out=root / "first")
    split = root / "first" / "split.json"
    words = ["--data", f"{root}/data", f"--split-file={split}", f"--teacher={teacher}"]
    return _on_the_card(root, *words)


def _number(given: str, *right: str) -> Situation:
    return Situation(f"finetune {given}", "a sentence", _typed(*given.split()), right)


_READ_ONLY = "a traceback (OSError)"
_HIDDEN = "the path stood on the card"

SITUATIONS = (
    Situation(
        "two runs into one --out",
        "the first ended with rc 0 and the second's checkpoint",
        _second_run,
        ("rc 1", "another run is writing there", "given back: True"),
    ),
    *(
        Situation(f"kill -9 {moment}, the same command", once, _after(moment), right)
        for moment, once, right in (
            (
                "before the first state",
                "'--resume continues it', then 'no state to resume from'",
                ("ended by 9, then rc 0", "an epoch True, left over []"),
            ),
            (
                "in the first state",
                "'--resume continues it', then 'no state to resume from'",
                ("ended by 9, then rc 0", "an epoch True, left over []"),
            ),
            (
                "in the second state",
                "left 00000-0000002.writing behind",
                ("then rc 1", "--resume continues it", "--resume: rc 0", "True, left over []"),
            ),
            (
                "in the checkpoint",
                "'--resume continues it', then 'no state to resume from'",
                ("ended by 9, then rc 0", "an epoch True, left over []"),
            ),
        )
    ),
    Situation(
        "--resume where no run is",
        "no state to resume from",
        _no_run_without_state,
        ("rc 1", "the command without --resume begins a run", "left: False"),
    ),
    Situation(
        "the states of a finished run deleted, the same command",
        "'--resume continues it', then 'no state to resume from'",
        _state_deleted,
        ("rc 1", "holds a model and no state to go on from", "whole: True"),
    ),
    Situation(
        "--out holds a checkpoint that no run left",
        "written over",
        _a_model_there,
        ("rc 1", "holds a model and no state", "--out FOLDER keeps it"),
    ),
    Situation("--out is a file", _READ_ONLY, _out("{root}/file"), ("rc 1", "precious", "--out")),
    Situation("--out below a file", _READ_ONLY, _out("{root}/file/run"), ("rc 1", "precious")),
    Situation("--out where nothing can be made", _READ_ONLY, _out("/proc/run"), ("no run can be",)),
    Situation(
        "disk full while saving a state of a run",
        "a traceback; 00001-0000000.writing left",
        _full_while_training,
        ("rc 1", "finetune: /run/state/", "cannot be written", "of 3, left over []"),
    ),
    Situation(
        "disk full while saving the next state",
        "OSError",
        _full_while_saving,
        ("CheckpointError", "cannot be written", "epoch 1 is there, damaged []"),
    ),
    _number("--batch_size 0", "rc 1: finetune: batch_size must be from 1"),
    _number("--workers -1", "rc 1: finetune: workers must be from 0 to 256, not -1"),
    _number("--epochs -1", "rc 1: finetune: epochs must be from 1"),
    _number("--learning_rate nan", "rc 1: finetune: learning_rate must be from 0 to 100, not nan"),
    _number("--image_size 7", "rc 1: finetune: image_size must be from 8"),
    _number("--seed=-1", "rc 1: finetune: seed must be from 0"),
    _number("--epoch 3", "rc 2", "unrecognized arguments: --epoch 3"),
    _number("--batch_size many", "rc 2", "invalid int value: 'many'"),
    Situation("finetune under fp8", "a traceback", _launched_with("fp8"), ("rc 1", "fp8")),
    *(
        Situation(given, _HIDDEN, _card(*words), ("on the card: False; data set pets;", *right))
        for given, words, right in (
            ("--data=PATH", ["--data={root}/pets"], ["--data=DATA"]),
            ("--data PATH/", ["--data", "{root}/pets/"], ["--data DATA"]),
            ("--data ../PATH", ["--data", "{there}/pets"], ["--data DATA"]),
            ("--recipe PATH", ["--data={root}/pets", "--recipe", "{root}/mine.toml"], ["RECIPE"]),
            ("--recipe=PATH", ["--data={root}/pets", "--recipe={there}/mine.toml"], ["RECIPE"]),
            ("--note PATH", ["--data={root}/pets", "--note", "see {root}/pets"], ["see PATH"]),
        )
    ),
    Situation(
        "--data SYMLINK",
        "the name of the folder behind it",
        _card("--data", "{root}/link"),
        ("on the card: False; data set link;", "--data DATA"),
    ),
    Situation(
        "a recipe with paths in data and note",
        _HIDDEN,
        _card_of_a_recipe,
        ("on the card: False; data set pets;", "--recipe RECIPE"),
    ),
    Situation(
        "--split-file=PATH --teacher=PATH",
        _HIDDEN,
        _card_of_split_and_teacher,
        ("on the card: False;", "--split-file=SPLIT_FILE --teacher=TEACHER"),
    ),
)
