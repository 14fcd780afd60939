import copy

import pytest
import torch
from accelerate import Accelerator
from torch import Tensor, nn

from hub_models import ImageClassifier
from tests.training.test_loop import tiny
from training.data import Data, load_data
from training.loop import set_up
from training.relu6 import LeanReLU6, use_lean_relu6


@pytest.fixture
def data(class_folders: object) -> Data:
    return load_data(str(class_folders), validation_fraction=0.2)


def model_pair() -> tuple[ImageClassifier, ImageClassifier]:
    plain = ImageClassifier.create("mobilenetv2_025", ["a", "b"], weights=None).train()
    plain.dropout.p = 0.0
    lean = copy.deepcopy(plain)
    use_lean_relu6(lean)
    return plain, lean


def step(model: ImageClassifier) -> tuple[Tensor, list[Tensor], int]:
    """Give the loss, the gradients, and the bytes that were kept for the backward pass."""
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    pixels = torch.randn(4, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 9
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = nn.functional.cross_entropy(model(pixels), torch.tensor([0, 1, 1, 0]))
    gradients = torch.autograd.grad(loss, list(model.parameters()))
    return loss, list(gradients), sum(kept.values())


def test_losses_and_gradients_have_the_same_bits() -> None:
    plain, lean = map(step, model_pair())
    torch.testing.assert_close(lean[0], plain[0], rtol=0, atol=0)
    torch.testing.assert_close(lean[1], plain[1], rtol=0, atol=0)


def test_what_lies_outside_0_to_6_passes_no_gradient() -> None:
    outside = torch.tensor([-1.0, 0.0, 0.5, 5.5, 6.0, 7.0], requires_grad=True)
    answer = LeanReLU6(inplace=True)(outside.clone())
    assert answer.tolist() == [0.0, 0.0, 0.5, 5.5, 6.0, 6.0]
    (gradient,) = torch.autograd.grad(answer.sum(), outside)
    assert gradient.tolist() == [0.0, 0.0, 1.0, 1.0, 0.0, 0.0]


def test_a_quarter_less_is_kept_for_the_backward_pass() -> None:
    plain, lean = map(step, model_pair())
    assert lean[2] < 0.8 * plain[2]


def test_training_uses_it_and_a_compiled_model_fuses_by_itself(
    accelerator: Accelerator, data: Data
) -> None:
    for compiles in (False, True):
        recipe, model = tiny(compile=compiles)
        set_up(accelerator, recipe, data, model)
        kinds = {type(module) for module in model.modules() if isinstance(module, nn.ReLU6)}
        assert kinds == ({nn.ReLU6} if compiles else {LeanReLU6})


def test_checkpoints_have_the_same_names() -> None:
    plain, lean = model_pair()
    assert list(lean.state_dict()) == list(plain.state_dict())
