"""Training a head on a frozen backbone: ours against transformers, timm and fastai.

    python -m benchmarks.head_peers [--data FOLDER] [--weights resnet18=FOLDER] [--results FILE]

Everyone trains the same few photographs for two epochs of batch 32 at 224 px, from the same
backbone in evaluation mode; nothing random in the pixels. Accuracies are compared there: a peer
over half a point away is no peer. Ours then runs all 3,575 photographs for
10 epochs; for the peers that time is computed from the short run (`projected_s`), or measured too
with `--whole`. Each run is a process of its own with an empty cache; its whole time and memory
count, imports and saving included. About 14 minutes on two cores; a round of `--whole` takes over
two hours.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.limit import network, rates
from benchmarks.results import Results, finish, middle, parser
from benchmarks.row import Kind, Row, against
from benchmarks.trainers.order import Order, projected_s
from benchmarks.trainers.prepare import prepare, run, training_arguments

PEERS = {"transformers": "transformers_loop", "timm": "timm_loop", "fastai": "fastai_learner"}
GOAL = 8.0
EQUAL = 0.005  # accuracy
LEARNING_RATE = 0.01  # so that a head has learnt what it can within two epochs


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print the rows."""
    found = parser(__doc__)
    training_arguments(found, trained=640, tested=400)
    found.add_argument("--epochs", type=int, default=10)
    found.add_argument("--measured", type=int, default=2, metavar="EPOCHS", help="at least 2")
    options = found.parse_args(arguments)
    if options.measured < 2:
        found.error("--measured: 2 epochs or more, the first is not a steady one")
    results = Results(options.results)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as work:
        for pair in prepare(options, Path(work)):
            whole, short = (replace(order, learning_rate=LEARNING_RATE) for order in pair)
            whole = replace(whole, epochs=options.epochs)
            short = replace(short, epochs=options.epochs if options.whole else options.measured)
            runs: dict[str, list[dict[str, Any]]] = {way: [] for way in ("ours", *PEERS)}
            ours = []
            for number in range(options.rounds):
                for way, own in runs.items():
                    own.append(run(results, replace(short, way=PEERS.get(way, way)), number))
                ours.append(runs["ours"][-1] if options.whole else run(results, whole, number))
            rows += compare((whole, short), runs, ours, _floor_s(results, whole, options.data))
    finish(results, "head_peers", rows)


def compare(
    orders: tuple[Order, Order],
    runs: dict[str, list[dict[str, Any]]],
    ours: list[dict[str, Any]],
    floor_s: float,
) -> list[Row]:
    """Turn the runs of one architecture into rows: time and memory.

    Args:
        orders: What times are for, and what was run.
        runs: Of ours and each peer, one entry per round, all of the second order.
        ours: Ours of the first order.
        floor_s: What the machine needs for that.

    Returns:
        Two rows; peers of another accuracy are left out and named.
    """
    whole, short = orders
    accuracy, apart, said = accuracies(runs, EQUAL)
    left_out = f"; left out, too far apart: {', '.join(apart)}" if apart else ""
    peers = {way: own for way, own in runs.items() if way in accuracy and way != "ours"}
    title = f"head only, {whole.architecture}, {whole.side} px, {whole.trained + whole.tested}"
    title += f" pictures, {whole.epochs} epochs"
    note = f"accuracy after {short.epochs} epochs of {short.trained}, of {short.tested}: {said}"
    note += left_out
    from_short = f", peers from {short.epochs} of {short.trained}" if short != whole else ""
    times = {
        way: middle([projected_s(one, short, whole) for one in own]) for way, own in peers.items()
    }
    memory = {way: middle([one["peak_bytes"] for one in own]) / 1e6 for way, own in peers.items()}
    time_s = middle([one["seconds"] for one in ours])
    mb = middle([one["peak_bytes"] for one in ours]) / 1e6
    kind = Kind("s", GOAL)
    return [
        against(f"{title}{from_short}: time", time_s, times, kind, limit=floor_s, note=note),
        against(f"{title}: peak memory", mb, memory, Kind("MB", 1.0)),
    ]


def accuracies(
    runs: dict[str, list[dict[str, Any]]], equal: float
) -> tuple[dict[str, float], list[str], str]:
    """Compare accuracies with ours.

    Args:
        runs: Of ours and each peer, one entry per round.
        equal: How far a peer may be away; 0.005 is half a point.

    Returns:
        Those that are as accurate, ours among them; names of the others; a text of all.
    """
    found = {way: middle([one["accuracy"] for one in own]) for way, own in runs.items()}
    near = {way: x for way, x in found.items() if abs(x - found["ours"]) <= equal + 1e-9}
    said = ", ".join(f"{way} {share:.2%}" for way, share in found.items())
    return near, sorted(set(found) - set(near)), said


def _floor_s(results: Results, order: Order, data: Path | None) -> float:
    """Decode and compute each picture once: what no head can do without."""
    machine = rates(results, order.threads, data)
    images = order.trained + order.tested
    return machine.decoding_s(images) + machine.pass_s(*network(Path(order.start)), images=images)


if __name__ == "__main__":
    main()
