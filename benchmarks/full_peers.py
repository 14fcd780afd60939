"""Training every layer: ours against transformers, timm and fastai.

    python -m benchmarks.full_peers --data FOLDER --weights resnet18=FOLDER
        --weights mobilenetv2_100=FOLDER [--images 3575] [--steps 40] [--results FILE]

Steady state: images a second of the steps after the first quarter, loading included. First epoch:
the whole process, from its start to the validated and saved model of one epoch. Batch 32, the same
weights and pixels, nothing random. Ours and timm, which have a flag for it, use channels-last;
timm without it is another peer. About 40 minutes a round on two cores.
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

WAYS = {
    "ours": ("ours", True),
    "transformers": ("transformers_loop", False),
    "timm": ("timm_loop", False),
    "timm, channels last": ("timm_loop", True),
    "fastai": ("fastai_learner", False),
}
GOAL = 1.3
PASSES = 3  # forward, and twice as much backward


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print the rows."""
    found = parser(__doc__)
    training_arguments(found)
    found.add_argument("--steps", type=int, default=40, help="of the steady state")
    options = found.parse_args(arguments)
    results = Results(options.results)
    rows: list[Row] = []
    for order in first_orders(options):
        order = replace(order, epochs=1, frozen=False, learning_rate=1e-4)
        steady = replace(order, steps=options.steps, epochs=1000)
        runs: dict[str, list[dict[str, Any]]] = {way: [] for way in WAYS}
        for number in range(options.rounds):
            for way, own in runs.items():
                module, last = WAYS[way]
                told = {"way": module, "channels_last": last}
                rate = run(results, replace(steady, **told), number)["images_per_second"]
                own.append(run(results, replace(order, **told), number) | {"rate": rate})
        rows += compare(order, runs, *_limits(results, order, options.data))
    finish(results, "full_peers", rows)


def compare(
    order: Order, runs: dict[str, list[dict[str, Any]]], rate: float, floor_s: float
) -> list[Row]:
    """Turn the runs of one architecture into rows: rate and first epoch.

    Args:
        order: What was trained.
        runs: Of ours and each peer, one entry per round.
        rate: Images a second the machine could train at.
        floor_s: What it needs for the first epoch.

    Returns:
        Three rows.
    """
    accuracy = {way: middle([one["accuracy"] for one in own]) for way, own in runs.items()}
    said = ", ".join(f"{way} {share:.2%}" for way, share in accuracy.items())
    title = f"full, {order.architecture}, {order.side} px"
    rows = []
    for name, key, unit, goal, limit in (
        ("steady state", "rate", "images/s", GOAL, rate),
        ("first epoch", "seconds", "s", GOAL, floor_s),
        ("peak memory", "peak_bytes", "MB", 1.0, None),
    ):
        scale = 1e6 if unit == "MB" else 1
        values = {way: middle([one[key] for one in own]) / scale for way, own in runs.items()}
        ours = values.pop("ours")
        note = f"accuracy after it: {said}" if key == "seconds" else ""
        kind = Kind(unit, goal, is_rate=key == "rate")
        rows.append(against(f"{title}: {name}", ours, values, kind, limit=limit, note=note))
    return rows


def _limits(results: Results, order: Order, data: Path | None) -> tuple[float, float]:
    machine = rates(results, order.threads, data)
    macs, size = network(Path(order.start))
    train, test = (
        sum(1 for _ in Path(order.data, part).rglob("*.jpg")) for part in ("train", "validation")
    )
    step_s = machine.decoding_s(order.batch) + machine.pass_s(
        PASSES * macs, size, images=order.batch
    )
    tests_s = machine.decoding_s(test) + machine.pass_s(macs, size, images=test)
    return order.batch / step_s, train * step_s / order.batch + tests_s


if __name__ == "__main__":
    main()
