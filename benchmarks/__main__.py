"""Every row of the table, one family after the other, each in a process of its own.

    python -m benchmarks [--quick | --full] [--only FAMILY ...] [--data FOLDER] [--out FILE]

Ours against the peers: the results are compared first, the ways take turns, medians count. What
was measured is kept in the file after every single measurement, so that a run that was stopped
goes on there with the same command; what other code measured is measured anew. About 50 minutes on
two cores; `--full` measures what is otherwise computed from fewer pictures and epochs, for hours;
`--quick` tries everything on few and small pictures: its numbers mean nothing. `--weights` and
`--data` as the families about training take them.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.results import Results
from benchmarks.row import render

_TRAINING_TRY = (
    "--images 200 --trained 128 --tested 32 --side 64 --batch 16 --architecture resnet18"
)
# Family -> what its quick try is given, and what a run of hours.
FAMILIES: dict[str, tuple[str, str]] = {
    "head_peers": (_TRAINING_TRY, "--whole --rounds 3"),
    "full_peers": (_TRAINING_TRY, "--whole --rounds 3"),
    "one_picture": ("--seconds 2 --threads 1 --architecture mobilenetv2_100", "--seconds 30"),
    "folder": (
        "--images 64 --threads 1 --workers 0 --architecture mobilenetv2_100",
        "--images 2000 --threads 1 2",
    ),
    "cold_start": ("--rounds 1 --architecture mobilenetv2_100", "--rounds 7"),
    "demo_row": ("--seconds 5 --clients 1", "--seconds 60"),
    "growth": (
        "--images 16 --side 64 --rounds 1 --figure runs/growth-quick.png",
        "--images 250 --side 128 --rounds 3",
    ),
}
TRAINING = ("head_peers", "full_peers")
WITH_ROUNDS = (*TRAINING, "cold_start", "growth")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the families and print one table.

    Returns:
        0 if every family ran, else 1.
    """
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--only", action="append", choices=FAMILIES, help="may be repeated")
    sizes = parser.add_mutually_exclusive_group()
    sizes.add_argument("--quick", action="store_true", help="few and small pictures")
    sizes.add_argument("--full", action="store_true", help="all pictures and epochs")
    parser.add_argument("--data", type=Path, help="data set of photographs (drawn pictures)")
    parser.add_argument("--weights", action="append", default=[], metavar="ARCHITECTURE=FOLDER")
    parser.add_argument("--rounds", type=int, help="of training, starts and growth")
    parser.add_argument("--out", type=Path, help="(benchmarks/results.json)")
    options = parser.parse_args(arguments)
    default = "results-quick.json" if options.quick else "results.json"
    out = options.out or Path(__file__).with_name(default)
    failed = []
    for family in options.only or FAMILIES:
        print(f"\n# {family}", flush=True)
        began = time.monotonic()
        if subprocess.run(command(family, options, out), check=False).returncode:
            failed.append(family)
        print(f"{family}: {(time.monotonic() - began) / 60:.1f} minutes", flush=True)
    print(f"\n{table(Results(out))}")
    for family in failed:
        print(f"{family} failed: what it measured is kept, the same command goes on")
    return 1 if failed else 0


def command(family: str, options: argparse.Namespace, out: Path) -> list[str]:
    """Give what runs a family.

    Args:
        family: Of FAMILIES.
        options: As typed.
        out: The file of results.
    """
    words = [sys.executable, "-m", f"benchmarks.{family}", "--results", str(out)]
    quick, full = FAMILIES[family]
    words += quick.split() if options.quick else full.split() if options.full else []
    if options.data:
        words += ["--data", str(options.data)]
    if options.rounds and family in WITH_ROUNDS:
        words += ["--rounds", str(options.rounds)]
    for pair in options.weights if family in TRAINING else ():
        words += ["--weights", pair]
    return words


def table(results: Results) -> str:
    """Write all rows that there are, the machine and its versions above them."""
    machine = results.machine
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    head = f"{machine['cpu']}, {machine['cores']} cores, {machine['system']}; {versions}"
    commits = ", ".join(each[:10] for each in results.commits)
    rows = [row for family in FAMILIES for row in results.rows(family)]
    return f"{head}; at {commits}\n\n{render(rows)}"


if __name__ == "__main__":
    sys.exit(main())
