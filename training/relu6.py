"""A ReLU6 that keeps one tensor for the backward pass, where PyTorch's in-place one keeps two.

PyTorch's copies its input before it writes over it, though the output tells as well where the
gradient passes: between 0 and 6. Of MobileNetV2's activations that is a quarter.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable


class _ReLU6(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, pixels: Tensor) -> Tensor:
        pixels.clamp_(0.0, 6.0)
        ctx.mark_dirty(pixels)
        ctx.save_for_backward(pixels)
        return pixels

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (clamped,) = ctx.saved_tensors
        passed: Tensor = torch.ops.aten.hardtanh_backward(gradient, clamped, 0.0, 6.0)
        return passed


class LeanReLU6(nn.ReLU6):
    """`torch.nn.ReLU6(inplace=True)` with the same outputs and gradients, to the bit."""

    def forward(self, input: Tensor) -> Tensor:
        """Write over the input.

        Args:
            input: Any shape; the output of something that does not need it any more.

        Returns:
            The same tensor, between 0 and 6.
        """
        clamped: Tensor = _ReLU6.apply(input)
        return clamped


def use_lean_relu6(model: nn.Module) -> None:
    """Put `LeanReLU6` in the place of every in-place ReLU6; names of weights stay as they are.

    Args:
        model: Changed in place.
    """
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if type(child) is nn.ReLU6 and child.inplace:
                setattr(module, name, LeanReLU6(inplace=True))
