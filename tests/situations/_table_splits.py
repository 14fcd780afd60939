"""Which rows train and measure, and what their labels mean."""

import pyarrow as pa

from tests.situations import Situation
from tests.situations._table_makers import (
    CAT_DOG,
    CATS_DOGS,
    CSV,
    PATHS,
    TWO_FILES,
    both,
    card,
    cells,
    class_label,
    labels_of,
    listed,
    loads,
    named_split,
    saved,
    split,
    write,
)

ROWS = (
    Situation(
        "splits whose class names stand in another order",
        "names of the first put on all: every test label wrong",
        loads(both(
            named_split("train", ["cat", "dog"], [0, 1, 1] * 2 + [0, 0]),
            named_split("validation", ["cat", "dog"], [0]),
            named_split("test", ["dog", "cat"], [0, 0, 1]),
        )),
        ("train: {cat: 4, dog: 4}", "validation: {cat: 1, dog: 0}", "test: {cat: 1, dog: 2}"),
    ),
    Situation(
        "two files of train whose class names stand in another order",
        "half of the labels wrong",
        loads(both(
            lambda folder: class_label(folder / "train", "a", ["cat", "dog"], [0, 0, 1]),
            lambda folder: class_label(folder / "train", "b", ["dog", "cat"], [0, 0, 1], 9),
            named_split("validation", ["cat", "dog"], [0, 1]),
        )),
        ("train: {cat: 3, dog: 3}, validation: {cat: 1, dog: 1}",),
    ),
    Situation(
        "saved splits whose class names stand in another order",
        "every test label wrong",
        loads(saved({"train": ["cat", "dog"], "test": ["dog", "cat"]})),
        ("train: {cat: 3, dog: 3}", "test: {cat: 4, dog: 4}"),
    ),
    Situation(
        "test has other class names",
        "names of the first put on all",
        loads(both(
            named_split("train", ["cat", "dog"], [0, 1] * 4),
            named_split("test", ["owl", "cow"], [0, 1, 1]),
        )),
        ("refused: data: 'test' has the label 'owl' (1 row), and 1 other label, which 'train' "
         "has not: cat, dog",),
    ),
    Situation(
        "test names a class more, which none of its rows has",
        "refused, or shifted",
        loads(both(
            named_split("train", ["cat", "dog"], [0, 1] * 4),
            named_split("test", ["bird", "cat", "dog"], [1, 2, 2]),
        )),
        ("test: {cat: 1, dog: 2}",),
    ),
    Situation(
        "class names in train, text in test",
        "an error of `datasets`",
        loads(both(named_split("train", ["dog", "cat"], [0, 1] * 4), split("test", ["cat"] * 3))),
        ("train: {dog: 3, cat: 3}", "test: {dog: 0, cat: 3}"),
    ),
    Situation(
        "a label that only validation has",
        "an error of `datasets`",
        loads(both(split("train", CATS_DOGS), split("validation", ["cat", "owl"]))),
        ("refused: data: 'validation' has the label 'owl' (1 row), which 'train' has not",),
    ),
    Situation(
        "lists of labels",
        "a traceback",
        loads(labels_of([["cat", "dog"], ["cat"]] * 4, "labels")),
        ("refused: data: the column 'labels' of 'train' holds several labels for a picture, such "
         "as ['cat', 'dog']",),
    ),
    Situation(
        "-1 in train",
        "a line per picture",
        loads(named_split("train", ["cat", "dog"], [0, 1] * 4 + [-1] * 3)),
        (CAT_DOG, "left out 3 rows of train without a label: label is -1 3 times"),
    ),
    Situation(
        "-1 in train, among plain numbers",
        "a class",
        loads(labels_of([0, 1] * 4 + [-1] * 3)),
        ("refused: data: the column 'label' of 'train' holds -1 in 3 rows",),
    ),
    Situation(
        "null in train, without a validation split",
        "a class of its own in the cut",
        loads(named_split("train", ["cat", "dog"], [0, 1] * 4 + [None])),
        (CAT_DOG, "left out 1 row of train without a label: label is null 1 time"),
    ),
    Situation(
        "no label in validation at all",
        "no readable picture in the split",
        loads(both(split("train", CATS_DOGS), split("validation", pa.nulls(3, pa.string())))),
        ("refused: data: no row of 'validation' has a label: 'label' is null 3 times",),
    ),
    Situation(
        "an index out of range",
        "An error occurred while generating the dataset",
        loads(both(
            named_split("train", ["cat", "dog"], [0, 1] * 4),
            named_split("test", ["cat", "dog"], [7, 0, 7]),
        )),
        ("refused: data: the column 'label' of 'test' holds 7 (2 rows), and there are 2 classes, "
         "numbered from 0 to 1",),
    ),
    Situation(
        "a test split without the column of labels",
        "an error of `datasets`",
        loads(both(
            split("train", CATS_DOGS), lambda f: write(f, "test", {"image": cells(3, 50)})
        )),
        (CAT_DOG, "left out the split test, which has no column label; there are image"),
    ),
    Situation(
        "a test split whose labels are all -1",
        "every picture is counted as a mistake",
        loads(both(
            named_split("train", ["cat", "dog"], [0, 1] * 4),
            named_split("test", ["cat", "dog"], [-1] * 3),
        )),
        (CAT_DOG, "left out the split test: no row of test has a label: label is -1 3 times"),
    ),
    Situation(
        "a validation split without the column of labels",
        "an error of `datasets`",
        loads(both(
            split("train", CATS_DOGS), lambda f: write(f, "validation", {"image": cells(3, 50)})
        )),
        ("refused: data: 'validation' (validation.parquet) has no column 'label'",),
    ),
    *(
        Situation(
            f"{name}.parquet beside train.parquet",
            once,
            loads(both(split("train", CATS_DOGS), split(name, ["cat", "dog", "dog"]))),
            ("train: {cat: 4, dog: 4}, validation: {cat: 1, dog: 2}",),
        )
        for name, once in (
            ("val", "right"), ("Valid", "gone, unsaid"), ("dev", "right"), ("eval", "test"),
            ("VALIDATION", "gone, unsaid"),
        )
    ),
    Situation(
        "Train.csv and Test.csv",
        "test trains",
        loads(both(
            listed("Train.csv", CSV, PATHS), listed("Test.csv", CSV.replace("/", "/t"), [
                path.replace("/", "/t") for path in PATHS
            ]),
        )),
        (CAT_DOG, "test: {cat: 4, dog: 4}"),
    ),
    *(
        Situation(
            f"a card that declares {name}",
            "no validation split: cut from train",
            loads(both(
                split("a", CATS_DOGS), split("b", ["cat", "dog", "dog"]),
                card(f"{TWO_FILES}  - split: {name}\n    path: b.parquet"),
            )),
            ("train: {cat: 4, dog: 4}, validation: {cat: 1, dog: 2}",),
        )
        for name in ("val", "valid", "dev", "eval", "Dev")
    ),
    Situation(
        "a card that declares val and dev",
        "both unused",
        loads(both(
            split("a", CATS_DOGS), split("b", CATS_DOGS),
            card(TWO_FILES + "".join(
                f"  - split: {name}\n    path: b.parquet\n" for name in ("val", "dev")
            )),
        )),
        ("both 'val' and 'dev' mean 'validation'; rename or remove one",),
    ),
    Situation(
        "a card with several configurations",
        "Config name is missing. (cut after the first line)",
        loads(both(
            split("a", CATS_DOGS), split("b", CATS_DOGS),
            card("configs:\n- config_name: small\n  data_files: a.parquet\n"
                 "- config_name: large\n  data_files: b.parquet"),
        )),
        ("has 2 configurations (small, large) and no default", "save_to_disk('FOLDER')"),
    ),
    Situation(
        "a card whose class names are for plain numbers",
        "right",
        loads(both(
            labels_of([0, 1] * 4),
            card("dataset_info:\n  features:\n  - name: image\n    dtype: image\n  - name: label\n"
                 "    dtype:\n      class_label:\n        names:\n          '0': dog\n"
                 "          '1': cat"),
        )),
        ("train: {dog: 3, cat: 3}",),
    ),
    Situation(
        "train.parquet and extra.parquet",
        "extra is gone, unsaid",
        loads(both(split("train", CATS_DOGS), split("extra", CATS_DOGS))),
        (CAT_DOG, "left out extra.parquet: of no split"),
    ),
    Situation(
        "a csv with a column split",
        "test trains",
        loads(listed("labels.csv", "path,label,split\n" + "".join(
            f"{path},{label},{part}\n" for path, label, part in zip(
                PATHS, CATS_DOGS, ["train"] * 4 + ["val"] * 2 + ["test"] * 2, strict=True)
        ), PATHS)),
        ("train: {cat: 2, dog: 2}, validation: {cat: 1, dog: 1}, test: {cat: 1, dog: 1}",),
    ),
    Situation(
        "one metadata.csv whose pictures lie in train/ and test/",
        "test trains, or the labels are the folders",
        loads(listed("metadata.csv", "file_name,label\n" + "".join(
            f"{part}/{i}.png,{label}\n" for part in ("train", "test")
            for i, label in enumerate(CATS_DOGS)
        ), [f"{part}/{i}.png" for part in ("train", "test") for i in range(8)])),
        (CAT_DOG, "test: {cat: 4, dog: 4}"),
    ),
    Situation(
        "a test split without rows",
        "a traceback",
        loads(both(split("train", CATS_DOGS), split("test", pa.array([], pa.string())))),
        (CAT_DOG, "left out the split test: test has no rows"),
    ),
    Situation(
        "one parquet file with a column split",
        "test trains",
        loads(labels_of(CATS_DOGS, split=["train"] * 4 + ["val"] * 2 + ["test"] * 2)),
        ("train: {cat: 2, dog: 2}, validation: {cat: 1, dog: 1}, test: {cat: 1, dog: 1}",),
    ),
    Situation(
        "a column split that says train and holdout",
        "holdout trains",
        loads(labels_of(CATS_DOGS, split=["train", "holdout"] * 4)),
        ("refused: train.parquet: the column 'split' says 'train', a split, and 'holdout', which",),
    ),
    Situation(
        "lists of labels as text in a csv",
        "each list a class",
        loads(listed("labels.csv", "path,labels\n" + "".join(
            f"{path},\"['{label}', 'pet']\"\n" for path, label in zip(PATHS, CATS_DOGS, strict=True)
        ), PATHS)),
        ("holds several labels for a picture, such as ['cat', 'pet']",),
    ),
    Situation(
        "only a test split, without labels",
        "has no split 'train'",
        loads(named_split("test", ["cat", "dog"], [-1] * 3)),
        ("refused: data: no row of 'test' has a label: 'label' is -1 3 times",),
    ),
)  # fmt: skip
