"""A data set's tables to splits with the columns `image` and `target`, and the class names."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow as pa

from hub_models.config import check_labels
from hub_models.errors import ConfigError
from hub_models.picture_tree import PictureTree, find_classes
from hub_models.split_names import split_of
from training.cache import settle_caches
from training.class_folder_data import Layout, read_paths, untrained
from training.columns import as_images, find_columns, first_values, is_label_name
from training.data_source import Source, find_source, not_loaded
from training.listing import counted, few
from training.table_files import is_text
from training.table_rows import Piece, read_pieces, stream_pieces, unlisted
from training.targets import Classes, order_of_classes, read_classes, to_targets

Pieces = dict[str, list[Piece]]


@dataclass(frozen=True)
class Labelled:
    """Splits of a data set.

    Attributes:
        splits: Data sets of `datasets` with `image`, undecoded, and `target`, a ClassLabel, null
            where there is no label.
        label_names: Class names in the order of the targets.
        left_out: Sentences about what is not used, and why.
        stream: The training rows when they are read as they arrive; targets are plain numbers.
        layout: What class folders hold beside their pictures; None of tables.
    """

    splits: dict[str, datasets.Dataset]
    label_names: tuple[str, ...]
    left_out: tuple[str, ...] = ()
    stream: datasets.IterableDataset | None = None
    layout: Layout | None = None


def read_labelled(source: str, image_column: str, label_column: str) -> Labelled:
    """Read a data set's own splits.

    Args:
        source: A folder, a table, or "owner/name[@revision]" of the hub.
        image_column: Its name; found by types and names if empty.
        label_column: Its name; found by types and names if empty.

    Returns:
        Its splits; the first has every class.

    Raises:
        ConfigError: If the source cannot be had, or it is not certain what its classes are.
    """
    settle_caches()
    place, pieces = _loaded(source, read_pieces)
    if place.tree:
        return _read_folders(place.tree, image_column, label_column)
    left_out = list(place.tables.left_out) if place.tables else []
    first = next(iter(pieces))
    one = pieces[first][0]
    if not any(len(piece.rows) for piece in pieces[first]):
        raise ConfigError(f"data: {first!r} has no rows")
    image, label = find_columns(one.features, image_column, label_column, first_values(one.rows))
    pieces, more = _labelled_only(pieces, image, label)
    classes = {}
    for split, parts in pieces.items():
        found = [_classes(piece, label, split) for piece in parts]
        if sentence := _missing(found, split, label, may_go=split == "test" != first):
            more.append(sentence)
        if any((each.codes >= 0).any() for each in found):
            classes[split] = found
    is_guessed = not (label_column or is_label_name(label) or classes[first][0].is_declared)
    names = order_of_classes(classes[first], label, is_guessed=is_guessed)
    if is_guessed:
        more.append(f"the classes are {label!r}, the only text; --label_column NAME takes another")
    splits = {}
    for split, found in classes.items():
        targets = [to_targets(each, names, split, first) for each in found]
        rows = [
            _labelled_rows(*both, image, names) for both in zip(pieces[split], targets, strict=True)
        ]
        splits[split] = _joined(rows)
    return Labelled(splits, names, (*left_out, *more, *_unlisted(place, splits)))


def stream_labelled(source: str, image_column: str, label_column: str) -> Labelled:
    """Open a data set's own splits, and read none of its training rows.

    Args:
        source: As for `read_labelled`.
        image_column: Its name; found by types if empty.
        label_column: Its name; found by types if empty.

    Returns:
        The stream of train, and the split validation, copied.

    Raises:
        ConfigError: As `read_labelled`; or if the files do not say the class names beforehand, or
            in several orders.
    """
    place, pieces = _loaded(source, stream_pieces, streaming=True)
    if place.tree:
        return _stream_folders(source, _read_folders(place.tree, image_column, label_column))
    _check_streamed(source, pieces)
    image, label = find_columns(pieces["train"][0].features, image_column, label_column)
    names = _names_beforehand(pieces, label)
    train, validation = (
        _joined([as_images(p.rows.select_columns([image, label]), image, p.folder) for p in each])
        for each in (pieces["train"], pieces["validation"])
    )
    copied = datasets.Dataset.from_generator(
        _rows, gen_kwargs={"stream": validation}, features=validation.features
    )
    feature = datasets.ClassLabel(names=list(names))
    column = copied.with_format("arrow")[:][label]
    classes = read_classes(column, feature, label, "validation")
    targets = to_targets(classes, names, "validation", "train")
    sentence = _missing([classes], "validation", label, may_go=False)
    left_out = (place.tables.left_out if place.tables else ()) + ((sentence,) if sentence else ())
    splits = {"validation": _with_targets(copied, targets, names)}
    stream = train.rename_column(label, "target").cast_column("target", feature)
    return Labelled(splits, names, left_out, stream)


def _stream_folders(source: str, labelled: Labelled) -> Labelled:
    _check_streamed(source, labelled.splits)
    train = labelled.splits["train"]
    counts = np.bincount(train["target"][:], minlength=len(labelled.label_names))
    if not counts.all():
        raise untrained([labelled.label_names[i] for i in np.flatnonzero(counts == 0)])
    validation = {"validation": labelled.splits["validation"]}
    return replace(labelled, splits=validation, stream=train.to_iterable_dataset())


def _loaded(
    source: str, read: Callable[[Source], Pieces], *, streaming: bool = False
) -> tuple[Source, Pieces]:
    try:
        place = find_source(source, streaming=streaming)
        if place.tree:
            return place, {}
        if place.tables or streaming:
            return place, read(place)
        return place, _as_datasets_reads(place)
    except ConfigError:
        raise
    # `datasets` meets an empty folder, a dead network and a broken file with errors of four
    # libraries; each means that there is no data.
    except Exception as error:
        raise not_loaded(source, error) from error


def _read_folders(tree: PictureTree, image_column: str, label_column: str) -> Labelled:
    for option, name, own in (("image", image_column, "image"), ("label", label_column, "label")):
        if name not in ("", own):
            raise ConfigError(f"{option}_column: class folders have no column {name!r}")
    splits, label_names, layout = read_paths(find_classes(tree))
    return Labelled(splits, label_names, layout.sentences(), layout=layout)


def _check_streamed(source: str, splits: Mapping[str, Any]) -> None:
    if "train" not in splits:
        raise ConfigError(f"data set {source!r} has no split 'train', only {', '.join(splits)}")
    if "validation" not in splits:
        raise ConfigError(
            f"data set {source!r} has no split 'validation', which streaming needs: none can be "
            "cut from rows that are still to come"
        )


def _as_datasets_reads(place: Source) -> Pieces:
    """Read a data set of the hub of a kind that only `datasets` knows."""
    repo_id, _, commit = place.address.removeprefix("hf://datasets/").partition("@")
    loaded = datasets.load_dataset(repo_id, revision=commit)
    named = {split_of(str(name)) or str(name): rows for name, rows in loaded.items()}
    return {
        split: [Piece(named[split], named[split].features, Path(), split)]
        for split in ("train", "validation", "test", *named)
        if split in named
    }


def _labelled_only(pieces: Pieces, image: str, label: str) -> tuple[Pieces, list[str]]:
    """Leave out a test split without a column of labels; no other may lack one."""
    kept, left_out = {}, []
    for split, each in pieces.items():
        missing = [
            (name, piece) for piece in each for name in (image, label) if name not in piece.features
        ]
        if not missing:
            kept[split] = each
            continue
        name, piece = missing[0]
        what = f"no column {name!r}; there are {few(list(piece.features))}"
        if split != "test" or name == image:
            raise ConfigError(f"data: {split!r} ({piece.name}) has {what}")
        left_out.append(f"left out the split 'test', which has {what}")
    return kept, left_out


def _classes(piece: Piece, label: str, split: str) -> Classes:
    column = piece.rows.select_columns([label]).with_format("arrow")[:][label]
    return read_classes(column, piece.features[label], label, split)


def _missing(classes: list[Classes], split: str, label: str, *, may_go: bool) -> str:
    """Say how many rows have no label; refuse a split without any."""
    missing: dict[str, int] = {}
    for each in classes:
        for value, times in each.missing.items():
            missing[value] = missing.get(value, 0) + times
    count, rows = sum(missing.values()), sum(len(each.codes) for each in classes)
    values = ", ".join(f"{value} {counted(times, 'time')}" for value, times in missing.items())
    if rows and not count:
        return ""
    if count < rows:
        lost = counted(count, "row")
        return f"left out {lost} of {split!r} without a label: {label!r} is {values}"
    why = (
        f"no row of {split!r} has a label: {label!r} is {values}"
        if rows
        else f"{split!r} has no rows"
    )
    if not may_go:
        raise ConfigError(f"data: {why}")
    return f"left out the split {split!r}: {why}"


def _labelled_rows(
    piece: Piece, targets: Any, image: str, names: tuple[str, ...]
) -> datasets.Dataset:
    rows = as_images(piece.rows, image, piece.folder, is_trusted=piece.is_trusted)
    return _with_targets(rows, targets, names)


def _with_targets(rows: datasets.Dataset, targets: Any, names: tuple[str, ...]) -> datasets.Dataset:
    column = pa.array(targets, pa.int64(), mask=targets < 0)
    feature = datasets.ClassLabel(names=list(names))
    return rows.select_columns(["image"]).add_column("target", column, feature=feature)


def _joined(rows: list[Any]) -> Any:
    return rows[0] if len(rows) == 1 else datasets.concatenate_datasets(rows)


def _unlisted(place: Source, splits: Mapping[str, datasets.Dataset]) -> list[str]:
    if place.tables is None or not is_text(place.tables.kind):
        return []
    listed = {
        path
        for rows in splits.values()
        for path in rows.with_format("arrow")[:]["image"].combine_chunks().field("path").to_pylist()
    }
    sentence = unlisted(place, listed)
    return [sentence] if sentence else []


def _names_beforehand(pieces: Pieces, label: str) -> tuple[str, ...]:
    known: dict[tuple[str, ...], str] = {}
    for split in ("train", "validation"):
        for piece in pieces[split]:
            feature = piece.features.get(label)
            if not isinstance(feature, datasets.ClassLabel):
                raise ConfigError(
                    f"data: streaming needs class names beforehand, {label!r} is no ClassLabel "
                    f"column in {piece.name}"
                )
            known.setdefault(tuple(feature.names), piece.name)
    if len(known) > 1:
        files = " and ".join(list(known.values())[:2])
        raise ConfigError(
            f"data: {files} name their classes differently in {label!r}; streaming = false brings "
            "them to one order"
        )
    (names,) = known
    check_labels(names)
    return names


def _rows(stream: datasets.IterableDataset) -> Any:
    yield from stream
