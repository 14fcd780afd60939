"""A classifier to a faster copy that only answers: batch norms folded away, channels last."""

import copy
from itertools import pairwise

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from hub_models.model import ImageClassifier


def folded(model: ImageClassifier) -> ImageClassifier:
    """Copy a classifier for inference.

    In evaluation mode a batch norm is one factor and one offset per channel, which the convolution
    before it can do itself; and channels last is the faster layout of convolutions on CPUs.
    `python -m benchmarks.folded` prints what that is worth.

    Args:
        model: Left as it is.

    Returns:
        A copy in evaluation mode, without gradients, whose logits differ in their last bits. It is
        not to be trained or saved: the names of its weights are others.
    """
    copied = copy.deepcopy(model).eval().requires_grad_(False)
    for module in list(copied.modules()):
        for (before, convolution), (after, norm) in pairwise(list(module.named_children())):
            # All architectures here use a norm right behind the convolution that stands before it.
            if isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                setattr(module, before, fuse_conv_bn_eval(convolution, norm))
                setattr(module, after, nn.Identity())
    return copied.to(memory_format=torch.channels_last)
