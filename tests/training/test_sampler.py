import pytest

from hub_models.errors import ConfigError
from training.sampler import StepSampler, seed_of


def whole(**keys: int) -> list[list[int]]:
    """Each step's images, put together over processes and micro-batches."""
    processes, micro_batches = keys.pop("processes", 1), keys.get("micro_batches", 1)
    samplers = [
        StepSampler(32, batch_size=12, process=p, processes=processes, **keys)
        for p in range(processes)
    ]
    parts = [list(sampler) for sampler in samplers]
    steps = []
    for step in range(samplers[0].steps):
        span = slice(step * micro_batches, (step + 1) * micro_batches)
        steps.append(sorted(i for part in parts for micro in part[span] for _, i in micro))
    return steps


@pytest.mark.parametrize(("processes", "micro_batches"), [(2, 1), (1, 2), (1, 3), (3, 1)])
def test_a_step_holds_the_same_images_however_it_is_divided(
    processes: int, micro_batches: int
) -> None:
    assert whole(processes=processes, micro_batches=micro_batches) == whole()


def test_every_image_is_seen_once_an_epoch() -> None:
    assert sorted(i for step in whole() for i in step) == list(range(32))


def test_a_last_step_that_is_not_half_full_is_dropped_at_any_number_of_processes() -> None:
    for processes in (1, 2):
        assert StepSampler(19, batch_size=8, processes=processes).steps == 2
        assert StepSampler(20, batch_size=8, processes=processes).steps == 3


def test_a_small_data_set_is_one_step() -> None:
    sampler = StepSampler(9, batch_size=64)
    assert (sampler.steps, sampler.images_in(0)) == (1, 9)


def test_an_epoch_begun_in_the_middle_is_the_rest_of_the_whole() -> None:
    sampler = StepSampler(23, batch_size=8, micro_batches=2, seed=4)
    sampler.epoch = 3
    everything = list(sampler)
    sampler.first_step = 2
    assert list(sampler) == everything[4:]
    assert len(sampler) == 2


@pytest.mark.parametrize(("processes", "micro_batches"), [(1, 1), (2, 1), (1, 3), (2, 2)])
def test_the_images_of_any_micro_batch_can_be_asked_for(processes: int, micro_batches: int) -> None:
    keys = {"batch_size": 16, "micro_batches": micro_batches, "processes": processes}
    for process in range(processes):
        sampler = StepSampler(58, process=process, **keys)
        for epoch in (0, 3):
            sampler.epoch = epoch
            asked = [
                [(epoch, index) for index in sampler.indices(step, part)]
                for step in range(sampler.steps)
                for part in range(micro_batches)
            ]
            assert asked == list(sampler)


def test_epochs_and_seeds_differ() -> None:
    first = list(StepSampler(23, batch_size=8, seed=0))
    other_seed = list(StepSampler(23, batch_size=8, seed=1))
    assert [[i for _, i in batch] for batch in first] != [[i for _, i in b] for b in other_seed]


def test_too_few_images_for_one_step_is_an_error() -> None:
    with pytest.raises(ConfigError, match="3 images per step are too few for 2 processes"):
        StepSampler(3, batch_size=8, processes=2)


def test_seeds_of_neighbours_are_unrelated() -> None:
    assert seed_of(0, 1) != seed_of(1, 0)
    assert seed_of(0, 0, 1) != seed_of(0, 1, 0)
    assert 0 <= seed_of(2**31 - 1, 10**9, 10**9) < 2**63
