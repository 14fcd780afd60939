"""This process's share of the work, from the environment that `accelerate launch` gives it."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from hub_models.errors import ConfigError


@dataclass(frozen=True)
class Share:
    """Which of how many processes this is.

    Attributes:
        rank: From 0.
        world_size: Processes in all, over all machines.
        local_size: Processes on this machine, which share its cores.
    """

    rank: int = 0
    world_size: int = 1
    local_size: int = 1

    def has(self, number: int) -> bool:
        """Tell whether a piece of work is this process's.

        Args:
            number: Of the piece, from 0.

        Returns:
            True in exactly one of the processes.
        """
        return number % self.world_size == self.rank


def read_share(environment: Mapping[str, str] = os.environ) -> Share:
    """Read RANK, WORLD_SIZE and LOCAL_WORLD_SIZE.

    Args:
        environment: Of this process.

    Returns:
        All of the work, where they are not set.

    Raises:
        ConfigError: If they are no numbers, or do not fit each other.
    """
    values = [environment.get(n, d) for n, d in (("RANK", "0"), ("WORLD_SIZE", "1"))]
    values.append(environment.get("LOCAL_WORLD_SIZE", "1"))
    if all(value.isdecimal() for value in values):
        rank, world_size, local_size = map(int, values)
        if rank < world_size and 1 <= local_size <= world_size:
            return Share(rank, world_size, local_size)
    raise ConfigError(
        "RANK, WORLD_SIZE and LOCAL_WORLD_SIZE must be numbers with RANK below WORLD_SIZE, not "
        + ", ".join(values)
    )
