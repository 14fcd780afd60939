"""Do more output channels of a frozen backbone help? The same backbone with some of them left out.

    python -m benchmarks.output_channels --weights FOLDER --data DATA
        [--architecture mobilenetv2_100] [--channels 64,128,256,512] [--draws 5]
        [--images 3000]

Two backbones differ in more than the number of channels they end in. So a linear head is fitted
(training.probe) to so many randomly drawn channels of one backbone, several draws each, and to all
of them. FOLDER is what `ImageClassifier.create` takes as weights; DATA has the splits `train`, of
which `--images` are fitted to, and `test`, which is measured whole.
"""

import argparse
from typing import Final

import datasets
import numpy as np
import torch
from accelerate import Accelerator
from safetensors.torch import load_file
from torch import Tensor

from hub_models import ImageClassifier
from training.accelerator import make_accelerator
from training.augment import CentreView
from training.command_line import whole_numbers
from training.data import load_data
from training.features import FeatureSource, cached_features
from training.probe import fit_head

_WORKERS: Final = 1


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", required=True)
    parser.add_argument("--architecture", default="mobilenetv2_100")
    parser.add_argument("--data", required=True)
    parser.add_argument("--channels", type=whole_numbers, default=[64, 128, 256, 512])
    parser.add_argument("--draws", type=int, default=5, help="of each number of channels")
    parser.add_argument("--images", type=int, default=3000, help="of train, drawn at random")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    accelerator, data = make_accelerator(), load_data(options.data).only(["train", "test"])
    weights = options.weights
    model = ImageClassifier.create(options.architecture, data.label_names, weights=weights)
    train = data.splits["train"].shuffle(seed=options.seed)
    train = train.select(range(min(options.images, len(train))))
    fitted = _features(accelerator, model, "train", train)
    asked = _features(accelerator, model, "test", data.splits["test"])
    right = torch.tensor(data.splits["test"]["target"][:])

    print(f"backbone of {model.config.num_features:,} channels, {len(asked):,} test photographs\n")
    print("| channels | test accuracy, mean of draws | least | most |\n|---|---|---|---|")
    rng = np.random.default_rng(options.seed)
    for count in [*options.channels, model.config.num_features]:
        found = []
        for _ in range(1 if count == model.config.num_features else options.draws):
            kept = torch.from_numpy(rng.permutation(model.config.num_features)[:count])
            head = fit_head(fitted[:, kept], train["target"][:], data.label_names)
            found.append((head(asked[:, kept]).argmax(dim=1) == right).float().mean().item())
        cells = (f"{share:.2%}" for share in (np.mean(found), min(found), max(found)))
        print(f"| {count:,} | " + " | ".join(cells) + " |", flush=True)


def _features(
    accelerator: Accelerator, model: ImageClassifier, name: str, split: datasets.Dataset
) -> Tensor:
    source = FeatureSource(split, name, CentreView(model.config.preprocess), {})
    path = cached_features(accelerator, model, source, workers=_WORKERS)
    return load_file(path)["features"][0]  # one view: (N, K)


if __name__ == "__main__":
    main()
