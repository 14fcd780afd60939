import pytest
import torch
from torch import nn

from training.config import Recipe
from training.schedule import Schedule

STEPS = 10  # per epoch


def schedule_of(**keys: object) -> Schedule:
    recipe = Recipe(**{"epochs": 4, "warmup_epochs": 0.5, **keys})  # type: ignore[arg-type]
    backbone, head = nn.Parameter(torch.zeros(1)), nn.Parameter(torch.zeros(1))
    groups = [{"params": [backbone], "lr": 0.1}, {"params": [head], "lr": 1.0}]
    return Schedule(torch.optim.SGD(groups), recipe, STEPS)


def rates_of(schedule: Schedule) -> list[float]:
    rates = []
    for _ in range(4 * STEPS):
        rates.append(schedule.rates()[1])
        schedule.step()
    return rates


@pytest.mark.parametrize("name", ["cosine", "step", "plateau", "constant"])
def test_the_rate_rises_linearly_to_its_peak(name: str) -> None:
    rates = rates_of(schedule_of(schedule=name))
    assert rates[:5] == pytest.approx([1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6])
    assert rates[5] == pytest.approx(1.0)


def test_cosine_falls_to_eta_min() -> None:
    schedule = schedule_of(eta_min=0.05)
    rates = rates_of(schedule)
    assert rates[5:] == sorted(rates[5:], reverse=True)
    assert rates[5 + 35 // 2] == pytest.approx(0.05 + 0.95 * 0.5, abs=0.05)
    assert schedule.rates() == pytest.approx([0.05, 0.05])


def test_steps_drop_by_gamma() -> None:
    rates = rates_of(schedule_of(schedule="step", step_size=2.0, gamma=0.5, warmup_epochs=0.0))
    assert rates == pytest.approx([1.0] * 20 + [0.5] * 20)


def test_one_cycle_rises_for_its_share_and_falls_to_nothing() -> None:
    schedule = schedule_of(schedule="one_cycle", warmup_epochs=1.0)
    rates = rates_of(schedule)
    assert rates[0] == pytest.approx(0.04)
    assert max(range(40), key=rates.__getitem__) == 10
    assert schedule.rates()[1] == pytest.approx(0.0, abs=1e-9)


def test_a_plateau_lowers_the_rates_after_its_patience() -> None:
    schedule = schedule_of(schedule="plateau", patience=1, gamma=0.1, warmup_epochs=0.0)
    seen = []
    for accuracy in (0.5, 0.6, 0.6, 0.6, 0.6, 0.6):
        schedule.measured(accuracy)
        seen.append(schedule.rates()[1])
    assert seen == pytest.approx([1.0, 1.0, 1.0, 0.1, 0.1, 0.01])


def test_groups_keep_their_ratio() -> None:
    schedule = schedule_of()
    for _ in range(17):
        schedule.step()
    backbone, head = schedule.rates()
    assert head == pytest.approx(10 * backbone)


def test_a_restored_schedule_goes_on_where_it_was() -> None:
    one, other = schedule_of(schedule="plateau"), schedule_of(schedule="plateau")
    for _ in range(13):
        one.step()
    for accuracy in (0.5, 0.4, 0.4, 0.4):
        one.measured(accuracy)
    other.load_state_dict(one.state_dict())
    assert other.rates() == one.rates()
