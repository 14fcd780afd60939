"""Config with its measured results to the metadata the hub reads from a card."""

import re
from pathlib import PurePosixPath
from typing import Final

from huggingface_hub import EvalResult, ModelCardData

from hub_models.config import ModelConfig

_REPO_ID: Final = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)


def card_metadata(config: ModelConfig, name: str) -> ModelCardData:
    """Give the YAML on top of a card.

    Args:
        config: With `origin` and `results` filled in as far as they are known.
        name: The folder's name, which is the repository's name too.

    Returns:
        Metadata; what is not known is left out.
    """
    dataset = str(config.origin.get("dataset", "")) or None
    is_on_hub = dataset is not None and _REPO_ID.fullmatch(dataset) is not None
    base_model = str(config.origin.get("base_model", ""))
    evaluations = [
        EvalResult(
            task_type="image-classification",
            dataset_type=dataset if dataset and is_on_hub else "imagefolder",
            dataset_name=dataset or "unnamed",
            dataset_split=split,
            metric_type="accuracy",
            metric_value=float(numbers["accuracy"]),
        )
        for split, numbers in config.results.items()
        if "accuracy" in numbers
    ]
    return ModelCardData(
        # The hub then shows timm's snippet, which reads this folder; ours is in the text.
        library_name="timm" if config.is_read_by_timm else "hub_models",
        license=config.origin.get("license"),
        pipeline_tag="image-classification",
        tags=["hub_models", "image-classification", config.architecture],
        datasets=[dataset] if dataset and is_on_hub else None,
        metrics=["accuracy"] if evaluations else None,
        base_model=base_model if _REPO_ID.fullmatch(base_model) else None,
        model_name=name if evaluations else None,
        eval_results=evaluations or None,
        widget=_examples(str(config.origin.get("widget", ""))),
    )


def _examples(addresses: str) -> list[dict[str, str]] | None:
    """Give the hub's widget its pictures, each titled by its file's name."""
    return [
        {"src": address, "example_title": PurePosixPath(address).stem.replace("-", " ")}
        for address in addresses.split()
    ] or None
