import pytest
import torch
from torch.nn import functional

from hub_models.errors import ConfigError
from training.probe import fit_head


def clouds(num_classes: int, each: int = 40) -> tuple[torch.Tensor, list[int]]:
    """Overlapping clouds around the axes, one a class, on scales of their own."""
    generator = torch.Generator().manual_seed(0)
    targets = torch.arange(num_classes).repeat(each)
    points = torch.randn(len(targets), 5, generator=generator) + 2 * torch.eye(5)[targets]
    return points * torch.tensor([1.0, 100.0, 0.01, 1.0, 1.0]) + 3, targets.tolist()


@pytest.mark.parametrize("num_classes", [2, 3])
def test_a_head_is_fitted_to_features_as_they_are(num_classes: int) -> None:
    features, targets = clouds(num_classes)
    head = fit_head(features, targets, ["a", "b", "c"][:num_classes])
    logits = head(features)
    assert logits.shape == (len(targets), num_classes)
    assert (logits.argmax(dim=1) == torch.tensor(targets)).float().mean() > 0.8
    loss = functional.cross_entropy(logits, torch.tensor(targets))
    assert 0.05 < loss < 0.6  # as sure as overlapping clouds allow, and no surer


def test_a_fitted_head_does_not_train_and_is_the_same_again() -> None:
    one, other = (fit_head(*clouds(3), ["a", "b", "c"]) for _ in range(2))
    assert not any(p.requires_grad for p in one.parameters())
    assert torch.equal(one.weight, other.weight)


def test_a_class_with_too_few_pictures_is_named() -> None:
    features, targets = clouds(2)
    with pytest.raises(ConfigError, match=r"^teacher: .*'owl' has 0$"):
        fit_head(features, targets, ["cat", "dog", "owl"])
