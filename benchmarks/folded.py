"""Forward passes of a classifier, of its folded copy, and of the copy's two parts.

    python -m benchmarks.folded [--rounds 5]

Random weights and pixels; every round times each way once, one after the other. `hub_models.fold`
is used by evaluation, by the features of frozen backbones and by the engine "torch" of the runtime.
"""

import argparse
import copy
import statistics
import time
from typing import Final

import torch

from hub_models import ImageClassifier
from hub_models.fold import folded

SETTINGS: Final = (  # architecture, px, images of a batch
    ("resnet18", 224, 1),
    ("resnet18", 128, 64),
    ("resnet18", 224, 64),
    ("mobilenetv2_100", 224, 1),
    ("mobilenetv2_100", 128, 64),
    ("mobilenetv2_100", 224, 64),
)


@torch.inference_mode()
def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    print(f"PyTorch {torch.__version__}, {torch.get_num_threads()} threads, ms (: as it is)\n")
    print("| model, px, batch | as it is | channels last | folded | both |\n|---|---|---|---|---|")
    for architecture, side, images in SETTINGS:
        plain = ImageClassifier.create(architecture, ["cat", "dog"], weights=None).eval()
        both = folded(plain)
        ways = [
            plain,
            copy.deepcopy(plain).to(memory_format=torch.channels_last),
            copy.deepcopy(both).to(memory_format=torch.contiguous_format),
            both,
        ]
        batch = torch.randn(images, 3, side, side)
        times_s: list[list[float]] = [[] for _ in ways]
        for number in range(rounds + 1):
            for own_times_s, way in zip(times_s, ways, strict=True):
                started = time.perf_counter()
                way(batch)
                if number:  # the first is the warm-up
                    own_times_s.append(time.perf_counter() - started)
        medians = [statistics.median(own_times_s) * 1000 for own_times_s in times_s]
        cells = " | ".join(f"{ms:.1f} ({medians[0] / ms:.2f})" for ms in medians[1:])
        print(f"| {architecture}, {side}, {images} | {medians[0]:.1f} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
