"""What was measured, in one JSON file, so that a run that was stopped goes on where it was."""

import argparse
import importlib.metadata
import json
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from benchmarks.row import Row, render
from hub_models.atomic import staged
from hub_models.timing import describe_machine
from training.run_folder import commit

_PEERS: Final = ("accelerate", "fastai", "gradio", "timm", "torchvision", "transformers")


class Results:
    """The file; without a path nothing is kept.

    Args:
        path: Made at the first measurement.

    Raises:
        SystemExit: If it was made on another machine or with other versions.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._content: dict[str, Any] = {"machine": _machine(), "measured": {}, "rows": {}}
        if path is not None and path.exists():
            found = json.loads(path.read_text())
            if found["machine"] != self._content["machine"]:
                raise SystemExit(f"{path}: of another machine or versions; --results FILE")
            self._content = found

    @property
    def machine(self) -> dict[str, Any]:
        """What everything was measured on."""
        machine: dict[str, Any] = self._content["machine"]
        return machine

    @property
    def commits(self) -> list[str]:
        """Of this repository, at which something was measured."""
        return sorted({entry["commit"] for entry in self._content["measured"].values()})

    def once(self, key: dict[str, Any], measure: Callable[[], Any]) -> Any:
        """Measure, unless that was done before.

        Args:
            key: Everything that decides the measurement, as plain values.
            measure: Gives a plain JSON value.

        Returns:
            The value.
        """
        name = json.dumps(key, sort_keys=True, default=str)
        measured = self._content["measured"]
        if name not in measured:
            value = json.loads(json.dumps(measure()))
            measured[name] = {"value": value, "at": time.strftime("%F %T"), "commit": commit()}
            self._write()
        return measured[name]["value"]

    def put_rows(self, family: str, rows: Sequence[Row]) -> None:
        """Keep the rows of a family, in the place of those it had."""
        self._content["rows"][family] = [asdict(row) for row in rows]
        self._write()

    def rows(self, family: str) -> list[Row]:
        """Give the rows of a family."""
        return [Row(**fields) for fields in self._content["rows"].get(family, [])]

    def _write(self) -> None:
        if self.path is not None:
            with staged(self.path) as staging:
                staging.write_text(json.dumps(self._content, indent=1, ensure_ascii=False))


def _machine() -> dict[str, Any]:
    machine = describe_machine()
    for name in _PEERS:
        with suppress(importlib.metadata.PackageNotFoundError):
            machine["versions"][name] = importlib.metadata.version(name)
    return machine


def parser(description: str) -> argparse.ArgumentParser:
    """Give a parser with the arguments that every row of the table takes."""
    found = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    found.add_argument("--data", type=Path, help="pictures or parquet files (drawn pictures)")
    found.add_argument("--results", type=Path, help="JSON file; what stands there is not redone")
    return found


def finish(results: Results, family: str, rows: Sequence[Row]) -> None:
    """Keep and print the rows of a family."""
    results.put_rows(family, rows)
    print(f"\n{render(rows)}", flush=True)


def middle(values: Sequence[float]) -> float:
    """Give the median of some rounds."""
    return statistics.median(values)
