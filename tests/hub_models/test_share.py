import pytest

from hub_models import ConfigError
from hub_models.share import Share, read_share


def test_without_a_launcher_all_of_the_work_is_ours() -> None:
    assert read_share({}) == Share(0, 1, 1)
    assert all(Share().has(number) for number in range(5))


def test_every_piece_of_work_is_one_process_s() -> None:
    shares = [
        read_share({"RANK": str(rank), "WORLD_SIZE": "3", "LOCAL_WORLD_SIZE": "2"})
        for rank in range(3)
    ]
    for number in range(10):
        assert sum(share.has(number) for share in shares) == 1


@pytest.mark.parametrize(
    "environment",
    [
        {"RANK": "1"},
        {"RANK": "x", "WORLD_SIZE": "2"},
        {"WORLD_SIZE": "0"},
        {"LOCAL_WORLD_SIZE": "0"},
    ],
)
def test_an_environment_that_makes_no_sense_is_named(environment: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="RANK, WORLD_SIZE and LOCAL_WORLD_SIZE must be numbers"):
        read_share(environment)
