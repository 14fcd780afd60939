"""What a long run has done so far: a folder beside its target, joined into the target at the end.

`TARGET.partial/` holds plan.json (what the run is about), pictures.jsonl (the names, as they were
found at the start) and parts/NUMBER.jsonl, each the rows of one chunk, written whole or not at all.
So a run that was killed lacks some parts, and any number of processes can make them. Nothing but
the folder is shared: across machines it must lie where all of them see it.
"""

import contextlib
import itertools
import json
import os
import shutil
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from filelock import FileLock

from hub_models.atomic import staged
from hub_models.bulk import Chunk, Row
from hub_models.errors import CheckpointError, ConfigError
from hub_models.share import Share
from hub_models.table import Columns, write_table

CHUNK: Final = 256  # pictures per part: what a killed process loses at most
_LISTED: Final = 20  # unreadable pictures said by name; all are in the table
_STARTED_S: Final = time.time()


@dataclass
class Summary:
    """What a table holds.

    Attributes:
        pictures: How many.
        unreadable: How many of them could not be read.
        problems: Name and reason of the first of those.
    """

    pictures: int = 0
    unreadable: int = 0
    problems: list[str] = field(default_factory=list)

    def see(self, picture: str, problem: str | None) -> None:
        """Count one picture.

        Args:
            picture: Its name.
            problem: Why it could not be read; None if it could.
        """
        self.pictures += 1
        if problem:
            self.unreadable += 1
            if len(self.problems) < _LISTED:
                self.problems.append(f"{picture}: {problem}")


class Parts:
    """The parts of one target.

    Args:
        target: The table to be.
        share: Which of the parts this process makes.
    """

    def __init__(self, target: Path, share: Share) -> None:
        self._target = target
        self._share = share
        self._folder = target.with_name(target.name + ".partial")
        self._plan = self._folder / "plan.json"
        self._names = self._folder / "pictures.jsonl"
        self._lock = target.with_name(target.name + ".lock")

    def is_joined(self) -> bool:
        """Tell whether another process of this run has joined the parts already.

        Returns:
            False if there is work left.

        Raises:
            ConfigError: If the target is there, and not of this run.
        """
        if self._plan.exists() or not self._target.exists():
            return False
        if self._share.world_size > 1 and self._target.stat().st_mtime > _STARTED_S:
            return True
        raise ConfigError(f"{self._target}: is there already; remove it, or name another file")

    def begin(self, plan: dict[str, Any], names: Iterable[str]) -> None:
        """Write the plan down, or go on with the one that is there.

        Args:
            plan: What the run is about, `pictures` and `models` at least; JSON.
            names: The pictures; read only if there is no plan yet.

        Raises:
            ConfigError: If the plan that is there is another one, or there are no pictures.
            CheckpointError: If it cannot be written.
        """
        with self._locked():
            if self._plan.exists():
                self._compare(plan)
            elif not self.is_joined():
                self._write_plan(plan, names)

    def missing(self) -> Iterator[Chunk]:
        """Give the chunks of this process's share that are not there yet.

        Returns:
            Numbers and names, in order.
        """
        for number, names in self._chunks():
            if self._share.has(number) and not self._part(number).exists():
                yield number, names

    def count(self) -> tuple[int, int]:
        """Count the pictures of this process's share.

        Returns:
            Those whose rows are there, and all.
        """
        done = total = 0
        for number, names in self._chunks():
            if self._share.has(number):
                total += len(names)
                done += len(names) if self._part(number).exists() else 0
        return done, total

    def write(self, number: int, rows: list[Row]) -> None:
        """Write one part, whole or not at all.

        Args:
            number: Of its chunk.
            rows: Of its pictures.

        Raises:
            CheckpointError: If it cannot be written.
        """
        with staged(self._part(number)) as path:
            path.write_text("".join(json.dumps(row) + "\n" for row in rows))

    def join(self, columns: Columns) -> Summary | None:
        """Make the table of all parts if they are there, and remove them.

        Of several processes the last one to finish does it.

        Args:
            columns: Of the rows.

        Returns:
            What the table holds; None if other processes are still at work, or have joined.

        Raises:
            CheckpointError: If the table cannot be written.
        """
        with self._locked():
            if not self._plan.exists() or not all(
                self._part(number).exists() for number, _ in self._chunks()
            ):
                return None
            summary = Summary()
            # Beside the parts, so that a kill leaves nothing where a person looks.
            with staged(self._folder / self._target.name) as path:
                rows = self._rows(columns, summary)
                write_table(path, columns, rows, self._target.suffix.lower())
            os.replace(self._folder / self._target.name, self._target)
            self._plan.unlink()  # first: parts without a plan belong to nothing
            shutil.rmtree(self._folder)
        return summary

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            self._target.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(self._lock):
                try:
                    yield
                finally:  # while it is held: whoever waits for it then makes one of his own
                    if not self._plan.exists():
                        self._lock.unlink(missing_ok=True)
        except OSError as error:
            raise CheckpointError(f"{self._target}: cannot be written ({error})") from error

    def _write_plan(self, plan: dict[str, Any], names: Iterable[str]) -> None:
        if self._folder.exists():  # killed before there was a plan, or after the join
            shutil.rmtree(self._folder)
        with staged(self._names) as path, open(path, "w", encoding="ascii") as stream:
            count = sum(1 for name in names if stream.write(json.dumps(name) + "\n"))
        if not count:
            shutil.rmtree(self._folder)
            raise ConfigError(f"{', '.join(plan['pictures'])}: no pictures")
        with staged(self._plan) as path:
            path.write_text(json.dumps(plan | {"chunk": CHUNK}, indent=2), encoding="ascii")

    def _compare(self, plan: dict[str, Any]) -> None:
        began = json.loads(self._plan.read_text(encoding="ascii"))
        for key, value in plan.items():
            if began[key] != value:
                raise ConfigError(
                    f"{self._folder}: a run with other {key} began it; type its command to go on, "
                    "or remove the folder to begin anew"
                )

    def _chunks(self) -> Iterator[Chunk]:
        try:
            size = json.loads(self._plan.read_text(encoding="ascii"))["chunk"]
            with open(self._names, encoding="ascii") as lines:
                for number in itertools.count():
                    names = [json.loads(line) for line in itertools.islice(lines, size)]
                    if not names:
                        return
                    yield number, names
        except FileNotFoundError:  # joined by another process, so nothing is left to do
            return

    def _rows(self, columns: Columns, summary: Summary) -> Iterator[Row]:
        problem = list(columns).index("error")
        for number, names in self._chunks():
            with open(self._part(number), encoding="ascii") as lines:
                rows = [json.loads(line) for line in lines]
            for row in rows[:: len(rows) // len(names)]:  # one of each picture, whatever models
                summary.see(row[0], row[problem])
            yield from rows

    def _part(self, number: int) -> Path:
        return self._folder / "parts" / f"{number:08}.jsonl"
