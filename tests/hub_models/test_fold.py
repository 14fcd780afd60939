import pytest
import torch
from torch import nn

from hub_models import ImageClassifier
from hub_models.architectures import ARCHITECTURES
from hub_models.fold import evaluating, folded


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


def test_an_evaluating_twin_shares_weights_and_leaves_the_mode_alone():
    model = make("mobilenetv2_025").train()
    twin = evaluating(model)
    assert not any(module.training for module in twin.modules())
    assert all(module.training for module in model.modules())
    assert [p.data_ptr() for p in twin.parameters()] == [p.data_ptr() for p in model.parameters()]
    model.backbone.register_forward_hook(lambda *_: seen.append(1))
    seen = []
    batch = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        for _ in range(2):  # a change of the weights in place, then other weights
            assert torch.equal(twin(batch), model.eval()(batch))
            model.train().head.weight += 1
        model.load_state_dict({n: t * 0.5 for n, t in model.state_dict().items()}, assign=True)
        model.head.weight = nn.Parameter(model.head.weight * 2)
        assert torch.equal(twin(batch), model.eval()(batch))
    assert seen


@pytest.mark.parametrize("wrapped", ["compile", "forward"])
def test_an_evaluating_twin_does_not_run_what_is_bound_to_the_model(wrapped):
    model = make("mobilenetv2_025").train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    if wrapped == "compile":
        model.compile(backend="eager")
    else:  # as accelerate's autocast does
        model.forward = model.forward
    with torch.no_grad():
        evaluating(model)(torch.randn(2, 3, 32, 32))
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
