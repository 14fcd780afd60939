"""The benchmarks' trainers remember features as a user's would: not in the user's own cache."""

from tests.training.conftest import own_cache

__all__ = ["own_cache"]
