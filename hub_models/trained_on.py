"""What a model was trained on, in some kilobytes: so that nobody calls it validation or test."""

import re
from dataclasses import dataclass
from typing import Annotated, Final

from hub_models.errors import ConfigError

MAX_SAMPLE: Final = 1024  # digests kept; up to so many training pictures the sample is all of them
DIGEST_CHARS: Final = 8  # base64 of 48 bits


@dataclass(frozen=True)
class TrainedOn:
    """A fingerprint of the pictures of a run, by the bytes of their files.

    Attributes:
        pictures: Number of different training pictures, those of the weights it began with
            included; 0 where a stream did not tell.
        sample: The smallest digests of them, ascending, 48 bits each, big-endian, as base64.
        splits: Digest of all pictures of each split that was not trained on, 16 hex digits.
        seed: Of the cut of validation from train; None where nothing was cut.
        validation_fraction: Share that was cut off; None where nothing was cut.
    """

    pictures: Annotated[int, 0, 10**12]
    sample: str
    splits: dict[str, str]
    seed: Annotated[int, 0, 2**31 - 1] | None = None
    validation_fraction: Annotated[float, 0, 1] | None = None

    def __post_init__(self) -> None:
        """Refuse samples and digests that no run writes."""
        count, rest = divmod(len(self.sample), DIGEST_CHARS)
        if rest or not count <= min(self.pictures, MAX_SAMPLE):
            raise ConfigError(
                f"trained_on.sample: {len(self.sample):,} characters for {self.pictures:,} pictures"
            )
        if not re.fullmatch("[A-Za-z0-9+/]*", self.sample):
            raise ConfigError("trained_on.sample is no base64")
        for name, digest in self.splits.items():
            if not re.fullmatch("[0-9a-f]{16}", digest):
                raise ConfigError(f"trained_on.splits.{name} must be 16 hexadecimal digits")
