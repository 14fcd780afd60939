"""What a data set may be, and how it may be broken."""

import pandas as pd

from tests.situations import Situation
from tests.situations._table_makers import (
    CAT_DOG,
    CATS_DOGS,
    CSV,
    PATHS,
    both,
    cells,
    damaged,
    labels_of,
    listed,
    loads,
    made,
    named_split,
    saved,
    shard,
    spoilt,
    streams,
    zipped,
)

ROWS = (
    Situation(
        "a folder of save_to_disk",
        "You are trying to load a dataset that was saved using `save_to_disk`",
        loads(saved({"": ["cat", "dog"]})),
        (CAT_DOG,),
    ),
    Situation(
        "a folder of DatasetDict.save_to_disk with val",
        "You are trying to load a dataset that was saved using `save_to_disk`",
        loads(saved({"train": ["cat", "dog"], "val": ["cat", "dog"]})),
        ("train: {cat: 4, dog: 4}, validation: {cat: 4, dog: 4}",),
    ),
    Situation(
        "a parquet file cut off",
        "An error occurred while generating the dataset",
        loads(damaged),
        ("train-00000-of-00001.parquet cannot be read (Parquet magic bytes not found in footer",),
    ),
    Situation(
        "a csv with a row too long",
        "An error occurred while generating the dataset",
        loads(listed("metadata.csv", "file_name,label\na.png,cat,3\n", ["a.png"])),
        ("refused: metadata.csv: cannot be read (CSV parse error", "Expected 2 columns, got 3"),
    ),
    Situation(
        "a folder whose name has brackets, with parquet",
        "doesn't contain any data files",
        lambda folder: loads(labels_of(CATS_DOGS))(made(folder / "j [v2]*")),
        (CAT_DOG,),
    ),
    Situation(
        "parquet and a stray csv",
        "which one is read depends on their number",
        loads(both(labels_of(CATS_DOGS), listed("notes.csv", "a,b\n1,2\n", []))),
        (CAT_DOG, "left out notes.csv: the tables are train.parquet"),
    ),
    Situation(
        "streaming: the class names of two files stand in another order",
        "the names of the first put on all",
        streams(both(
            named_split("train", ["cat", "dog"], [0, 1] * 4),
            named_split("validation", ["dog", "cat"], [0, 1]),
        )),
        ("refused: data: train-00000-of-00001.parquet and validation-00000-of-00001.parquet name "
         "their classes differently in 'label'; streaming = false brings them to one order",),
    ),
    Situation(
        "streaming: -1 in train",
        "a crash in the loss",
        streams(both(
            named_split("train", ["cat", "dog"], [0, -1, -1, 0]),
            named_split("dev", ["cat", "dog"], [0, 1]),
        )),
        ("('cat', 'dog') [0, 0, 0, 0]",),
    ),
    Situation(
        "streaming: an index out of range",
        "a traceback",
        streams(both(
            named_split("train", ["cat", "dog"], [0, 7, 1, 0]),
            named_split("validation", ["cat", "dog"], [0, 1]),
        )),
        ("refused: data: 'train' cannot be read on (Class label 7 greater than configured",),
    ),
    Situation(
        "streaming: a csv",
        "no ClassLabel column",
        streams(listed("train.csv", CSV, PATHS)),
        ("refused: data: only parquet and arrow files can be streamed: streaming = false",),
    ),
    Situation(
        "a parquet file with a damaged page",
        "An error occurred while generating the dataset",
        loads(spoilt),
        ("cannot be loaded (", "--data FOLDER takes"),
    ),
    Situation(
        "an arrow file, as pandas' to_feather writes it",
        "an error about arrow streams",
        loads(lambda folder: pd.DataFrame({"image": cells(8), "label": CATS_DOGS}).to_feather(
            folder / "train.feather"
        )),
        (CAT_DOG,),
    ),
    Situation(
        "shards of WebDataset, of train and of val",
        "no column holds a ClassLabel, or strings",
        loads(both(shard("train-000.tar", [0, 1] * 4), shard("Val-000.tar", [0, 1, 1]))),
        ("train: {0: 4, 1: 4}, validation: {0: 1, 1: 2}",),
    ),
    Situation(
        "a zip of class folders in train and test",
        "test trains",
        loads(zipped),
        ("refused", "consists of archives (pictures.zip): unpack them, and name the folder",),
    ),
    Situation(
        "metadata.csv of cameras beside class folders",
        "the cameras are the classes",
        loads(listed("metadata.csv", "file_name,camera\na/0.png,Canon\nb/1.png,Nikon\n", [
            "a/0.png", "b/1.png"
        ])),
        ("refused", "do the labels stand in metadata.csv, or are they the folders a, b?"),
    ),
)  # fmt: skip
