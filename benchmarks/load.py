"""What loading one local folder costs in hub_models, timm and transformers: a table of medians.

`python -m benchmarks.load` saves a ResNet-50 and reads it in fresh processes, the libraries taking
turns; Linux only. Import ends when the library's own name is there (transformers imports most of
itself later, in the first load), load when the model is. Memory is what the first load, then one
picture, added: to the peak of resident memory, and to what the process owns alone. Pages of a
mapped file are shared, and the system takes them back when it needs them. `--embedded` loads both
embedded models into one process instead, copied and mapped.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import torch
from safetensors.torch import save_file

from hub_models import ImageClassifier
from hub_models.tensor_file import pack_tensors, read_tensors

_TIMM = ("import timm", "timm.create_model('local-dir:' + folder, pretrained=True)")
_TRANSFORMERS = (
    "from transformers import AutoModelForImageClassification",
    "AutoModelForImageClassification.from_pretrained(folder)",
)
_IMPORT = "from hub_models import ImageClassifier, load_runtime"
_OURS = (_IMPORT, "ImageClassifier.from_pretrained(folder)")
# Title -> which file, the import, the load.
READERS = {
    "hub_models": ("ours", *_OURS),
    "hub_models, mapped": ("ours", _IMPORT, "ImageClassifier.from_pretrained(folder, mmap=True)"),
    "hub_models, file of the safetensors library": ("theirs", *_OURS),
    "timm": ("ours", *_TIMM),
    "transformers": ("ours", *_TRANSFORMERS),
}
# The same of both embedded models; "folder" is one of them.
_EACH = "for folder in (path.parent for path in Path(folder).glob('*/config.json'))"
EMBEDDED = {
    way: (".", f"{_IMPORT}\nfrom pathlib import Path", f"[{way} {_EACH}]")
    for way in (
        "ImageClassifier.from_pretrained(folder)",
        "ImageClassifier.from_pretrained(folder, mmap=True)",
        "load_runtime(folder, engine='torch')",
        "load_runtime(folder, engine='torch', mmap=True)",
        "load_runtime(folder, engine='onnx')",
    )
}
_CARDS = Path(__file__).parents[1] / "model_cards"
_ZEROS = "model.eval()(torch.zeros(1, 3, 224, 224))"
_PICTURE = "from hub_models.drawn import draw\nfor one in model: one.classify(draw(0))"
_CHILD = """
import json, sys, time
folder, first, second, third = sys.argv[1:]
def memory(key):
    status = dict(line.split(":", 1) for line in open("/proc/self/status"))
    return int(status[key].split()[0]) / 1024
start = time.perf_counter()
exec(first)
imported = time.perf_counter()
import torch
open("/proc/self/clear_refs", "w").write("5")  # the peak starts anew
resident, own = memory("VmRSS"), memory("RssAnon")
begin = time.perf_counter()
model = eval(second)
loaded = time.perf_counter()
grown = [memory("VmHWM") - resident, memory("RssAnon") - own]
with torch.inference_mode():
    exec(third)
grown += [memory("VmHWM") - resident, memory("RssAnon") - own]
del model
again = time.perf_counter()
model = eval(second)
print(json.dumps([imported - start, loaded - begin, time.perf_counter() - again, *grown]))
"""


def measure(reader: tuple[str, str, str], folders: Path, picture: str) -> list[float]:
    """Read a folder in a fresh process.

    Args:
        reader: One of READERS or EMBEDDED.
        folders: Where the folder is.
        picture: What reads one with what was loaded.

    Returns:
        Seconds of import, first and second load; MB added to peak and own memory by the first load,
        then by a picture.
    """
    kind, first, second = reader
    command = [sys.executable, "-c", _CHILD, str(folders / kind), first, second, picture]
    environment = os.environ | {"HF_HUB_OFFLINE": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    numbers: list[float] = json.loads(done.stdout.splitlines()[-1])
    return numbers


def start_ms(statement: str) -> float:
    """Time a fresh interpreter that runs one statement, in milliseconds."""
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], check=True)
    return (time.perf_counter() - begin) * 1000


def save(architecture: str, folders: Path) -> None:
    """Save one classifier twice: laid out for the map, and by the safetensors library."""
    ImageClassifier.create(architecture, ["cat", "dog"]).save_pretrained(folders / "ours")
    path = folders / "ours" / "model.safetensors"
    tensors = read_tensors(path)
    (folders / "theirs").mkdir()
    config = (folders / "ours" / "config.json").read_bytes()
    (folders / "theirs" / "config.json").write_bytes(config)
    save_file(tensors, folders / "theirs" / path.name, metadata={"format": "pt"})
    content = pack_tensors(tensors)
    path.write_bytes(content)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--architecture", default="resnet50")
    parser.add_argument("--embedded", action="store_true")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args(arguments)
    if options.embedded:
        for reader in EMBEDDED.values():  # exports are made now, files read once
            measure(reader, _CARDS, _PICTURE)
        print(f"both embedded models, median of {options.rounds}\n")
        _compare(EMBEDDED, _CARDS, _PICTURE, options.rounds)
        return
    starts = [(start_ms("pass"), start_ms("import hub_models")) for _ in range(4 * options.rounds)]
    bare, ours = (median(column) for column in zip(*starts, strict=True))
    print(f"import hub_models: {ours:.0f} ms, of which the bare interpreter {bare:.0f} ms\n")
    with tempfile.TemporaryDirectory() as parent:
        torch.manual_seed(0)
        save(options.architecture, Path(parent))
        megabytes = Path(parent, "ours", "model.safetensors").stat().st_size / 2**20
        print(f"{options.architecture}, {megabytes:.0f} MB, median of {options.rounds}\n")
        _compare(READERS, Path(parent), _ZEROS, options.rounds)


def _compare(
    readers: dict[str, tuple[str, str, str]], folders: Path, picture: str, rounds: int
) -> None:
    runs: dict[str, list[list[float]]] = {title: [] for title in readers}
    for _ in range(rounds):
        for title, measured in runs.items():
            measured.append(measure(readers[title], folders, picture))
    print("| reader | import s | load s | again s | peak MB | own MB |", end=" ")
    print("with a picture: peak MB | own MB |\n|---|---|---|---|---|---|---|---|")
    for title, measured in runs.items():
        columns = [median(column) for column in zip(*measured, strict=True)]
        seconds = " | ".join(f"{column:.2f}" for column in columns[:3])
        memory = " | ".join(f"{column:.0f}" for column in columns[3:])
        print(f"| {title} | {seconds} | {memory} |")


if __name__ == "__main__":
    main()
