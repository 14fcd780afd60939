"""How a table holds or names its pictures."""

import base64

import pandas as pd
import pyarrow as pa

from tests.situations import Situation
from tests.situations._table_makers import (
    CAT_DOG,
    CATS_DOGS,
    CSV,
    PATHS,
    beside,
    both,
    cells,
    dim,
    frame,
    labels_of,
    lines,
    listed,
    loads,
    png,
    write,
)

ROWS = (
    Situation(
        "pandas' structs of bytes and path",
        "no column holds an Image",
        loads(frame(lambda: pd.DataFrame({"image": cells(8), "label": CATS_DOGS}))),
        (CAT_DOG,),
    ),
    Situation(
        "plain bytes",
        "no column holds an Image",
        loads(frame(
            lambda: pd.DataFrame({"image": [png(i) for i in range(8)], "label": CATS_DOGS})
        )),
        (CAT_DOG,),
    ),
    Situation(
        "large_binary, as polars writes it",
        "no column holds an Image",
        loads(lambda folder: write(
            folder, "train", {"img": [png(i) for i in range(8)], "label": CATS_DOGS},
            img=pa.large_binary(),
        )),
        (CAT_DOG,),
    ),
    Situation(
        "structs with a path and no bytes, relative to the table",
        "files looked for where the command was started",
        loads(both(
            lambda folder: beside(folder, PATHS),
            lambda folder: write(folder, "train", {
                "image": [{"bytes": None, "path": path} for path in PATHS], "label": CATS_DOGS,
            }),
        )),
        (CAT_DOG,),
    ),
    Situation(
        "parquet with file names relative to the table",
        "no column holds an Image",
        loads(both(
            lambda folder: beside(folder, PATHS),
            lambda folder: write(folder, "train", {"image_path": PATHS, "label": CATS_DOGS}),
        )),
        (CAT_DOG,),
    ),
    Situation(
        "a csv beside a folder of pictures",
        "no column holds an Image",
        loads(listed("labels.csv", CSV, PATHS)),
        (CAT_DOG,),
    ),
    Situation(
        "a csv as Excel writes it in German, with a mark at the start",
        "one column",
        loads(listed("labels.csv", "\ufeff" + CSV.replace(",", ";"), PATHS)),
        (CAT_DOG,),
    ),
    Situation(
        "--data labels.csv",
        "doesn't contain any data files",
        loads(listed("labels.csv", CSV, PATHS), "labels.csv"),
        (CAT_DOG,),
    ),
    Situation(
        "a file in the csv that is not there, and one that is not in it",
        "cause hidden",
        loads(listed("labels.csv", CSV, [*PATHS[:-1], "images/new.png"])),
        ("7.png: no such file", "left out 1 picture that no table lists: images/new.png"),
    ),
    Situation(
        "a csv of labels inside class folders",
        "the csv is read and the folders are not",
        loads(listed(
            "labels.csv", "path,label\na/0.png,cat\nb/1.png,dog\n", ["a/0.png", "b/1.png"]
        )),
        ("refused", "do the labels stand in labels.csv, or are they the folders a, b?"),
    ),
    Situation(
        "base64 in jsonl",
        "no column holds an Image",
        loads(listed("train.jsonl", lines(
            [{"image": base64.b64encode(png(i)).decode(), "label": "ab"[i % 2]} for i in range(8)]
        ), [])),
        ("refused: data: no column holds pictures (--image_column)", "base64.b64decode"),
    ),
    Situation(
        "nested lists of pixels",
        "no column holds an Image",
        loads(labels_of(CATS_DOGS, image=[[[0, 255], [255, 0]]] * 8)),
        ("the column 'image' holds no pictures but lists of numbers: save the pictures as PNG",),
    ),
    Situation(
        "dicts with an address",
        "no column holds an Image",
        loads(labels_of(CATS_DOGS, image=[{"url": "https://x/1.png", "width": 9}] * 8)),
        ("the column 'image' holds no pictures but records of url, width",),
    ),
    Situation(
        "addresses",
        "no column holds an Image",
        loads(labels_of(CATS_DOGS, image=["https://example.org/picture?id=1"] * 8)),
        ("the column 'image' holds no pictures but addresses: download the pictures",),
    ),
    Situation(
        "12-bit values in 16-bit files",
        "almost black, unsaid",
        dim,
        ("'train' has 6 pictures of 16 bits with no value over a quarter of the range",
         "| 16 bits, a quarter used | 6 | 2 |"),
    ),
    Situation(
        "a csv whose file names start elsewhere",
        "a line per picture",
        loads(listed("labels.csv", CSV.replace("images/", ""), PATHS)),
        ("refused: data: no picture that 'file_name' names is there, such as '0.png' in",),
    ),
    Situation(
        "a csv from Windows",
        "no such file",
        loads(listed("labels.csv", CSV.replace("/", "\\"), PATHS)),
        (CAT_DOG,),
    ),
    Situation(
        "jsonl with the path in a record",
        "no column holds an Image",
        loads(listed("labels.jsonl", lines(
            [{"image": {"path": p}, "label": c} for p, c in zip(PATHS, CATS_DOGS, strict=True)]
        ), PATHS)),
        (CAT_DOG,),
    ),
)  # fmt: skip
