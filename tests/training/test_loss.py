import math

import pytest
import torch

from training.loss import hint_losses, soft_target_losses


def test_the_soft_target_loss_is_the_divergence_worked_out_by_hand() -> None:
    student = torch.zeros(1, 2)  # at any temperature (1/2, 1/2)
    teacher = torch.tensor([[0.0, 2 * math.log(3)]])  # at temperature 2 (1/4, 3/4)
    by_hand = 0.25 * math.log(0.25 / 0.5) + 0.75 * math.log(0.75 / 0.5)
    losses = soft_target_losses(student, teacher, temperature=2.0)
    assert losses.tolist() == pytest.approx([4 * by_hand], rel=1e-5)


def test_the_soft_target_loss_is_one_number_an_image_and_nothing_for_equal_answers() -> None:
    logits = torch.randn(3, 5, generator=torch.Generator().manual_seed(0))
    losses = soft_target_losses(logits, logits + 7, temperature=3.0)
    torch.testing.assert_close(losses, torch.zeros(3), rtol=0, atol=1e-5)


def test_its_gradient_keeps_its_size_at_high_temperatures() -> None:
    gradients = []
    for temperature in (50.0, 100.0):
        student = torch.zeros(1, 3, requires_grad=True)
        teacher = torch.tensor([[1.0, -2.0, 1.0]])
        soft_target_losses(student, teacher, temperature).sum().backward()
        gradients.append(student.grad)
    assert gradients[0] is not None
    # Its limit: the difference of the logits, divided by the number of classes (arXiv:1503.02531).
    torch.testing.assert_close(gradients[1], -teacher / 3, rtol=0.05, atol=0)
    torch.testing.assert_close(gradients[0], gradients[1], rtol=0.05, atol=0)


def test_hints_compare_directions_and_not_lengths() -> None:
    features = torch.tensor([[3.0, 4.0], [3.0, 4.0], [3.0, 4.0]])
    projected = torch.tensor([[30.0, 40.0], [-3.0, -4.0], [-4.0, 3.0]])
    losses = hint_losses(projected, features)
    torch.testing.assert_close(losses, torch.tensor([0.0, 2.0, 1.0]), rtol=0, atol=1e-6)
