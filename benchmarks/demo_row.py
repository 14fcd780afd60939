"""The demo's requests per second and p95 beside a plain Gradio interface, as rows of the table.

    python -m benchmarks.demo_row [--seconds 60] [--clients 1 8 32] [--results FILE]

`benchmarks.demo_load` does the asking; this only compares. Eight minutes.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.demo_load import CARDS, ask, serving
from benchmarks.results import Results, finish, parser
from benchmarks.row import Kind, Row, against

GOAL = 2.0


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print the rows."""
    found = parser(__doc__)
    found.add_argument("--seconds", type=float, default=60.0, help="of each server")
    found.add_argument("--clients", type=int, nargs="+", default=[1, 8, 32])
    options = found.parse_args(arguments)
    results = Results(options.results)
    rows: list[Row] = []
    for clients in options.clients:
        key = {"family": "demo", "clients": clients, "seconds": options.seconds}
        measured = results.once(key, lambda clients=clients: _measure(clients, options))
        rows += compare(clients, measured)
    finish(results, "demo_row", rows)


def compare(clients: int, measured: dict[str, dict[str, Any]]) -> list[Row]:
    """Turn what two servers did into rows of rate and p95."""
    demo, plain = measured["demo"], measured["plain"]
    wrong = sum(row["errors"] for row in measured.values())
    note = f"{wrong} requests failed" if wrong else ""
    title = f"demo, {clients} clients"
    rate, p95 = Kind("/s", GOAL, is_rate=True), Kind("ms", GOAL)
    peers = [{"gr.Interface": plain[key]} for key in ("rate", "p95_ms")]
    return [
        against(f"{title}: requests per second", demo["rate"], peers[0], rate, note=note),
        against(f"{title}: p95", demo["p95_ms"], peers[1], p95),
    ]


def _measure(clients: int, options: Any) -> dict[str, dict[str, Any]]:
    folders: list[Path] = sorted(CARDS.glob("*-*"))[:2]
    said = {}
    with serving(folders, is_plain=True) as plain, serving(folders) as demo:
        for name, server in (("plain", plain), ("demo", demo)):
            row = asyncio.run(ask(server, clients, options))
            p95 = float(np.percentile(row.times_s, 95)) * 1000
            said[name] = {"rate": row.rate, "p95_ms": p95, "errors": len(row.errors)}
    return said


if __name__ == "__main__":
    main()
