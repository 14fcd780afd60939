"""The demo's requests per second and p95 beside a plain Gradio interface, as rows of the table.

    python -m benchmarks.demo_row [--seconds 20] [--clients 1 8 32] [--results FILE]

`benchmarks.demo_load` does the asking; this only compares. Five minutes.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from benchmarks.demo_load import CARDS, ask, compare_at_once, encode, serving
from benchmarks.limit import Rates, network, rates
from benchmarks.results import Results, finish, parser
from benchmarks.row import Kind, Row, against
from hub_models.machine import usable_cores

GOAL = 2.0
TOLERANCE = 1e-3  # of a probability


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print the rows."""
    found = parser(__doc__)
    found.add_argument("--seconds", type=float, default=20.0, help="of each server")
    found.add_argument("--clients", type=int, nargs="+", default=[1, 8, 32])
    options = found.parse_args(arguments)
    results = Results(options.results)
    machine = rates(results, usable_cores(), options.data)
    networks = [list(network(folder)) for folder in _folders()]
    rows: list[Row] = []
    for clients in options.clients:
        key = {"family": "demo", "clients": clients, "seconds": options.seconds}
        measured = results.once(key, lambda clients=clients: _measure(clients, options))
        rows += compare(clients, measured, machine, networks)
    finish(results, "demo_row", rows)


def compare(
    clients: int, measured: dict[str, dict[str, Any]], machine: Rates, networks: list[list[int]]
) -> list[Row]:
    """Turn what the servers did into rows of rate and p95.

    Args:
        clients: Asking at once.
        measured: "plain" and each way to ask ours.
        machine: Gives the limit: a picture decoded, and a pass of each model.
        networks: Multiply-adds and bytes of each model.

    Returns:
        Two rows per way.
    """
    floor_s = machine.decode_s / machine.threads + sum(machine.pass_s(*each) for each in networks)
    plain, rows = measured["plain"], []
    for way, demo in measured.items():
        if way == "plain":
            continue
        wrong = demo["errors"] + plain["errors"]
        note = f"{wrong} requests failed" if wrong else ""
        title = f"{way}, {clients} clients"
        rate, p95 = Kind("/s", GOAL, is_rate=True), Kind("ms", GOAL)
        peers = [{"gr.Interface": plain[key]} for key in ("rate", "p95_ms")]
        rows += [
            against(f"{title}: rate", demo["rate"], peers[0], rate, limit=1 / floor_s, note=note),
            against(f"{title}: p95", demo["p95_ms"], peers[1], p95),
        ]
    return rows


async def check_equal(plain: dict[str, Any], demo: dict[str, Any]) -> None:
    """See that both servers' models say the same about a picture.

    Raises:
        SystemExit: If a probability differs by over 0.001.
    """
    said = []
    for server in (plain, demo):
        async with httpx.AsyncClient(base_url=server["url"], timeout=120) as client:
            said.append(probabilities(await server["ask"](client, encode(0), server["data"])))
    for theirs, ours in zip(*said, strict=True):
        if any(abs(ours[label] - theirs[label]) > TOLERANCE for label in theirs):
            raise SystemExit(f"the demo: another answer, {ours} instead of {theirs}")


def probabilities(answer: Any) -> list[dict[str, float]]:
    """Read each model's probabilities from `gr.Label`s, or from the demo's JSON."""
    if isinstance(answer, list):
        return [{c["label"]: c["confidence"] for c in label["confidences"]} for label in answer]
    models = [model["predictions"] for model in answer["answers"]]
    return [{p["label"]: p["probability"] for p in predictions} for predictions in models]


def _folders() -> list[Path]:
    return sorted(CARDS.glob("*-*"))[:2]


def _measure(clients: int, options: Any) -> dict[str, dict[str, Any]]:
    said = {}
    with serving(_folders(), is_plain=True) as plain, serving(_folders()) as demo:
        at_once = demo | {"ask": compare_at_once}
        asyncio.run(check_equal(plain, at_once))
        for name, server in (("plain", plain), ("demo", demo), ("demo, POST /classify", at_once)):
            row = asyncio.run(ask(server, clients, options))
            p95 = float(np.percentile(row.times_s, 95)) * 1000
            said[name] = {"rate": row.rate, "p95_ms": p95, "errors": len(row.errors)}
    return said


if __name__ == "__main__":
    main()
