import time

import numpy as np
import pytest

from training.duplicates import MAX_DISTANCE, find_pairs


def flipped(hashes: np.ndarray, bits: int) -> np.ndarray:
    """The hashes with their lowest bits turned over."""
    return hashes ^ np.uint64((1 << bits) - 1)


@pytest.fixture
def hashes() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 2**64, 300, dtype=np.uint64)


def test_pairs_are_found_up_to_the_distance_and_no_further(hashes: np.ndarray) -> None:
    right = np.concatenate([flipped(hashes[:3], bits) for bits in range(MAX_DISTANCE + 3)])
    pairs, count = find_pairs(hashes, right, limit=100)
    expected = [(i, 3 * bits + i, bits) for bits in range(MAX_DISTANCE + 1) for i in range(3)]
    assert sorted(map(tuple, pairs.tolist())) == sorted(expected)
    assert count == len(expected)
    assert pairs[:, 2].tolist() == sorted(pairs[:, 2].tolist())


def test_a_flood_of_equal_pictures_is_counted_and_the_closest_are_listed() -> None:
    left, right = np.full(3000, 5, np.uint64), np.full(2000, 5, np.uint64)
    right[-7:] = 4
    pairs, count = find_pairs(right, left, limit=10)
    assert count == 6_000_000
    assert len(pairs) == 10
    assert (pairs[:, 2] == 0).all()


def test_an_empty_split_has_no_pairs(hashes: np.ndarray) -> None:
    none = np.empty(0, np.uint64)
    for left, right in ((none, hashes), (hashes, none)):
        pairs, count = find_pairs(left, right, limit=5)
        assert (pairs.shape, count) == ((0, 3), 0)


def test_twenty_thousand_pictures_take_seconds() -> None:
    many = np.random.default_rng(1).integers(0, 2**64, 20_000, dtype=np.uint64)
    started = time.process_time()
    pairs, _ = find_pairs(many, flipped(many[::10], 2), limit=10_000)
    assert time.process_time() - started < 5
    assert len(pairs) == 2000
