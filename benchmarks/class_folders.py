"""How long class folders take to load, and in how much memory, by the number of pictures.

    python -m benchmarks.class_folders [--images N ...] [--classes C] [--data DATA] [--rounds R]

Every measurement is a process of its own: `load_data`, first with an empty cache of `datasets`,
then once more. Without --data the pictures are valid PNGs of 1 × 1 px, 2,500 to 100,000 of them;
with it, the training pictures of DATA (a data set folder) as files. `--code FOLDER` also measures
another checkout of this repository, in turn with this one.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from training.data import load_data

_MEASURE = """
import json, re, sys, time
import training.data
def mib(name):
    return int(re.search(name + r":\\s+(\\d+) kB", open("/proc/self/status").read())[1]) / 1024
open("/proc/self/clear_refs", "w").write("5")  # Linux: the peak counts from here
before, began = mib("VmRSS"), time.perf_counter()
data = training.data.load_data(sys.argv[1])
seconds = time.perf_counter() - began
print(json.dumps([seconds, mib("VmHWM") - before, sum(map(len, data.splits.values()))]))
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a row per folder and checkout.

    Returns:
        0, done.
    """
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--images", type=int, nargs="+", default=[2_500, 25_000, 100_000])
    parser.add_argument("--classes", type=int, default=10, help="(%(default)s)")
    parser.add_argument("--data", help="data set whose training pictures are taken")
    parser.add_argument("--rounds", type=int, default=3, help="(%(default)s)")
    parser.add_argument("--code", action="append", default=[], metavar="FOLDER")
    options = parser.parse_args(arguments)
    print("pictures  checkout                   first load  again     peak above the imports")
    for count in [0] if options.data else options.images:
        with tempfile.TemporaryDirectory() as root:
            folder = Path(root, "pictures")
            if options.data:
                write_pictures(options.data, folder)
            else:
                write_tiny(folder, count, options.classes)
            checkouts = [str(Path(__file__).parents[1]), *options.code]
            found: dict[str, list[list[list[float]]]] = {code: [] for code in checkouts}
            for number in range(options.rounds):
                for code in checkouts:
                    cache = Path(root, f"cache {number} {checkouts.index(code)}")
                    found[code].append([measure(folder, code, cache) for _ in range(2)])
        for code, rounds in found.items():
            first, again = (statistics.median(r[i][0] for r in rounds) for i in (0, 1))
            memory = max(each[1] for pair in rounds for each in pair)
            images = int(rounds[0][0][2])
            print(
                f"{images:8,}  {code[-25:]:25}  {first:8.2f} s  {again:6.2f} s  {memory:8.0f} MiB"
            )
    return 0


def measure(folder: Path, code: str, cache: Path) -> list[float]:
    """Load a folder in a process of its own: seconds, MiB above the imports, pictures."""
    environment = os.environ | {"PYTHONPATH": code, "HF_DATASETS_CACHE": str(cache)}
    words = [sys.executable, "-c", _MEASURE, str(folder)]
    done = subprocess.run(
        words, env=environment | {"HF_HUB_OFFLINE": "1"}, cwd=code, capture_output=True, check=True
    )
    found: list[float] = json.loads(done.stdout.splitlines()[-1])
    return found


def write_tiny(folder: Path, count: int, classes: int) -> None:
    """Write pictures of one pixel, dealt out over the classes."""
    for label in range(classes):
        (folder / f"class-{label:03}").mkdir(parents=True)
    first = folder / "class-000" / "000000.png"
    Image.new("L", (1, 1)).save(first)
    content = first.read_bytes()
    for i in range(count):
        (folder / f"class-{i % classes:03}" / f"{i:06}.png").write_bytes(content)


def write_pictures(data: str, folder: Path) -> None:
    """Write the training pictures of a data set as files in class folders."""
    found = load_data(data, validation_fraction=0.001)
    for label in found.label_names:
        (folder / label).mkdir(parents=True)
    for i, row in enumerate(found.splits["train"]):
        place = folder / found.label_names[row["target"]] / f"{i:06}.jpg"
        place.write_bytes(row["image"]["bytes"])


if __name__ == "__main__":
    sys.exit(main())
