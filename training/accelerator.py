"""The accelerator of every script: what this machine cannot do is one sentence."""

from typing import Any

from accelerate import Accelerator, DataLoaderConfiguration

from hub_models.errors import ConfigError
from training.memory import keep_freed_memory


def make_accelerator(**more: Any) -> Accelerator:
    """Make the accelerator of this process: a batch is divided over the processes.

    Args:
        more: Further options of `Accelerator`, such as `log_with`.

    Returns:
        The accelerator; on a CPU, freed memory is kept from here on.

    Raises:
        ConfigError: If what `accelerate launch` asks for, such as fp8, is not to be had here.
    """
    try:
        accelerator = Accelerator(
            dataloader_config=DataLoaderConfiguration(split_batches=True), **more
        )
    except (ValueError, ImportError, RuntimeError) as error:  # one type for each wrong setting
        first_line = str(error).strip().split("\n", 1)[0]
        raise ConfigError(
            f"accelerate launch: {first_line} (--mixed_precision no works everywhere)"
        ) from error
    if accelerator.device.type == "cpu":
        keep_freed_memory()
    return accelerator
