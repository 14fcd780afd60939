"""Run in a process of its own: a run killed at three moments, then the same command again.

Each run is a fork of this process, which has imported everything and started nothing. It is killed
(SIGKILL, by itself) when it is about to give a file that it has written its name.
"""

import os
import signal
import sys
import traceback
from pathlib import Path

from tests.situations._scripts import draw_class_folders, outcome, typed
from training.finetune import main as finetune

MOMENTS = {
    "before the first state": "config.toml",
    "in the first state": "00000-0000001.state",
    "in the second state": "00000-0000002.state",
    "in the checkpoint": "model.safetensors",
}


def _say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _forked(*words: str, killed_at: str = "") -> int:
    """Train in a fork; give its wait status."""
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1]
    replace = os.replace

    def replace_or_die(source: os.PathLike[str] | str, target: os.PathLike[str] | str) -> None:
        if killed_at and str(target).endswith(killed_at):
            os.kill(os.getpid(), signal.SIGKILL)
        replace(source, target)

    os.replace = replace_or_die
    try:
        _say(outcome(finetune, *words) + "\n")
    except BaseException:
        traceback.print_exc()
    os._exit(0)


def main(root: Path) -> None:
    draw_class_folders(root / "data", 4)
    for moment, name in MOMENTS.items():
        save_every = 0 if moment == "in the checkpoint" else 1
        keys = {"batch_size": 4, "validation_fraction": 0.25, "save_every": save_every}
        words = typed(root, out=root / "run" / moment, **keys)
        _say(f"{moment}: ended by {_forked(*words, killed_at=name)}, then ")
        _forked(*words)
        if moment == "in the second state":
            _say(f"{moment}, --resume: ")
            _forked(*words, "--resume")
        run = root / "run" / moment
        left = [path.name for path in run.rglob(".*")]
        has_epoch = len((run / "metrics.jsonl").read_text().splitlines()) == 1
        _say(f"{moment}: an epoch {has_epoch}, left over {left}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
