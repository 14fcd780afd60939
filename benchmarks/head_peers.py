"""Training a head on a frozen backbone: ours against transformers, timm and fastai.

    python -m benchmarks.head_peers --data FOLDER --weights resnet18=FOLDER
        --weights mobilenetv2_100=FOLDER [--images 3575] [--rounds 3] [--results FILE]

The same photographs, the same backbone, 10 epochs of batch 32 at 224 px; nothing random in the
pixels, and the backbone in evaluation mode for everyone. Each run is a process of its own with an
empty cache; its whole time and its memory count, imports and saving included. The ways take turns.
A peer whose accuracy differs by over half a point is no peer. Over an hour a round on two cores.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.limit import network, rates
from benchmarks.results import Results, finish, middle, parser
from benchmarks.row import Kind, Row, against
from benchmarks.trainers.order import Order
from benchmarks.trainers.prepare import first_orders, run, training_arguments

PEERS = {"transformers": "transformers_loop", "timm": "timm_loop", "fastai": "fastai_learner"}
GOAL = 8.0
EQUAL = 0.005  # accuracy


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print the rows."""
    found = parser(__doc__)
    training_arguments(found)
    found.add_argument("--epochs", type=int, default=10)
    options = found.parse_args(arguments)
    results = Results(options.results)
    rows: list[Row] = []
    for order in first_orders(options):
        order = replace(order, epochs=options.epochs)
        runs: dict[str, list[dict[str, Any]]] = {way: [] for way in ("ours", *PEERS)}
        for number in range(options.rounds):
            for way, own in runs.items():
                own.append(run(results, replace(order, way=PEERS.get(way, way)), number))
        rows += compare(order, runs, _floor_s(results, order, options.data))
    finish(results, "head_peers", rows)


def compare(order: Order, runs: dict[str, list[dict[str, Any]]], floor_s: float) -> list[Row]:
    """Turn the runs of one architecture into rows: time and memory.

    Args:
        order: What was trained.
        runs: Of ours and each peer, one entry per round.
        floor_s: What the machine needs for it.

    Returns:
        Two rows; peers of another accuracy are left out and named.
    """
    accuracy = {way: middle([one["accuracy"] for one in own]) for way, own in runs.items()}
    apart = {way for way in accuracy if abs(accuracy[way] - accuracy["ours"]) > EQUAL + 1e-9}
    said = ", ".join(f"{way} {share:.2%}" for way, share in accuracy.items())
    left_out = f"; left out, over half a point apart: {', '.join(sorted(apart))}" if apart else ""
    rows = []
    for name, key, unit, goal, scale, limit in (
        ("time", "seconds", "s", GOAL, 1, floor_s),
        ("peak memory", "peak_bytes", "MB", 1.0, 1e6, None),
    ):
        values = {way: middle([one[key] for one in own]) / scale for way, own in runs.items()}
        peers = {way: value for way, value in values.items() if way not in {"ours", *apart}}
        title = f"head only, {order.architecture}, {order.side} px, {order.epochs} epochs: {name}"
        note = f"accuracy {said}{left_out}" if key == "seconds" else ""
        rows.append(against(title, values["ours"], peers, Kind(unit, goal), limit=limit, note=note))
    return rows


def _floor_s(results: Results, order: Order, data: Path | None) -> float:
    """Decode and compute each picture once: what no head can do without."""
    machine = rates(results, order.threads, data)
    images = sum(1 for _ in Path(order.data).rglob("*.jpg"))
    return machine.decoding_s(images) + machine.pass_s(*network(Path(order.start)), images=images)


if __name__ == "__main__":
    main()
