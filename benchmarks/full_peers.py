"""Training every layer: ours against transformers, timm and fastai.

    python -m benchmarks.full_peers [--data FOLDER] [--weights resnet18=FOLDER] [--results FILE]

One epoch of a few photographs, everyone in turn, a process each. Steady state: images a second of
the steps after the first quarter, loading included. First epoch: from the start of the process to
the validated and saved model of one epoch of 3,575 photographs, computed from the same run
(`projected_s`), or measured with `--whole`. Batch 32, the same weights and pixels, nothing random.
Ours and timm, which have a flag for it, use channels-last; timm without it is another peer. A peer
whose accuracy is over ten points away did not learn the same, and is none. About 10 minutes on two
cores; a round of `--whole` takes over an hour.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.head_peers import accuracies
from benchmarks.limit import network, rates
from benchmarks.results import Results, finish, middle, parser
from benchmarks.row import Kind, Row, against
from benchmarks.trainers.order import Order, projected_s
from benchmarks.trainers.prepare import prepare, run, training_arguments

WAYS = {
    "ours": ("ours", True),
    "transformers": ("transformers_loop", False),
    "timm": ("timm_loop", False),
    "timm, channels last": ("timm_loop", True),
    "fastai": ("fastai_learner", False),
}
GOAL = 1.3
EQUAL = 0.1  # accuracy after the few steps of one epoch
PASSES = 3  # forward, and twice as much backward


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print the rows."""
    found = parser(__doc__)
    training_arguments(found, trained=256, tested=128)
    options = found.parse_args(arguments)
    results = Results(options.results)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as work:
        for pair in prepare(options, Path(work)):
            told = {"epochs": 1, "frozen": False, "learning_rate": 3e-4}
            whole, short = (replace(order, **told) for order in pair)
            runs: dict[str, list[dict[str, Any]]] = {way: [] for way in WAYS}
            for number in range(options.rounds):
                for way, own in runs.items():
                    module, last = WAYS[way]
                    order = replace(short, way=module, channels_last=last)
                    own.append(run(results, order, number))
            rows += compare((whole, short), runs, *_limits(results, whole, options.data))
    finish(results, "full_peers", rows)


def compare(
    orders: tuple[Order, Order],
    runs: dict[str, list[dict[str, Any]]],
    rate: float,
    floor_s: float,
) -> list[Row]:
    """Turn the runs of one architecture into rows: rate, first epoch and memory.

    Args:
        orders: What the first epoch's time is for, and what was run.
        runs: Of ours and each peer, one entry per round.
        rate: Images a second the machine could train at.
        floor_s: What it needs for the first epoch.

    Returns:
        Three rows; peers that did not learn the same are left out and named.
    """
    whole, short = orders
    near, apart, said = accuracies(runs, EQUAL)
    note = f"accuracy after {short.trained} pictures, of {short.tested}: {said}"
    note += f"; left out, too far apart: {', '.join(apart)}" if apart else ""
    title = f"full, {whole.architecture}, {whole.side} px"
    epoch = f"first epoch of {whole.trained + whole.tested} pictures"
    epoch += f", all from {short.trained}" if short != whole else ""
    rows = []
    for name, value, kind, limit in (
        ("steady state", lambda run: short.batch / run["step_s"],
         Kind("images/s", GOAL, is_rate=True), rate),
        (epoch, lambda run: projected_s(run, short, whole), Kind("s", GOAL), floor_s),
        ("peak memory", lambda run: run["peak_bytes"] / 1e6, Kind("MB", 1.0), None),
    ):  # fmt: skip
        values = {way: middle([value(one) for one in runs[way]]) for way in near}
        ours = values.pop("ours")
        about = note if name == "steady state" else ""
        rows.append(against(f"{title}: {name}", ours, values, kind, limit=limit, note=about))
    return rows


def _limits(results: Results, order: Order, data: Path | None) -> tuple[float, float]:
    machine = rates(results, order.threads, data)
    macs, size = network(Path(order.start))
    step_s = machine.decoding_s(order.batch) + machine.pass_s(
        PASSES * macs, size, images=order.batch
    )
    tests_s = machine.decoding_s(order.tested) + machine.pass_s(macs, size, images=order.tested)
    return order.batch / step_s, order.trained * step_s / order.batch + tests_s


if __name__ == "__main__":
    main()
