"""The card of a data set, README.md, to the features and files that it declares."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import datasets
import huggingface_hub
from datasets.info import DatasetInfosDict
from datasets.utils.metadata import MetadataConfigs
from fsspec.utils import glob_translate

from hub_models.errors import ConfigError
from training.listing import few

CARD: Final = "README.md"


def read_card(
    card: Path | None, names: Sequence[str], source: str
) -> tuple[datasets.Features, dict[str, list[str]] | None]:
    """Read what README.md declares.

    Args:
        card: The file; None if there is none.
        names: All files of the data set.
        source: The data set, for sentences.

    Returns:
        Features, and files by the splits' own names; None if the card leaves that to the names.

    Raises:
        ConfigError: If the card is damaged, has several configurations and no default, or names a
            file that is not there.
    """
    content = card.read_bytes().lstrip(b"\xef\xbb\xbf") if card else b""
    declares = b"configs:" in content or b"dataset_info:" in content
    if card is None or not (declares and content.startswith(b"---")):
        return datasets.Features(), None
    try:
        said: Any = huggingface_hub.DatasetCard.load(card, ignore_metadata_errors=True).data
        configs = MetadataConfigs.from_dataset_card_data(said)
        infos = DatasetInfosDict.from_dataset_card_data(said)
        name = configs.get_default_config_name()
    except Exception as error:  # of YAML, or of what it declares
        reason = " ".join(str(error).split())
        raise ConfigError(f"data set {source!r}: its {CARD} is damaged ({reason})") from error
    if name is None and len(configs) > 1:
        raise ConfigError(
            f"data set {source!r} has {len(configs)} configurations ({few(list(configs))}) and no "
            f"default; datasets.load_dataset({source!r}, {next(iter(configs))!r}).save_to_disk("
            "'FOLDER') saves one for --data FOLDER"
        )
    info = infos.get(name or "default") or (next(iter(infos.values())) if len(infos) == 1 else None)
    features = (info.features if info else None) or datasets.Features()
    config = configs.get(name or "", {})
    if "data_files" in config:
        return features, dict(_matched(config, names, source))
    return features, None


def _matched(
    config: Mapping[str, Any], names: Sequence[str], source: str
) -> Iterator[tuple[str, list[str]]]:
    listed = config["data_files"]
    if isinstance(listed, str) or all(isinstance(each, str) for each in listed):
        listed = [{"split": "train", "path": listed}]
    for each in listed:
        paths = [each["path"]] if isinstance(each["path"], str) else each["path"]
        found = [
            name
            for path in paths
            for name in names
            if re.match(
                glob_translate(os.path.normpath(os.path.join(config.get("data_dir") or "", path))),
                name,
            )
        ]
        if not found:
            raise ConfigError(
                f"data set {source!r}: its {CARD} names {few(paths)} for the split "
                f"{each['split']!r}, and there is no such file"
            )
        yield each["split"], list(dict.fromkeys(found))
