"""What every trainer is told, and when its steps and epochs ended."""

import time
from dataclasses import dataclass

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Order:
    """One training run.

    Attributes:
        way: Who trains: a module of this package.
        data: Folder with `train` and `validation`, each of class folders.
        start: Checkpoint folder, backbone and head, where everyone starts.
        out: Folder for what a run leaves behind.
        source: Where the pictures are from.
        trained: Pictures in `train`.
        tested: Pictures in `validation`.
        frozen: Train the head alone, the backbone in evaluation mode.
        side: Of the pictures, px: resized to 256/224 of that, centre kept, nothing random.
        channels_last: Memory layout of whoever has a flag for it.
    """

    way: str
    data: str
    start: str
    out: str
    architecture: str
    source: str = ""
    trained: int = 0
    tested: int = 0
    frozen: bool = True
    epochs: int = 10
    batch: int = 32
    side: int = 224
    workers: int = 2
    threads: int = 2
    learning_rate: float = 1e-3
    channels_last: bool = False

    @property
    def resize(self) -> int:
        """The shorter side before the centre is cut out, as our recipes have it."""
        return int(self.side / 0.875)


class Clock:
    """Notes when each optimiser step ended, and what the last epoch was made of."""

    def __init__(self) -> None:
        self._since = time.perf_counter()
        self.ends_s: list[float] = []
        self.last_epoch: dict[str, float] = {}

    def step(self) -> None:
        """Note the end of an optimiser step."""
        self.ends_s.append(time.perf_counter())

    def epoch(self) -> None:
        """Note the end of an epoch, validation included."""
        now, ends = time.perf_counter(), self.ends_s
        first = len(ends) // 4  # until then workers and kernels are getting warm
        self.last_epoch = {
            "epoch_s": now - self._since,
            "step_s": (ends[-1] - ends[first]) / (len(ends) - 1 - first),
            "tests_s": now - ends[-1],
        }
        self._since, self.ends_s = now, []


def projected_s(run: dict[str, float], short: Order, whole: Order) -> float:
    """Tell how long a run over all pictures and epochs takes, from a shorter one of the same kind.

    Args:
        run: Its `seconds`, from start to end of the process, and what `Clock` noted.
        short: What was run; at least two epochs, unless as many as `whole` has.
        whole: What the time is for.

    Returns:
        The short run; its last epoch again for each that is missing; a steady step for each
        batch, and a share of the validation for each picture, that its epochs lack.
    """
    steps_s = (whole.trained - short.trained) / short.batch * run["step_s"]
    tests_s = (whole.tested / short.tested - 1) * run["tests_s"]
    epochs_s = (whole.epochs - short.epochs) * run["epoch_s"]
    return run["seconds"] + epochs_s + whole.epochs * (steps_s + tests_s)
