"""From the start of a process to its first answer: ours and each peer, as their users write it.

    python -m benchmarks.cold_start [--architecture resnet18] [--rounds 3] [--results FILE]

A process imports a library, loads a local folder, and classifies one JPEG. `start to answer` is
measured from outside, `import` and `load` inside; memory is the most it ever had resident. Ours is
`load_runtime`, whose ONNX export was made by an earlier process on the machine, as after a first
start; fastai reads what `Learner.export` wrote. All answers are compared before a ratio is printed.
The ways take turns. Four minutes.
"""

import argparse
import io
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.apart import watch
from benchmarks.limit import network, rates
from benchmarks.results import Results, finish, middle, parser
from benchmarks.row import Kind, Row, against

TOLERANCE = 1e-3  # of a probability
GOALS = {"start to answer": 1.5, "import": 1.5, "load": 1.5, "peak memory": 1 / 0.7}
_CHILD = """
import json, sys, time
folder, photograph = sys.argv[1:]
began = time.perf_counter()
{imports}
imported = time.perf_counter()
{load}
loaded = time.perf_counter()
{answer}
lines = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(json.dumps({{"import": imported - began, "load": loaded - imported, "answer": answer,
    "peak_bytes": int(lines["VmHWM"].split()[0]) * 1024}}))
"""
_EAGER = """
with torch.inference_mode():
    row = model(view(Image.open(photograph).convert("RGB"))[None]).softmax(dim=1)[0].tolist()
answer = dict(zip(labels, row))
"""
WAYS = {
    "ours": {
        "imports": "from hub_models import load_runtime",
        "load": "runtime = load_runtime(folder)",
        "answer": "answer = {p.label: p.probability for p in runtime.classify(photograph)}",
    },
    "transformers": {
        "imports": "from transformers import pipeline",
        "load": "classify = pipeline('image-classification', model=folder, device='cpu')",
        "answer": "answer = {a['label']: a['score'] for a in classify(photograph, top_k=None)}",
    },
    "timm": {
        "imports": "import timm, torch\nfrom PIL import Image",
        "load": "model = timm.create_model('local-dir:' + folder, pretrained=True).eval()\n"
        "config = timm.data.resolve_data_config(pretrained_cfg=model.pretrained_cfg)\n"
        "view = timm.data.create_transform(**config, is_training=False)\n"
        "labels = model.pretrained_cfg['label_names']",
        "answer": _EAGER,
    },
    "torchvision": {
        "imports": "import torch, torchvision\nfrom torchvision.transforms import v2\n"
        "from PIL import Image",
        "load": "model = torchvision.models.get_model(open(folder + '.name').read(), "
        "num_classes=3)\n"
        "model.load_state_dict(torch.load(folder + '.pth', mmap=True))\nmodel.eval()\n"
        "view = v2.Compose([v2.Resize(256), v2.CenterCrop(224), v2.ToImage(),\n"
        "    v2.ToDtype(torch.float32, scale=True),\n"
        "    v2.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))])\n"
        "labels = ('cat', 'dog', 'owl')",
        "answer": _EAGER,
    },
    "fastai": {
        "imports": "from fastai.vision.all import PILImage, load_learner\n"
        "import benchmarks.fastai_reader",
        "load": "learner = load_learner(folder + '.pkl')",
        "answer": "with learner.no_bar():\n"
        "    row = learner.predict(PILImage.create(photograph))[2].tolist()\n"
        "answer = dict(zip(('cat', 'dog', 'owl'), row))",
    },
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print the rows."""
    found = parser(__doc__)
    found.add_argument("--rounds", type=int, default=3)
    found.add_argument("--threads", type=int, default=2)
    options = found.parse_args(arguments)
    if options.row:
        _write(*options.row)
        return
    results = Results(options.results)
    rows: list[Row] = []
    for architecture in options.architecture:
        told = {"architecture": architecture, "rounds": options.rounds, "threads": options.threads}
        key = told | {"family": "cold_start"}
        runs = results.once(key, lambda told=told: measure(**told))
        rows += compare(architecture, runs, _floor_s(results, architecture, options))
    finish(results, "cold_start", rows)


def measure(architecture: str, rounds: int, threads: int) -> dict[str, list[dict[str, Any]]]:
    """Start every way so many times, in turn, after once that does not count."""
    runs: dict[str, list[dict[str, Any]]] = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory() as parent:
        folder, photograph = Path(parent, "model"), Path(parent, "photograph.jpg")
        order = json.dumps([architecture, str(folder), str(photograph)])
        watch([sys.executable, "-m", __spec__.name, "--row", order], threads=threads)
        for number in range(rounds + 1):
            for way, text in WAYS.items():
                command = [sys.executable, "-c", _CHILD.format(**text), str(folder)]
                done = watch([*command, str(photograph)], threads=threads, cache=f"{parent}/cache")
                one = done.answer | {"start to answer": done.seconds}
                print(f"{architecture}, {way}: {one}", flush=True)
                runs[way] += [one] if number else []  # the first reads from the disk, and exports
    return runs


def compare(architecture: str, runs: dict[str, list[dict[str, Any]]], floor_s: float) -> list[Row]:
    """Turn the runs of one architecture into rows.

    Raises:
        SystemExit: If a way gives another answer than ours.
    """
    expected = runs["ours"][0]["answer"]
    for way, own in runs.items():
        found = own[0]["answer"]
        if max(abs(found[label] - expected[label]) for label in expected) > TOLERANCE:
            raise SystemExit(f"{way}: another answer, {found} instead of {expected}")
    rows = []
    for name, goal in GOALS.items():
        key, scale, unit = ("peak_bytes", 1e6, "MB") if "memory" in name else (name, 1, "s")
        values = {way: middle([one[key] for one in own]) / scale for way, own in runs.items()}
        ours = values.pop("ours")
        limit = floor_s if name == "start to answer" else None
        title = f"cold start, {architecture}: {name}"
        rows.append(against(title, ours, values, Kind(unit, goal), limit=limit))
    return rows


def _floor_s(results: Results, architecture: str, options: argparse.Namespace) -> float:
    """A bare interpreter, one picture decoded, one pass."""
    machine = rates(results, options.threads, options.data)
    key = {"family": "bare interpreter"}
    start_s = results.once(key, lambda: middle([_bare_s() for _ in range(options.rounds)]))
    return start_s + machine.decode_s + machine.pass_s(*_network(architecture))


def _network(architecture: str) -> tuple[int, int]:
    from benchmarks.interop import save
    from hub_models import PreprocessConfig

    with tempfile.TemporaryDirectory() as folder:
        save(architecture, Path(folder, "model"), preprocess=PreprocessConfig())
        return network(Path(folder, "model"))


def _bare_s() -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", "pass"], check=True)
    return time.perf_counter() - began


def _write(architecture: str, folder: str, photograph: str) -> None:
    """Write what the ways read: a folder, torchvision's state, fastai's export, a JPEG."""
    import torch

    from benchmarks.fastai_reader import read_with_fastai
    from benchmarks.interop import save
    from benchmarks.twin import torchvision_twin
    from hub_models import PreprocessConfig
    from hub_models.drawn import draw

    torch.manual_seed(0)
    save(architecture, Path(folder), preprocess=PreprocessConfig())
    model, _ = torchvision_twin(Path(folder))
    torch.save(model.state_dict(), f"{folder}.pth")
    Path(f"{folder}.name").write_text(architecture if "resnet" in architecture else "mobilenet_v2")
    read_with_fastai(Path(folder)).export(Path(f"{folder}.pkl"))
    stream = io.BytesIO()
    draw(0).save(stream, "JPEG", quality=90)
    Path(photograph).write_bytes(stream.getvalue())
    os.sync()


if __name__ == "__main__":
    main()
