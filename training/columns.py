"""Which columns of a data set hold the pictures and the classes, and the pictures as one type."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import datasets
import pyarrow as pa

from hub_models.errors import ConfigError
from training.listing import few
from training.table_files import is_picture

_LABEL_NAMES: Final = {
    "label", "labels", "labelname", "labelid", "labeltext", "class", "classes", "cls", "classname",
    "classid", "classlabel", "category", "categories", "categoryname", "categoryid", "target",
    "targets", "y", "gt", "groundtruth", "species", "breed", "diagnosis", "finding", "kind", "tag",
}  # fmt: skip
_PICTURE_NAMES: Final = {
    "image", "images", "img", "imgs", "picture", "pictures", "photo", "photograph", "pixels",
    "imagebytes", "imgbytes",
}  # fmt: skip
_TEXT: Final = ("string", "large_string", "string_view")
_BINARY: Final = ("binary", "large_binary", "binary_view")
_BASE64: Final = re.compile(r"(data:image/|/9j/|iVBORw0KGgo|R0lGOD|UklGR)")
_NUMBER: Final = re.compile(r"-?\d+(\.\d*)?")
_SAMPLE_ROWS: Final = 32


def first_values(rows: datasets.Dataset) -> dict[str, Any]:
    """Look into the first rows.

    Args:
        rows: Of a table.

    Returns:
        The first value of every column that is not missing, undecoded.
    """
    head: pa.Table = rows.with_format("arrow")[:_SAMPLE_ROWS]
    return {
        name: next((v.as_py() for v in head[name] if v.is_valid), None)
        for name in head.column_names
    }


def find_columns(
    features: datasets.Features, image: str, label: str, values: Mapping[str, Any] | None = None
) -> tuple[str, str]:
    """Tell which column holds the pictures and which the classes.

    Args:
        features: Of one split.
        image: The name asked for; if empty the only column of pictures: of type Image, or else of
            encoded bytes, or else of file names.
        label: The name asked for; if empty the only column of type ClassLabel or with a name such
            as "label" or "class", or else the only one of text.
        values: One of each column, where rows can be looked at; without, file names are not found.

    Returns:
        The two names.

    Raises:
        ConfigError: If there is none, or more than one.
    """
    kinds = {name: _picture_kind(f, (values or {}).get(name)) for name, f in features.items()}
    image = _find_image(features, kinds, image, values or {})
    if label == image:
        raise ConfigError(f"label_column: {label!r} is the column of the pictures")
    others = [name for name in features if name != image]
    known = [n for n in others if _is_no_class(n, kinds[n], (values or {}).get(n))]
    return image, _find_label(features, label, others, known)


def is_label_name(name: str) -> bool:
    """Tell whether a column's name says that it holds the classes."""
    return _plain(name) in _LABEL_NAMES


def is_text_type(feature: Any) -> bool:
    """Tell whether a column holds text, in any of the types for it."""
    return getattr(feature, "dtype", "") in _TEXT


def names_pictures(row: Mapping[str, Any], folder: Path) -> bool:
    """Tell whether a row has a label, and the name of a picture beside the table.

    Args:
        row: Of a table of text.
        folder: Where the table lies.

    Returns:
        True if it has both.
    """
    texts = [value for value in row.values() if isinstance(value, str) and is_picture(value)]
    return any(map(is_label_name, row)) and any((folder / text).is_file() for text in texts)


def as_images(rows: Any, image: str, folder: Path, *, is_trusted: bool = True) -> Any:
    """Give the column of pictures the type Image, not to be decoded by `datasets`.

    Args:
        rows: With that column in any form that `find_columns` takes.
        image: Its name.
        folder: Where relative file names start.
        is_trusted: File names may lead out of the folder.

    Returns:
        The rows with that column called `image`; without the others, where files are named.

    Raises:
        ConfigError: If a file name leads out of the folder of a data set from the hub.
    """
    if isinstance(rows, datasets.Dataset) and _has_paths(rows, image):
        cells = rows.with_format("arrow")[:][image].combine_chunks()
        is_struct = pa.types.is_struct(cells.type)
        has_bytes = is_struct and cells.type.get_field_index("bytes") >= 0
        contents = cells.field("bytes") if has_bytes else pa.nulls(len(cells))
        paths = cells.field("path") if is_struct else cells
        full = [_full_path(path, folder, is_trusted) for path in paths.to_pylist()]
        if contents.null_count == len(cells) and not any(map(os.path.isfile, filter(None, full))):
            raise ConfigError(
                f"data: no picture that {image!r} names is there, such as {paths[0].as_py()!r} in "
                f"{folder}: write file names relative to the folder of the table"
            )
        columns = [contents.cast(pa.binary()), pa.array(full, pa.string())]
        table = pa.table({"image": pa.StructArray.from_arrays(columns, ["bytes", "path"])})
        rows, image = datasets.Dataset(table), "image"
    if rows.features[image] != datasets.Image(decode=False):
        rows = rows.cast_column(image, datasets.Image(decode=False))
    return rows if image == "image" else rows.rename_column(image, "image")


def _has_paths(rows: datasets.Dataset, image: str) -> bool:
    """Tell whether cells name files, instead of holding pictures."""
    column = rows.data.column(image)
    if not pa.types.is_struct(column.type):
        return str(column.type) in _TEXT
    if column.type.get_field_index("bytes") < 0:
        return True
    if column.type.get_field_index("path") < 0:
        return False
    return any(
        chunk.field("bytes").null_count and chunk.field("path").null_count < len(chunk)
        for chunk in column.chunks
    )


def _full_path(path: str | None, folder: Path, is_trusted: bool) -> str | None:
    if not path:
        return None
    full = os.path.normpath(folder / path)
    if "\\" in path and not os.path.exists(full):  # as Windows writes it
        full = os.path.normpath(folder / path.replace("\\", "/"))
    if not is_trusted and not Path(full).is_relative_to(folder):
        raise ConfigError(f"data: the picture {path!r} would lie outside of the data set")
    return os.path.abspath(full)


def _picture_kind(feature: Any, value: Any) -> str | None:
    if isinstance(feature, datasets.Image):
        return "Image"
    if isinstance(feature, dict):
        kind = getattr(feature.get("bytes"), "dtype", "")
        return "struct" if kind in (*_BINARY, "null") or set(feature) == {"path"} else None
    if getattr(feature, "dtype", "") in _BINARY:
        return "bytes"
    is_name = isinstance(value, str) and is_picture(value) and len(value) < 4096
    return "file name" if is_name else None


def _find_image(
    features: datasets.Features, kinds: Mapping[str, str | None], asked: str, values: Any
) -> str:
    if asked:
        _check_there(features, asked, "image_column")
        if kinds[asked] is None and (values or features[asked] is None):
            raise ConfigError(f"image_column: {_no_picture(features, asked, values)}")
        return asked
    for kind in ("Image", "struct", "bytes", "file name"):
        found = [name for name, each in kinds.items() if each == kind]
        named = [name for name in found if _plain(name) in _PICTURE_NAMES]
        if len(found) == 1 or (kind != "Image" and len(named) == 1):
            return (named or found)[0]
        if found:
            raise ConfigError(
                f"data: {len(found)} columns hold pictures ({few(found)}); use --image_column NAME"
            )
    odd = [name for name in features if _plain(name) in _PICTURE_NAMES]
    why = f"; {_no_picture(features, odd[0], values)}" if odd else ""
    raise ConfigError(
        f"data: no column holds pictures (--image_column), there are {few(list(features))}{why} "
        "(a folder of pictures needs a sub-folder per class, two at least)"
    )


def _no_picture(features: datasets.Features, name: str, values: Mapping[str, Any]) -> str:
    value, feature = values.get(name), features[name]
    match value:
        case str() if _BASE64.match(value):
            what = "text in base64: decode it (base64.b64decode) and save the bytes"
        case str() if "://" in value:
            what = "addresses: download the pictures and write their file names"
        case str():
            what = f"text such as {value[:40]!r}: file names end in .jpg or the like"
        case dict():
            what = f"records of {few(list(value))}: `bytes` with an encoded picture is needed"
        case list():
            what = "lists of numbers: save the pictures as PNG or JPEG"
        case _:
            what = f"{getattr(feature, 'dtype', type(feature).__name__)} values"
    return f"the column {name!r} holds no pictures but {what}"


def _find_label(
    features: datasets.Features, asked: str, others: list[str], no_classes: list[str]
) -> str:
    if asked:
        _check_there(features, asked, "label_column")
        return asked
    certain = [n for n in others if isinstance(features[n], datasets.ClassLabel)]
    named = [name for name in others if is_label_name(name) and name not in no_classes]
    found = [name for name in certain if name in named]
    if len(found) != 1:
        found = list(dict.fromkeys(certain + named))
    if not found:
        texts = [name for name in others if is_text_type(features[name])]
        found = [name for name in texts if name not in no_classes]
    if len(found) == 1:
        return found[0]
    if found:
        raise ConfigError(
            f"data: {len(found)} columns may hold the classes ({few(found)}); "
            "use --label_column NAME"
        )
    raise ConfigError(
        f"data: no column holds classes (a ClassLabel, text, or one called 'label'), there are "
        f"{few(list(features))}; use --label_column NAME "
        "(a folder of pictures needs a sub-folder per class, two at least)"
    )


def _is_no_class(name: str, kind: str | None, value: Any) -> bool:
    """Tell whether a column is no candidate: pictures, numbers of a CSV file, addresses, splits."""
    if kind or is_label_name(name):
        return kind is not None and kind != "bytes"
    is_other = isinstance(value, str) and (_NUMBER.fullmatch(value) or "://" in value)
    return (
        bool(is_other) or name.startswith("__") or _plain(name) in ("split", "subset", "partition")
    )


def _check_there(features: datasets.Features, asked: str, option: str) -> None:
    if asked not in features:
        raise ConfigError(f"{option}: no column {asked!r}; there are {', '.join(features)}")


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "", name).casefold()
