"""What a class may be called, and of what type."""

import numpy as np
import pandas as pd
import pyarrow as pa

from tests.situations import Situation
from tests.situations._table_makers import (
    CAT_DOG,
    CATS_DOGS,
    cells,
    frame,
    labels_of,
    lines,
    listed,
    loads,
    metadata,
)

ROWS = (
    Situation(
        "text of polars and pandas 3 (large_string)",
        "no column holds a ClassLabel, or strings",
        loads(labels_of(pa.array(CATS_DOGS, pa.large_string()))),
        (CAT_DOG,),
    ),
    Situation(
        "text of newer polars (string_view)",
        "no column holds a ClassLabel, or strings",
        loads(labels_of(pa.array(CATS_DOGS, pa.string_view()))),
        (CAT_DOG,),
    ),
    Situation(
        "a pandas categorical",
        "refused",
        loads(
            frame(
                lambda: pd.DataFrame({"image": cells(8), "label": pd.Categorical(CATS_DOGS)})
            )
        ),
        (CAT_DOG,),
    ),
    Situation(
        "a dictionary of large_string, some missing",
        "refused",
        loads(
            labels_of(pa.array([*CATS_DOGS, None], pa.large_string()).dictionary_encode())
        ),
        (CAT_DOG, "left out 1 row of train without a label: label is null 1 time"),
    ),
    Situation(
        "booleans",
        "no column holds a ClassLabel, or strings",
        loads(labels_of([True, False] * 4)),
        ("train: {False: 3, True: 3}",),
    ),
    Situation(
        "uint8 from 0 to 11",
        "no column holds a ClassLabel, or strings",
        loads(labels_of(pa.array([9, 10, 11, 2] * 4, pa.uint8()))),
        ("train: {2: 3, 9: 3, 10: 3, 11: 3}",),
    ),
    Situation(
        "int8 of -1 and 1",
        "refused",
        loads(labels_of(pa.array([-1, 1] * 4, pa.int8()))),
        ("train: {-1: 3, 1: 3}",),
    ),
    Situation(
        "floats that are whole, one missing: pandas makes them of integers",
        "refused",
        loads(labels_of(pa.array([3.0, 7.0] * 4 + [None, float("nan")]))),
        ("train: {3: 3, 7: 3}", "left out 2 rows of train without a label"),
    ),
    Situation(
        "float16 that are whole",
        "refused",
        loads(labels_of(pa.array(np.array([0, 1] * 4, np.float16)))),
        ("train: {0: 3, 1: 3}",),
    ),
    Situation(
        "floats with a fraction",
        "refused with a sentence about something else",
        loads(labels_of([0.25, 0.5] * 4)),
        ("refused: data: the column 'label' of 'train' holds numbers such as 0.25: no classes",
         "--label_column"),
    ),
    Situation(
        "dates in a column called label",
        "refused",
        loads(labels_of(pa.array([0, 1] * 4, pa.date32()))),
        ("refused: data: the column 'label' of 'train' holds date values",),
    ),
    Situation(
        '"001" and "002" in parquet',
        "kept",
        loads(labels_of(["001", "002"] * 4)),
        ("train: {001: 3, 002: 3}",),
    ),
    Situation(
        '"001" and "002" in metadata.csv',
        "classes 1 and 2, or refused",
        loads(metadata(["001", "002"] * 4)),
        ("train: {001: 3, 002: 3}",),
    ),
    Situation(
        'classes "None", "NA", "null" and "nan" in metadata.csv',
        "rows without a label",
        loads(metadata(["None", "NA", "null", "nan"] * 4)),
        ("train: {NA: 3, None: 3, nan: 3, null: 3}",),
    ),
    Situation(
        "classes True and False in a csv",
        "refused",
        loads(metadata(["True", "False"] * 4)),
        ("train: {False: 3, True: 3}",),
    ),
    Situation(
        "a csv of whole floats",
        "classes 1.0 and 2.0, or refused",
        loads(metadata(["1.0", "2.0"] * 4)),
        ("train: {1: 3, 2: 3}",),
    ),
    Situation(
        "a csv of measurements",
        "refused",
        loads(metadata(["0.5", "1.0"] * 4, "target")),
        ("refused: data: the column 'target' of 'train' holds numbers such as 0.5: no classes",),
    ),
    Situation(
        "an empty cell in metadata.csv",
        "a class, or the whole column numbers",
        loads(metadata([*CATS_DOGS, "", ""])),
        (CAT_DOG, "left out 2 rows of train without a label: label is an empty cell 2 times"),
    ),
    Situation(
        "jsonl with the classes 0 and dog",
        "an Arrow error",
        loads(listed("metadata.jsonl", lines(
            [{"file_name": f"{i}.png", "label": 0 if i % 2 else "dog"} for i in range(8)]
        ), [f"{i}.png" for i in range(8)])),
        ("train: {0: 3, dog: 3}",),
    ),
    Situation(
        "jsonl with classes that look like dates",
        "timestamps",
        loads(listed("metadata.jsonl", lines(
            [{"file_name": f"{i}.png", "label": f"2020-01-0{1 + i % 2}"} for i in range(8)]
        ), [f"{i}.png" for i in range(8)])),
        ("train: {2020-01-01: 3, 2020-01-02: 3}",),
    ),
    Situation(
        "the classes Cat and cat in a table",
        "two classes",
        loads(labels_of(["Cat", "cat"] * 4)),
        ("refused: data: the classes 'Cat' and 'cat' in 'label' differ in case",),
    ),
)  # fmt: skip
