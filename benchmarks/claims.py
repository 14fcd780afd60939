"""What articles say of ResNet and MobileNet that can be counted: prints the tables of CLAIMS.md.

    python -m benchmarks.claims [--rounds 5]

Parameters and MACs are counted from our own modules at 224 px; "fp32" is 4 bytes a parameter. The
last table quantises ResNet-18 as one article does, with PyTorch's dynamic quantisation.
"""

import argparse
import io
import statistics
import time
import warnings
from typing import Final

import torch
from torch import nn

from hub_models import ARCHITECTURES, ImageClassifier, ModelConfig
from hub_models.profile import count_macs, count_parameters

_SIDE_PX: Final = 224


def main() -> None:
    """Print every table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="of timed passes, in turn")
    options = parser.parse_args()
    _print_counts()
    print()
    _print_dynamic_quantisation(options.rounds)


def _config(architecture: str, classes: int) -> ModelConfig:
    known = ARCHITECTURES[architecture]
    return ModelConfig(
        architecture=architecture,
        label_names=tuple(f"LABEL_{i}" for i in range(classes)),
        num_features=known.num_features,
        first_conv=known.first_conv,
        classifier=known.classifier,
    )


def _print_counts() -> None:
    print(
        "| architecture | parameters, 1000 classes | fp32 | MACs | features K | head, 1000 classes "
        "| parameters, 2 classes | head, 2 classes | last stage and head, 2 classes |"
    )
    print("|---" * 9 + "|")
    for name, known in ARCHITECTURES.items():
        thousand, two = (count_parameters(_config(name, classes)) for classes in (1000, 2))
        macs = count_macs(_config(name, 1000), side_px=_SIDE_PX)
        cells = [
            name,
            f"{thousand['total']:,}",
            f"{4 * thousand['total'] / 1e6:.1f} MB",
            f"{macs / 1e6:,.0f} M",
            f"{known.num_features:,}",
            f"{thousand['trainable']['head']:,}",
            f"{two['total']:,}",
            f"{two['trainable']['head']:,}",
            f"{two['trainable']['last_stage']:,}",
        ]
        print(f"| {' | '.join(cells)} |")


@torch.inference_mode()
def _print_dynamic_quantisation(rounds: int) -> None:
    torch.manual_seed(0)
    plain = ImageClassifier.create("resnet18", [str(i) for i in range(1000)]).eval()
    with warnings.catch_warnings():  # that it will move to another package
        warnings.simplefilter("ignore")
        quantised = torch.ao.quantization.quantize_dynamic(plain, {nn.Linear, nn.Conv2d})
    networks = {"fp32": plain, "dynamically quantised": quantised}
    times_s = _times(networks, rounds)
    print("| ResNet-18 | state dict | convolutions quantised | ms a picture | : fp32 |")
    print("|---|---|---|---|---|")
    base_s = statistics.median(times_s["fp32"])
    for name, network in networks.items():
        convolutions = [m for m in network.modules() if "Conv2d" in type(m).__name__]
        changed = sum(not isinstance(m, nn.Conv2d) for m in convolutions)
        median_s = statistics.median(times_s[name])
        print(
            f"| {name} | {_state_bytes(network) / 1e6:.1f} MB | {changed} of {len(convolutions)} "
            f"| {median_s * 1000:.1f} | {median_s / base_s:.2f} |"
        )


def _times(networks: dict[str, nn.Module], rounds: int) -> dict[str, list[float]]:
    """Time each network in turn, so that a machine that slows down slows both."""
    batch = torch.randn(1, 3, _SIDE_PX, _SIDE_PX)
    times_s: dict[str, list[float]] = {name: [] for name in networks}
    for round_number in range(rounds + 1):
        for name, network in networks.items():
            started = time.perf_counter()
            for _ in range(10):
                network(batch)
            if round_number:  # the first warms up
                times_s[name].append((time.perf_counter() - started) / 10)
    return times_s


def _state_bytes(network: nn.Module) -> int:
    stream = io.BytesIO()
    torch.save(network.state_dict(), stream)
    return stream.tell()


if __name__ == "__main__":
    main()
