"""What was measured, in one JSON file, so that a run that was stopped goes on where it was."""

import argparse
import hashlib
import importlib.metadata
import json
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any, Final

from benchmarks.row import Row, render
from hub_models.atomic import staged
from hub_models.machine import describe_machine
from training.run_folder import commit

ARCHITECTURES: Final = ("resnet18", "mobilenetv2_100")
_ROOT: Final = Path(__file__).resolve().parent.parent
_CODE: Final = ("benchmarks", "demo", "hub_models", "training")
_PEERS: Final = ("accelerate", "fastai", "gradio", "timm", "torchvision", "transformers")


class Results:
    """The file; without a path nothing is kept. What other code measured counts as not measured.

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
        measured = self._content["measured"].values()
        return sorted({entry["commit"] for entry in measured if entry.get("code") == digest_code()})

    def once(self, key: dict[str, Any], measure: Callable[[], Any]) -> Any:
        """Measure, unless that was done before.

        Args:
            key: Everything but the code that decides the measurement, as plain values.
            measure: Gives a plain JSON value.

        Returns:
            The value.
        """
        name = json.dumps(key, sort_keys=True, default=str)
        measured = self._content["measured"]
        if name not in measured or measured[name].get("code") != digest_code():
            value = json.loads(json.dumps(measure()))
            made = {"at": time.strftime("%F %T"), "commit": commit(), "code": digest_code()}
            measured[name] = {"value": value, **made}
            self._write()
        return measured[name]["value"]

    def put_rows(self, family: str, rows: Sequence[Row]) -> None:
        """Keep the rows of a family, in the place of those it had."""
        self._content["rows"][family] = [asdict(row) | {"code": digest_code()} for row in rows]
        self._write()

    def rows(self, family: str) -> list[Row]:
        """Give the rows of a family, if this code measured them."""
        rows = [dict(fields) for fields in self._content["rows"].get(family, [])]
        return [Row(**fields) for fields in rows if fields.pop("code", "") == digest_code()]

    def _write(self) -> None:
        if self.path is not None:
            with staged(self.path) as staging:
                staging.write_text(json.dumps(self._content, indent=1, ensure_ascii=False))


@cache
def digest_code() -> str:
    """Give the sha256 of this repository's Python files but its tests."""
    digest = hashlib.sha256()
    for path in sorted(path for name in _CODE for path in Path(_ROOT, name).rglob("*.py")):
        digest.update(f"{path.relative_to(_ROOT)}\n".encode() + path.read_bytes())
    return digest.hexdigest()


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
    found.add_argument("--architecture", nargs="+", default=ARCHITECTURES, metavar="NAME")
    found.add_argument("--row", type=json.loads, help=argparse.SUPPRESS)  # measure it, print JSON
    return found


def finish(results: Results, family: str, rows: Sequence[Row]) -> None:
    """Keep and print the rows of a family."""
    results.put_rows(family, rows)
    print(f"\n{render(rows)}", flush=True)


def middle(values: Sequence[float]) -> float:
    """Give the median of some rounds."""
    return statistics.median(values)
