"""A data set's own columns to `image` (undecoded) and `target`, found by their types."""

import datasets

from hub_models.config import check_labels
from hub_models.errors import ConfigError


def find_columns(features: datasets.Features, image: str, label: str) -> tuple[str, str]:
    """Tell which column holds the pictures and which the classes.

    Args:
        features: Of one split.
        image: The name asked for; the only column of type Image if empty.
        label: The name asked for; the only column of type ClassLabel, or of strings, if empty.

    Returns:
        The two names.

    Raises:
        ConfigError: If there is none, or more than one.
    """
    images = [n for n, f in features.items() if isinstance(f, datasets.Image)]
    labels = [n for n, f in features.items() if isinstance(f, datasets.ClassLabel)]
    if not labels:
        labels = [n for n, f in features.items() if getattr(f, "dtype", "") == "string"]
    return (
        _column(features, image, images, "image_column", "an Image"),
        _column(features, label, labels, "label_column", "a ClassLabel, or strings"),
    )


def find_label_names(train: datasets.Dataset, label: str) -> tuple[str, ...]:
    """Read the class names, in the order of the targets.

    Args:
        train: The split that has every class.
        label: Its column.

    Returns:
        A ClassLabel's names in their order; strings in alphabetical order.

    Raises:
        ConfigError: If there are fewer than two, or one cannot be a label.
    """
    feature = train.features[label]
    if isinstance(feature, datasets.ClassLabel):
        names = tuple(feature.names)
    else:
        names = tuple(sorted(str(value) for value in train.unique(label) if value is not None))
    check_labels(names)
    if len(names) < 2:
        raise ConfigError(f"data: at least two classes are needed, {label!r} has {len(names)}")
    return names


def rename_columns(
    split: datasets.Dataset, image: str, label: str, label_names: tuple[str, ...]
) -> datasets.Dataset:
    """Keep the two columns alone, under the project's names and types.

    Args:
        split: As loaded.
        image: The column of pictures.
        label: The column of classes.
        label_names: In the order of the targets.

    Returns:
        The split with `image`, not to be decoded by `datasets`, and `target`, a ClassLabel.

    Raises:
        ConfigError: If this split names its classes differently.
    """
    split = split.select_columns([image, label]).cast_column(image, datasets.Image(decode=False))
    feature = split.features[label]
    if not isinstance(feature, datasets.ClassLabel):
        if feature.dtype != "string":
            split = split.cast_column(label, datasets.Value("string"))
        split = split.cast_column(label, datasets.ClassLabel(names=list(label_names)))
    elif tuple(feature.names) != label_names:
        raise ConfigError(f"data: the splits name their classes differently in {label!r}")
    names = {image: "image", label: "target"}
    return split.rename_columns({old: new for old, new in names.items() if old != new})


def _column(
    features: datasets.Features, asked: str, found: list[str], option: str, kind: str
) -> str:
    if asked:
        if asked not in features:
            raise ConfigError(f"{option}: no column {asked!r}; there are {', '.join(features)}")
        return asked
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(found)
        raise ConfigError(f"data: {len(found)} columns hold {kind} ({names}); use --{option} NAME")
    raise ConfigError(
        f"data: no column holds {kind}; there are {', '.join(features)} "
        "(a folder of pictures needs a sub-folder per class, two at least)"
    )
