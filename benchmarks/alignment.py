"""Does the address of a weight change the logits? A table of the largest change by kind and offset.

`python -m benchmarks.alignment` takes a minute or two. On the CPU it was written for (AVX2), only
the head's matrix changes anything, in the last bits, at addresses that 16 does not divide.
"""

import argparse
from collections.abc import Callable

import torch
from torch import Tensor, nn

from hub_models import ImageClassifier
from hub_models.tensor_file import ALIGNMENT

OFFSETS = (4, 8, 16, 32)  # bytes past a multiple of 64
KINDS: dict[str, Callable[[Tensor], bool]] = {
    "convolution": lambda t: t.ndim == 4 and t.shape[1] > 1,
    "depthwise convolution": lambda t: t.ndim == 4 and t.shape[1] == 1,
    "head's matrix": lambda t: t.ndim == 2,
    "vectors": lambda t: t.ndim == 1,
}


def place(tensor: Tensor, offset: int) -> Tensor:
    """Copy a tensor to an address `offset` bytes past a multiple of 64."""
    memory = torch.empty(tensor.nbytes + 2 * ALIGNMENT, dtype=torch.uint8)
    start = -memory.data_ptr() % ALIGNMENT + offset
    placed = memory[start : start + tensor.nbytes].view(tensor.dtype).view(tensor.shape)
    return placed.copy_(tensor)


def changes(name: str, labels: int) -> dict[tuple[str, int], float]:
    """Move the weights of each kind to each offset; give the largest change of a logit."""
    torch.manual_seed(0)
    model = ImageClassifier.create(name, [str(i) for i in range(labels)]).eval()
    nn.init.normal_(model.head.weight)
    batches = [torch.randn(count, 3, 64, 64) for count in (1, 2)]
    for norm in (m for m in model.modules() if isinstance(m, nn.BatchNorm2d)):
        norm.momentum = 1.0
    model.train()(torch.randn(8, 3, 64, 64))  # so that no layer's output fades away
    model.eval()
    state = model.state_dict()
    before = [model(batch) for batch in batches]
    largest = {}
    for title, is_kind in KINDS.items():
        moved = {key: tensor for key, tensor in state.items() if is_kind(tensor)}
        for offset in OFFSETS if moved else ():
            placed = {key: place(tensor, offset) for key, tensor in moved.items()}
            model.load_state_dict(state | placed, assign=True)
            pairs = zip(batches, before, strict=True)
            change = max((model(batch) - logits).abs().max().item() for batch, logits in pairs)
            largest[title, offset] = change
    return largest


@torch.inference_mode()
def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--labels", type=int, nargs="+", default=[1, 37])
    counts = parser.parse_args().labels
    print("| architecture | weights moved |", " | ".join(f"{o} bytes" for o in OFFSETS), "|")
    print("|---|---|" + "---|" * len(OFFSETS))
    for name in ("resnet18", "mobilenetv2_100"):
        measured = [changes(name, count) for count in counts]
        for title in dict.fromkeys(title for title, _ in measured[0]):
            cells = (f"{max(each[title, o] for each in measured):.0e}" for o in OFFSETS)
            print(f"| {name} | {title} |", " | ".join(cells), "|")


if __name__ == "__main__":
    main()
