"""What fills a folder with tables of pictures, and what loads it and says what came out."""

import io
import json
import tarfile
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from hub_models.errors import HubModelsError
from training.audit import audit
from training.audit_report import render_markdown
from training.config import Recipe
from training.data import load_data
from training.stream import StreamedSteps, stream_data

Fill = Callable[[Path], object]
CATS_DOGS = ["cat", "dog"] * 4


def png(seed: int, side: int = 9) -> bytes:
    """Encode a picture unlike that of any other seed."""
    levels = np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(levels).save(buffer, "PNG")
    return buffer.getvalue()


def cells(count: int, first: int = 0) -> list[dict[str, Any]]:
    return [{"bytes": png(first + i), "path": None} for i in range(count)]


def write(folder: Path, name: str, columns: Mapping[str, Any], **types: pa.DataType) -> None:
    """Write a parquet file as other libraries do, without anything of `datasets`."""
    arrays = {
        k: v if isinstance(v, pa.Array) else pa.array(v, types.get(k)) for k, v in columns.items()
    }
    path = folder / f"{name}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(arrays), path)


def labels_of(labels: Any, column: str = "label", **more: Sequence[Any]) -> Fill:
    """Give what fills a folder with one parquet file of pictures and labels."""
    return lambda folder: write(
        folder, "train", {"image": cells(len(labels)), column: labels} | more
    )


def class_label(
    folder: Path, split: str, names: Sequence[str], labels: Sequence[int | None], first: int = 0
) -> None:
    """Write a parquet file as `datasets` does, with its own class names."""
    features = datasets.Features(
        {"image": datasets.Image(), "label": datasets.ClassLabel(names=list(names))}
    )
    table = pa.table(
        {
            "image": pa.array(cells(len(labels), first), features.arrow_schema.field("image").type),
            "label": pa.array(labels, pa.int64()),
        },
        schema=features.arrow_schema,
    )
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, folder / f"{split}-00000-of-00001.parquet")


def beside(folder: Path, names: Sequence[str]) -> None:
    for seed, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(seed))


def listed(name: str, text: str, pictures: Sequence[str]) -> Fill:
    """Give what fills a folder with pictures and a text file that lists them."""

    def fill(folder: Path) -> None:
        beside(folder, pictures)
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")

    return fill


def loads(fill: Fill, source: str = "", **options: Any) -> Callable[[Path], str]:
    """Give what loads the folder and says what came out."""

    def happens(folder: Path) -> str:
        place = folder / "data"
        place.mkdir()
        fill(place)
        try:
            data = load_data(str(place / source), validation_fraction=0.25, **options)
        except HubModelsError as error:
            return f"refused: {error}"
        counts = {
            split: {
                label: list(table["target"]).count(target)
                for target, label in enumerate(data.label_names)
            }
            for split, table in data.splits.items()
        }
        found = audit(data, quiet=True)
        said = "; ".join((*data.left_out, *(bad.reason for bad in found.unreadable)))
        return f"{counts} {said}".replace("'", "")

    return happens


def both(*fills: Fill) -> Fill:
    def fill(folder: Path) -> None:
        for each in fills:
            each(folder)

    return fill


def split(name: str, labels: Any, **more: Any) -> Fill:
    return lambda folder: write(
        folder, name, {"image": cells(len(labels), sum(map(ord, name))), "label": labels} | more
    )


def named_split(name: str, names: Sequence[str], labels: Sequence[int | None]) -> Fill:
    return lambda folder: class_label(folder, name, names, labels, sum(map(ord, name)))


def card(text: str) -> Fill:
    return lambda folder: (folder / "README.md").write_text(f"---\n{text}\n---\n")


def streams(fill: Fill) -> Callable[[Path], str]:
    """Give what streams the folder for a step and says what came out."""

    def happens(folder: Path) -> str:
        fill(folder)
        recipe = Recipe(
            data=str(folder), streaming=True, steps_per_epoch=1, batch_size=4, image_size=8
        )
        try:
            data = stream_data(recipe)
            assert data.stream is not None
            view = _Plain()
            steps = StreamedSteps(data.stream, view, recipe)  # type: ignore[arg-type]
            targets = [int(t) for _, batch in steps for t in batch]
        except HubModelsError as error:
            return f"refused: {error}"
        return f"{data.label_names} {targets} {data.left_out}"

    return happens


class _Plain:
    """A view that changes nothing."""

    def take(self, image: Image.Image, key: object) -> Any:
        return np.asarray(image).transpose(2, 0, 1)

    def finish(self, squares: Any, keys: object) -> Any:
        return squares.astype(np.float32)


def dim(folder: Path) -> str:
    """Write 12-bit values into 16-bit files; give the line of the audit."""
    for seed in range(8):
        path = folder / "data" / "ab"[seed % 2] / f"{seed}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        levels = np.random.default_rng(seed).integers(0, 4096, (9, 9), np.uint16)
        Image.fromarray(levels).save(path)
    found = audit(load_data(str(folder / "data"), validation_fraction=0.25), quiet=True)
    return render_markdown(found)


def damaged(folder: Path) -> None:
    class_label(folder, "train", ["cat", "dog"], [0, 1] * 4)
    path = next(folder.iterdir())
    path.write_bytes(path.read_bytes()[:-20])


def spoilt(folder: Path) -> None:
    """Write a parquet file whose columns can be told, and whose rows cannot be read."""
    write(folder, "train", {"image": cells(8), "label": CATS_DOGS})
    path = folder / "train.parquet"
    content = bytearray(path.read_bytes())
    content[4:200] = bytes(196)
    path.write_bytes(content)


def shard(name: str, labels: Sequence[int]) -> Fill:
    """Give what writes a tar of WebDataset."""

    def fill(folder: Path) -> None:
        with tarfile.open(folder / name, "w") as tar:
            for i, label in enumerate(labels):
                for suffix, content in (("png", png(i)), ("cls", str(label).encode())):
                    member = tarfile.TarInfo(f"{i:04}.{suffix}")
                    member.size = len(content)
                    tar.addfile(member, io.BytesIO(content))

    return fill


def zipped(folder: Path) -> None:
    """Write class folders, and splits of them, into a zip."""
    with zipfile.ZipFile(folder / "pictures.zip", "w") as archive:
        for i, label in enumerate(CATS_DOGS):
            archive.writestr(f"{'train' if i < 6 else 'test'}/{label}/{i}.png", png(i))


def saved(names: Mapping[str, Sequence[str]]) -> Fill:
    def fill(folder: Path) -> None:
        tables = {
            split: datasets.Dataset.from_dict(
                {"image": cells(8, sum(map(ord, split))), "label": [0, 1] * 4},
                features=datasets.Features(
                    {"image": datasets.Image(), "label": datasets.ClassLabel(names=list(own))}
                ),
            )
            for split, own in names.items()
        }
        if list(tables) == [""]:
            tables[""].save_to_disk(folder)
        else:
            datasets.DatasetDict(tables).save_to_disk(folder)

    return fill


def frame(frame: Callable[[], pd.DataFrame]) -> Fill:
    return lambda folder: frame().to_parquet(folder / "train.parquet")


PATHS = [f"images/{i}.png" for i in range(8)]
CSV = "file_name,label\n" + "".join(f"{p},{c}\n" for p, c in zip(PATHS, CATS_DOGS, strict=True))
CAT_DOG = "train: {cat: 3, dog: 3}, validation: {cat: 1, dog: 1}"
TWO_FILES = (
    "configs:\n- config_name: default\n  data_files:\n  - split: train\n    path: a.parquet\n"
)


def lines(rows: Sequence[Mapping[str, Any]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def metadata(labels: Sequence[str], column: str = "label") -> Fill:
    names = [f"{i}.png" for i in range(len(labels))]
    rows = "".join(f"{n},{c}\n" for n, c in zip(names, labels, strict=True))
    return listed("metadata.csv", f"file_name,{column}\n{rows}", names)


def made(folder: Path) -> Path:
    folder.mkdir()
    return folder
