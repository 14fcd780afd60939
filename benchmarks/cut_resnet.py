"""A ResNet-18 that ends after stage 3, as a folder that everything else here reads.

    python -m benchmarks.cut_resnet BACKBONE OUT

For an ImageNet ResNet-18 of which stage 4 cannot be had. Stage 4 stays in place, so the
architecture does, but it only averages 2 × 2 values of each of stage 3's 256 channels; the other
256 channels are 0. At sides that are multiples of 32 px the pooled features are stage 3's own.
"""

import argparse
import sys
from collections.abc import Sequence

import torch

from hub_models import ImageClassifier
from hub_models.errors import HubModelsError


@torch.no_grad()
def let_through(model: ImageClassifier) -> None:
    """Make stage 4 of a ResNet-18 hand stage 3's channels on, averaged over 2 × 2 values.

    Args:
        model: Changed in place.
    """
    stage: torch.nn.Module = model.backbone.get_submodule("layer4")
    for name, tensor in stage.state_dict().items():
        if name.endswith("running_var"):  # with eps, a batch norm's divisor becomes 1
            tensor.fill_(1 - 1e-5)
        elif "bn1.weight" in name or name in ("0.bn2.weight", "0.downsample.1.weight"):
            tensor.fill_(1)
        elif not name.endswith("num_batches_tracked"):
            tensor.zero_()
    first, second = (stage.get_parameter(f"0.conv{number}.weight") for number in (1, 2))
    for channel in range(first.shape[1]):
        first[channel, channel, 1:, 1:] = 0.25  # stride 2: rows and columns 2i and 2i + 1
        second[channel, channel, 1, 1] = 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the script.

    Args:
        arguments: What was typed after its name; the process's own if None.

    Returns:
        0 done, 1 an error said in one sentence on stderr; wrong usage exits with 2.
    """
    parser = argparse.ArgumentParser(description="Cut a ResNet-18 off after stage 3.")
    parser.add_argument("backbone", metavar="BACKBONE", help="folder or repo_id of a ResNet-18")
    parser.add_argument("out", metavar="OUT", help="folder to be written")
    options = parser.parse_args(arguments)
    try:
        model = ImageClassifier.create("resnet18", ["a", "b"], weights=options.backbone)
        let_through(model)
        model.save_pretrained(options.out)
    except HubModelsError as error:
        print(f"cut_resnet: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
