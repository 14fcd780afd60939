"""Scripts run in this process, with what they say in one line; data small enough for a second."""

import contextlib
import io
from collections.abc import Callable
from pathlib import Path

from tests.training.conftest import CHANNELS, draw
from training.finetune import main as finetune

Main = Callable[[list[str]], int]


def outcome(main: Main, *words: object) -> str:
    """Give the exit code of a script and the last line that it wrote to stderr, or to stdout."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main([str(word) for word in words])
        except SystemExit as end:
            code = int(end.code or 0)
    bars = ("%|", "examples/s")
    said = [line for line in err.getvalue().splitlines() if line.strip()]
    said = [line for line in said if not any(bar in line for bar in bars)]
    said = said or out.getvalue().splitlines()
    return f"rc {code}: {said[-1] if said else ''}"


def draw_class_folders(folder: Path, count: int = 10, first_seed: int = 0) -> Path:
    """Write three class folders of so many pictures each."""
    for number, label in enumerate(CHANNELS):
        (folder / label).mkdir(parents=True)
        for i in range(count):
            picture = draw(label, first_seed + 1000 * number + i)
            picture.save(folder / label / f"{label}-{i:02}.png")
    return folder


def typed(root: Path, **changes: object) -> list[str]:
    """Give the words of a run of a second: root/data to root/run, one epoch at 32 px."""
    keys: dict[str, object] = {
        "data": root / "data",
        "out": root / "run",
        "architecture": "mobilenetv2_025",
        "weights": "none",
        "freeze": "none",
        "image_size": 32,
        "batch_size": 8,
        "epochs": 1,
        "workers": 0,
        "validation_fraction": 0.2,
        "tracker": "",
        **changes,
    }
    return [word for key, value in keys.items() for word in (f"--{key}", str(value))]


def train(root: Path, **changes: object) -> Path:
    """Train such a run; give its checkpoint."""
    if not (root / "data").exists():
        draw_class_folders(root / "data")
    words = typed(root, **changes)
    said = outcome(finetune, *words)
    assert said.startswith("rc 0"), said
    return Path(words[words.index("--out") + 1], "checkpoint")
