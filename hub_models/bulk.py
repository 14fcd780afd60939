"""Names of pictures and some models to rows: a thread per core, each with pictures of its own.

A thread decodes, preprocesses and runs the network on one core, a few pictures at a time: no core
waits for another, as they do when one pass is spread over all (`python -m benchmarks.folder`).
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from hub_models.errors import CheckpointError, ImageError
from hub_models.image import load_image
from hub_models.prediction import Prediction, rank
from hub_models.preprocess import Pixels
from hub_models.runtime import Runtime
from hub_models.table import Cell

PASS: Final = 8  # pictures of one thread's pass: a larger one is no faster, and holds more memory
_AHEAD: Final = 2  # passes in line per thread, so that none waits for the one that writes

Row = list[Cell]
Chunk = tuple[int, list[str]]  # its number, and names of pictures


@dataclass(frozen=True)
class Scorer:
    """A model with the columns it fills.

    Attributes:
        source: As typed.
        runtime: The loaded model, one core per pass.
    """

    source: str
    runtime: Runtime

    @property
    def label_names(self) -> tuple[str, ...]:
        """C class names in the order of the logits."""
        return self.runtime.config.label_names


def table_columns(scorers: Sequence[Scorer]) -> dict[str, type]:
    """Name the columns of the rows.

    Args:
        scorers: The models.

    Returns:
        Name -> str or float; the probability of each class of any of the models comes last.
    """
    columns: dict[str, type] = {"picture": str, "model": str, "revision": str}
    columns |= {"label": str, "probability": float, "error": str}
    labels = [label for scorer in scorers for label in scorer.label_names]
    return columns | {f"p_{label}": float for label in labels}


def score(
    chunks: Iterable[Chunk], base: Path, scorers: Sequence[Scorer], *, threads: int
) -> Iterator[tuple[int, list[Row]]]:
    """Classify chunks of pictures as they are asked for, the next ones being at work already.

    Args:
        chunks: Numbers and names; taken a few passes ahead.
        base: Folder that the names are relative to.
        scorers: The models.
        threads: How many passes at a time.

    Returns:
        Number and rows of each chunk, in order: a row per picture and model, with the columns of
        `table_columns`. A picture that cannot be read has rows that say why.

    Raises:
        CheckpointError: If a logit is NaN or infinite; the message names the model.
    """
    columns = list(table_columns(scorers))
    pool = ThreadPoolExecutor(threads, "hub-models-score")
    waiting: deque[tuple[int, bool, Future[list[Row]]]] = deque()
    rows: list[Row] = []
    try:
        for number, names, is_last in _passes(chunks):
            job = pool.submit(_score_pass, names, base, scorers, columns)
            waiting.append((number, is_last, job))
            if len(waiting) >= _AHEAD * threads:
                rows += waiting[0][2].result()
                done, is_whole, _ = waiting.popleft()
                if is_whole:
                    yield done, rows
                    rows = []
        for done, is_whole, job in waiting:
            rows += job.result()
            if is_whole:
                yield done, rows
                rows = []
    finally:
        pool.shutdown(cancel_futures=True)


def _passes(chunks: Iterable[Chunk]) -> Iterator[tuple[int, list[str], bool]]:
    for number, names in chunks:
        for start in range(0, len(names), PASS):
            yield number, names[start : start + PASS], start + PASS >= len(names)


def _score_pass(
    names: Sequence[str], base: Path, scorers: Sequence[Scorer], columns: Sequence[str]
) -> list[Row]:
    batches: list[list[Pixels]] = [[] for _ in scorers]
    problems: list[str | None] = []
    for name in names:
        problem = None
        try:  # decoded once for all models, and let go of before the next one
            image = load_image(base / name, name=_printable(name))
            for batch, scorer in zip(batches, scorers, strict=True):
                batch.append(scorer.runtime.pixels(image))
        except ImageError as error:
            problem = str(error).removeprefix(f"{_printable(name)}: ")
        problems.append(problem)
    answers = [iter(_answers(s, b)) for s, b in zip(scorers, batches, strict=True)]
    return [
        _row(name, problem, scorer, columns, [] if problem else next(answer))
        for name, problem in zip(names, problems, strict=True)
        for scorer, answer in zip(scorers, answers, strict=True)
    ]


def _answers(scorer: Scorer, batch: list[Pixels]) -> list[list[Prediction]]:
    if not batch:
        return []
    config = scorer.runtime.config
    try:
        return [
            rank(logits, config.label_names, temperature=config.temperature)
            for logits in scorer.runtime.forward(np.stack(batch))[0]  # (N, C)
        ]
    except CheckpointError as error:
        raise CheckpointError(f"{scorer.source}: {error}") from error


def _row(
    name: str,
    problem: str | None,
    scorer: Scorer,
    columns: Sequence[str],
    answer: list[Prediction],
) -> Row:
    cells: dict[str, Cell] = dict.fromkeys(columns)
    cells |= {"picture": _printable(name), "model": scorer.source, "error": problem}
    cells["revision"] = scorer.runtime.revision
    for prediction in answer:  # six digits: what is behind them depends on the rest of the pass
        cells[f"p_{prediction.label}"] = float(f"{prediction.probability:.6g}")
    if answer:
        cells |= {"label": answer[0].label, "probability": cells[f"p_{answer[0].label}"]}
    return list(cells.values())


def _printable(name: str) -> str:
    """Write a file name that is no UTF-8 as UTF-8, which every kind of table is."""
    with suppress(UnicodeEncodeError):
        name.encode()
        return name
    return name.encode("utf-8", "backslashreplace").decode()
