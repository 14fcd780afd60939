"""`training/finetune.py` that stops in the middle of its second epoch and waits to be killed."""

import signal
import sys
from pathlib import Path
from typing import Any

if __package__ in (None, ""):  # run as a file, as `training/finetune.py` is
    sys.path[0] = str(Path(__file__).resolve().parents[2])

from training import finetune
from training.state import Progress

WAITS_AT = "00001-0000002.state"
save_state = finetune.save_state


def save_and_wait(folder: Path, content: dict[str, Any], progress: Progress) -> None:
    save_state(folder, content, progress)
    if (folder / WAITS_AT).exists():
        signal.pause()


if __name__ == "__main__":
    finetune.save_state = save_and_wait
    sys.exit(finetune.main())
