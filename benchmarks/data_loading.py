"""Times the input pipeline: a picture's cost, the loader alone, its share of real steps, memory.

    python -m benchmarks.data_loading [--data FOLDER] [--pictures 600]

Without --data it draws photographs of 500 × 375 px. Prints Markdown; a few minutes on two cores.
"""

import argparse
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr
from dataclasses import replace
from importlib.metadata import version
from itertools import product
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import torch
from accelerate import Accelerator, DataLoaderConfiguration
from PIL import Image
from torch.utils.data import DataLoader
from torchvision.transforms import v2

from hub_models import ImageClassifier
from training.config import Recipe
from training.data import Data, Pictures, as_it_is, decode, load_data
from training.loop import Training, set_up
from training.sampler import seed_of
from training.state import Progress

MODELS = {"resnet18": 128, "mobilenetv2_100": 160}
STEPS = 12
RECIPE = Recipe(weights="none", freeze="none", batch_size=32, profile=True)


def main() -> None:
    """Print every table, or this process's peak memory after an epoch."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--data", type=Path, help="folder of class folders, or with parquet files")
    parser.add_argument("--pictures", type=int, default=600, help="taken at most, or drawn")
    parser.add_argument("--peak", action="store_true", help="train one epoch, print peak memory")
    options = parser.parse_args()
    if options.peak:
        print(_peak_mb(options.data, options.pictures))
        return
    with tempfile.TemporaryDirectory() as temporary, open(os.devnull, "w") as nowhere:
        os.environ["HUB_MODELS_CACHE"] = str(Path(temporary) / "cache")
        folder = options.data
        if folder is None:
            folder = Path(temporary) / "drawn"
            draw_photographs(folder, options.pictures)
        with redirect_stderr(nowhere):  # progress bars
            data = shortened(load_data(str(folder)), options.pictures)
            _print_tables(data)
        _print_memory(folder, options.pictures)


def draw_photographs(folder: Path, count: int) -> None:
    """Write JPEGs of 500 × 375 px in two classes, each unlike the others.

    Args:
        folder: Made.
        count: Of both classes together.
    """
    for number in range(count):
        levels = np.random.default_rng(number).integers(0, 256, (47, 63, 3), dtype=np.uint8)
        image = Image.fromarray(levels).resize((500, 375), Image.Resampling.BICUBIC)
        path = folder / ("even", "odd")[number % 2] / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        image.save(path, quality=90)


def shortened(data: Data, count: int) -> Data:
    """Keep the first pictures of train and as many of validation as are in proportion.

    Args:
        data: With both splits.
        count: Of train, at most.

    Returns:
        The same data with those alone.
    """
    share = min(1.0, count / len(data.splits["train"]))
    parts = {
        name: data.parts[name].keep(np.arange(max(8, int(share * len(data.splits[name])))))
        for name in ("train", "validation")
    }
    return replace(data, parts=parts, splits={name: part.select() for name, part in parts.items()})


def _print_tables(data: Data) -> None:
    packages = ("torch", "torchvision", "pillow", "numpy", "pyarrow")
    print(f"{os.cpu_count()} CPU cores, Python {platform.python_version()}, ", end="")
    print(", ".join(f"{name} {version(name)}" for name in packages) + f"; {time.strftime('%F')}\n")
    print("One picture, ms of one core:\n")
    print("| side | decode | view | torchvision's view | from the cache | its view | difference |")
    print("|---|---|---|---|---|---|---|")
    for side in MODELS.values():
        print("| " + " | ".join([f"{side} px", *_costs(data, side)]) + " |", flush=True)
    print("\nA step of 32 images, and the loader alone:\n")
    print("| model | cache | workers | loader alone | step | data |")
    print("|---|---|---|---|---|---|")
    for (name, side), gib, workers in product(MODELS.items(), (0.0, 8.0), (0, 2)):
        recipe = replace(
            RECIPE, architecture=name, image_size=side, pixel_cache_gib=gib, workers=workers
        )
        row = [f"{name}, {side} px", "yes" if gib else "no", str(workers), *_speeds(data, recipe)]
        print("| " + " | ".join(row) + " |", flush=True)


def _costs(data: Data, side: int) -> list[str]:
    """Time the parts of a picture's way; the last is what storing it smaller changes."""
    torch.set_num_threads(1)
    keys = [(0, index) for index in range(min(96, len(data.splits["train"])))]
    plain, stored = (
        _set_up(data, replace(RECIPE, image_size=side, pixel_cache_gib=gib)).train_batches.dataset
        for gib in (0.0, 8.0)
    )
    assert isinstance(plain, Pictures)
    assert isinstance(stored, Pictures)
    cache = stored.images
    assert cache is not None
    cells = [plain.split[index]["image"] for _, index in keys]
    images = [decode(cell) for cell in cells]
    small = [cache[index] for _, index in keys]
    peer = v2.Compose(
        [
            v2.RandomResizedCrop(side, scale=(0.35, 1), ratio=(0.75, 1.3333)),
            v2.RandomHorizontalFlip(),
            v2.ColorJitter(0.2, 0.2, 0.2),
            v2.ToImage(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ]
    )

    def view(of: Sequence[Image.Image]) -> np.ndarray[Any, Any]:
        pairs = zip(of, keys, strict=True)
        return plain.view.finish(np.stack([plain.view.take(i, key) for i, key in pairs]), keys)

    def torchvision_view() -> None:
        for image, key in zip(images, keys, strict=True):
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed_of(0, *key))
                peer(image)

    times = [
        _ms(lambda: [decode(cell) for cell in cells]),
        _ms(lambda: view(images)),
        _ms(torchvision_view),
        _ms(lambda: [cache[index] for _, index in keys]),
        _ms(lambda: view(small)),
    ]
    std = np.array((0.229, 0.224, 0.225))[:, None, None]
    difference = 255 * np.abs((view(images) - view(small)) * std).mean()
    torch.set_num_threads(os.cpu_count() or 1)
    return [*(f"{ms / len(keys):.2f}" for ms in times), f"{difference:.1f} of 255 levels"]


def _ms(function: Callable[[], object]) -> float:
    """Take the least processor time of three calls after a first."""
    function()
    times = []
    for _ in range(3):
        since = time.process_time()
        function()
        times.append(time.process_time() - since)
    return 1000 * min(times)


def _speeds(data: Data, recipe: Recipe) -> list[str]:
    """Run the loader alone, then steps; each once before that, to start the workers."""
    training = _set_up(data, recipe)
    training.train_batches = DataLoader(  # also where the run itself would take no workers
        training.train_batches.dataset,
        batch_sampler=training.sampler,
        num_workers=recipe.workers,
        persistent_workers=recipe.workers > 0,
        collate_fn=as_it_is,
    )
    for epoch in range(2):
        training.sampler.epoch = epoch
        since = time.perf_counter()
        loaded = sum(len(targets) for _, targets in training.train_batches)
        alone = loaded / (time.perf_counter() - since)
    for epoch, last in ((2, 2), (3, STEPS)):
        training.train_epoch(Progress(epoch=epoch), lambda p, last=last: p.step == last)
    report = training.clock.report(1)
    return [
        f"{alone:.0f} images/s",
        f"{report['step_ms']:.0f} ms",
        f"{report['parts']['data']['share']:.1%}",
    ]


def _set_up(data: Data, recipe: Recipe) -> Training:
    model = ImageClassifier.create(recipe.architecture, data.label_names)
    model.config = replace(model.config, preprocess=recipe.preprocess(model.config.preprocess))
    accelerator = Accelerator(
        cpu=True, dataloader_config=DataLoaderConfiguration(split_batches=True)
    )
    return set_up(accelerator, recipe, data, model)


def _print_memory(folder: Path, pictures: int) -> None:
    print("\nPeak memory of one epoch without the cache, in a process of its own:\n")
    print("| training pictures | peak |")
    print("|---|---|")
    for count in (pictures // 4, pictures):
        command = [sys.executable, "-m", "benchmarks.data_loading", "--peak"]
        command += ["--data", str(folder), "--pictures", str(count)]
        result = subprocess.run(command, capture_output=True, text=True, check=True)
        print(f"| {count} | {result.stdout.split()[-1]} MB |", flush=True)


def _peak_mb(folder: Path, count: int) -> int:
    data = shortened(load_data(str(folder)), count)
    training = _set_up(
        data, replace(RECIPE, architecture="mobilenetv2_025", image_size=64, workers=0)
    )
    training.train_epoch(Progress(), lambda _: False)
    training.validate()
    # Not getrusage: its maximum is the parent's where that was larger.
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) // 1024


if __name__ == "__main__":
    datasets.disable_progress_bars()
    main()
