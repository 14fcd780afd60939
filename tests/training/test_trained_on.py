from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hub_models.errors import ConfigError
from hub_models.trained_on import MAX_SAMPLE, TrainedOn
from training.audit import audit
from training.config import Recipe
from training.data import Data, load_data
from training.trained_on import Digests, check_untrained, fingerprint


@pytest.fixture
def data(class_folders: Path) -> Data:
    return load_data(str(class_folders), validation_fraction=0.2)


@pytest.fixture
def recipe() -> Recipe:
    return Recipe(validation_fraction=0.2, seed=3)


def drawn(count: int, seed: int) -> Digests:
    return np.random.default_rng(seed).integers(0, 2**64, count, dtype=np.uint64)


def checked(trained_on: TrainedOn, data: Data, digests: Digests) -> str:
    return check_untrained("model", trained_on, data, "validation", digests)


def test_a_few_kilobytes_know_every_picture_of_a_small_run(data: Data, recipe: Recipe) -> None:
    digests = audit(data, quiet=True).digests
    known = fingerprint(data, digests, recipe, None)
    assert (known.pictures, len(known.sample)) == (48, 48 * 8)
    assert (known.seed, known.validation_fraction) == (3, 0.2)
    assert checked(known, data, digests["validation"]) == ""
    for digest in digests["train"]:
        one = np.append(digests["validation"], digest)
        with pytest.raises(ConfigError, match="was trained on 1 of the 13 pictures of 'validat"):
            checked(known, replace(data, splits={"validation": data.splits["train"]}), one)


def test_a_sample_of_a_large_run_finds_a_split_that_was_trained_on(
    data: Data, recipe: Recipe
) -> None:
    train = drawn(20_000, seed=1)
    known = fingerprint(data, {"train": train, "validation": drawn(9, 2)}, recipe, None)
    assert (known.pictures, len(known.sample)) == (20_000, 8 * MAX_SAMPLE)
    data = replace(data, splits={"validation": data.splits["train"].select([0] * 1000)})
    assert checked(known, data, drawn(1000, seed=3)) == ""
    with pytest.raises(ConfigError, match=r"at least \d+ of the 1,000 pictures"):
        checked(known, data, train[:1000])


def test_copies_of_training_pictures_in_a_run_s_own_split_are_said(
    data: Data, recipe: Recipe
) -> None:
    train, validation = drawn(50, seed=1), drawn(10, seed=2)
    validation[3] = train[7]
    known = fingerprint(data, {"train": train, "validation": validation}, recipe, None)
    said = checked(known, data, np.random.default_rng(0).permutation(validation))
    assert said.startswith("model: 1 of the 10 pictures of 'validation' are the same files as")


def test_what_the_weights_were_trained_on_counts_too(data: Data, recipe: Recipe) -> None:
    first, second, measured = drawn(30, seed=1), drawn(40, seed=2), drawn(5, seed=3)
    before = fingerprint(data, {"train": first, "validation": measured}, recipe, None)
    known = fingerprint(data, {"train": second, "validation": measured}, recipe, before)
    assert known.pictures == 70
    for trained in (first, second):
        with pytest.raises(ConfigError, match="was trained on"):
            checked(known, data, trained[:5])


def test_a_sample_of_two_runs_holds_nothing_above_what_is_known_of_both(
    data: Data, recipe: Recipe
) -> None:
    first, second = drawn(9000, seed=1), drawn(50, seed=2)
    before = fingerprint(data, {"train": first, "validation": second}, recipe, None)
    known = fingerprint(data, {"train": second, "validation": first}, recipe, before)
    both = fingerprint(data, {"train": np.append(first, second)}, recipe, None)
    assert both.sample.startswith(known.sample[: 8 * 1000])
    assert known.pictures >= 9000


def test_a_stream_tells_nothing_but_its_own_validation(data: Data, recipe: Recipe) -> None:
    measured = drawn(5, seed=3)
    known = fingerprint(data, {"validation": measured}, recipe, None)
    assert (known.pictures, known.sample) == (0, "")
    assert checked(known, data, measured) == ""
    assert "was trained on a stream" in checked(known, data, drawn(5, seed=4))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sample": "AAAAAAA"}, "sample: 7 characters for 2 pictures"),
        ({"sample": "A" * 24}, "sample: 24 characters for 2 pictures"),
        ({"sample": "A" * 8200, "pictures": 10**6}, "sample: 8,200 characters"),
        ({"sample": "../../ho"}, "sample is no base64"),
        ({"splits": {"test": "XYZ"}}, "splits.test must be 16 hexadecimal digits"),
    ],
)
def test_a_fingerprint_no_run_writes_is_refused(change: dict[str, object], message: str) -> None:
    good = {"pictures": 2, "sample": "A" * 16, "splits": {"test": "0" * 16}}
    assert TrainedOn(**good).seed is None
    with pytest.raises(ConfigError, match=message):
        TrainedOn(**{**good, **change})
