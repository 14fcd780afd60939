import pytest
import torch
from torch import nn

from hub_models import ImageClassifier
from hub_models.architectures import ARCHITECTURES
from hub_models.fold import folded


def make(architecture, **options):
    torch.manual_seed(0)
    model = ImageClassifier.create(architecture, labels=("a", "b", "c"), **options)
    for norm in model.modules():
        if isinstance(norm, nn.BatchNorm2d):  # as after training: fresh ones change nothing
            nn.init.uniform_(norm.weight, 0.5, 1.5)
            nn.init.normal_(norm.bias, std=0.1)
            nn.init.normal_(norm.running_mean, std=0.1)
            nn.init.uniform_(norm.running_var, 0.5, 1.5)
    return model


def check(model, channels=3):
    batch = torch.randn(2, channels, 64, 64)
    with torch.inference_mode():
        expected = model.eval().feature_map(batch)
        fast = folded(model)
        found = fast.feature_map(batch)
        assert torch.allclose(found, expected, atol=1e-5 * expected.abs().max().item())
        assert torch.equal(model.eval().feature_map(batch), expected)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in fast.modules())


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_no_norm_is_left_and_the_feature_map_is_the_same(architecture):
    check(make(architecture))


def test_small_stems_and_grey_inputs_too():
    check(make("resnet18", stem="small", channels=1), channels=1)
    check(make("mobilenetv2_035", stem="small", channels=1), channels=1)


def test_a_model_in_training_is_left_as_it_is():
    model = make("mobilenetv2_035").train()
    model.freeze("head")
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    trainable = [p.requires_grad for p in model.parameters()]
    fast = folded(model)
    assert model.training
    assert not fast.training
    assert not any(p.requires_grad for p in fast.parameters())
    assert [p.requires_grad for p in model.parameters()] == trainable
    after = model.state_dict()
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())


def test_a_compiled_model_is_copied_as_a_plain_one():
    model = make("mobilenetv2_035").eval()
    model.compile(backend="eager")
    with torch.inference_mode():
        batch = torch.randn(1, 3, 64, 64)
        assert torch.allclose(folded(model)(batch), model(batch), atol=1e-5)
