"""What the machine itself needs: operations, bytes and decoding at their measured rates.

    python -m benchmarks.limit [--threads N ...]

A floor is made of the steps that nobody can leave out, each as fast as this machine does it alone:
a network's multiply-adds at the best rate of a matrix product or convolution, its weights read at
the rate of a copy (whichever of the two is longer), and one JPEG decoded. A minute.
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.apart import run_apart
from benchmarks.results import Results

_GEMM_SIDES = (512, 1024, 2048)
# Channels, side, kernel of convolutions as a ResNet-18 has them, in batches of 8.
_CONVOLUTIONS = ((64, 56, 3), (128, 28, 3), (256, 14, 3), (512, 7, 3), (256, 56, 1))
_REPEATS = 7


@dataclass(frozen=True)
class Rates:
    """What so many cores do at best.

    Attributes:
        macs_per_second: Multiply-adds in fp32, of the fastest matrix product or convolution.
        bytes_per_second: Read, in a copy of 256 MB.
        decode_s: One picture on one core, from JPEG bytes to RGB.
        threads: How many cores.
    """

    macs_per_second: float
    bytes_per_second: float
    decode_s: float
    threads: int

    def pass_s(self, macs: int, weight_bytes: int, *, images: int = 1) -> float:
        """Give the least time of a forward pass.

        Args:
            macs: Of one picture.
            weight_bytes: Read once for all pictures.
            images: In the pass.
        """
        return max(images * macs / self.macs_per_second, weight_bytes / self.bytes_per_second)

    def decoding_s(self, images: int) -> float:
        """Give the least time to decode pictures on all cores."""
        return images * self.decode_s / min(images, self.threads)


def rates(results: Results, threads: int, data: Path | None) -> Rates:
    """Measure the machine, unless that was done before.

    Args:
        results: Where it would stand.
        threads: Cores it may use.
        data: Pictures to decode; drawn ones if None.
    """
    order = {"threads": threads, "data": str(data or "")}
    key = {"family": "limit", "threads": threads, "data": str(data or "")}
    return Rates(**results.once(key, lambda: run_apart("benchmarks.limit", order)), threads=threads)


def measure(order: dict[str, Any]) -> dict[str, float]:
    """Measure all rates in this process."""
    import torch

    from benchmarks.photographs import read_photographs
    from hub_models import load_image

    torch.set_num_threads(order["threads"])
    photographs = read_photographs(Path(order["data"]) if order["data"] else None, 32)
    content = torch.ones(2**28, dtype=torch.uint8)
    target = torch.empty_like(content)
    with torch.inference_mode():
        macs_per_second = max(_gemm_rate(), _convolution_rate())
        copy_s = _best_s(lambda: target.copy_(content))

    def decode() -> None:
        for photograph in photographs:
            load_image(photograph)

    return {
        "macs_per_second": macs_per_second,
        "bytes_per_second": 2**28 / copy_s,
        "decode_s": _best_s(decode) / len(photographs),
    }


def network(folder: Path) -> tuple[int, int]:
    """Count a folder's multiply-adds per picture and the bytes of its weights."""
    from hub_models import hub
    from hub_models.profile import count_macs

    return count_macs(hub.read_config(folder)), hub.weights_path(folder).stat().st_size


def _gemm_rate() -> float:
    import torch

    found = []
    for side in _GEMM_SIDES:
        first, second = torch.randn(side, side), torch.randn(side, side)
        found.append(side**3 / _best_s(lambda a=first, b=second: a @ b))
    return max(found)


def _convolution_rate() -> float:
    import torch
    from torch import nn

    found = []
    for channels, side, kernel in _CONVOLUTIONS:
        layer = nn.Conv2d(channels, channels, kernel, padding="same", bias=False)
        for layout in (torch.contiguous_format, torch.channels_last):
            layer.to(memory_format=layout)
            batch = torch.randn(8, channels, side, side).contiguous(memory_format=layout)
            macs = 8 * side**2 * channels**2 * kernel**2
            found.append(macs / _best_s(lambda a=layer, b=batch: a(b)))
    return max(found)


def _best_s(call: Callable[[], object]) -> float:
    call()
    times_s = []
    for _ in range(_REPEATS):
        began = time.perf_counter()
        call()
        times_s.append(time.perf_counter() - began)
    return min(times_s)  # a limit is the best that was seen


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the rates."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="pictures or parquet files (drawn pictures)")
    parser.add_argument("--threads", type=int, action="append", help="(1 and 2)")
    parser.add_argument("--row", type=json.loads, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.row:
        print(json.dumps(measure(options.row)))
        return
    print("| cores | GMAC/s | GB/s | decode ms |\n|---|---|---|---|")
    for threads in options.threads or (1, 2):
        found = rates(Results(None), threads, options.data)
        print(
            f"| {threads} | {found.macs_per_second / 1e9:.1f} | {found.bytes_per_second / 1e9:.1f} "
            f"| {found.decode_s * 1000:.2f} |"
        )


if __name__ == "__main__":
    main()
