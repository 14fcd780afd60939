"""Which column holds the classes, which the pictures."""

from tests.situations import Situation
from tests.situations._table_makers import (
    CAT_DOG,
    CATS_DOGS,
    PATHS,
    labels_of,
    listed,
    loads,
    png,
    write,
)

ROWS = (
    Situation(
        "label and a lone string column camera",
        "the cameras are the classes",
        loads(labels_of([0, 1] * 4, camera=["Canon", "Nikon"] * 4)),
        ("train: {0: 3, 1: 3}",),
    ),
    Situation(
        "Class, photographer and file_name",
        "3 columns hold a ClassLabel, or strings",
        loads(labels_of(CATS_DOGS, "Class", photographer=["Ann", "Bob"] * 4, file_name=PATHS)),
        (CAT_DOG,),
    ),
    Situation(
        "class_name and caption",
        "2 columns hold strings",
        loads(labels_of(CATS_DOGS, "class_name", caption=list("abcdefgh"))),
        (CAT_DOG,),
    ),
    Situation(
        "label (numbers) and category (text)",
        "the text is taken",
        loads(labels_of([0, 1] * 4, category=CATS_DOGS)),
        ("refused: data: 2 columns may hold the classes (label, category); use --label_column",),
    ),
    Situation(
        "label and category, with --label_column category",
        "right",
        loads(labels_of([0, 1] * 4, category=CATS_DOGS), label_column="category"),
        (CAT_DOG,),
    ),
    Situation(
        "two columns of text, neither called label",
        "2 columns hold strings",
        loads(labels_of(CATS_DOGS, "animal", camera=["Canon", "Nikon"] * 4)),
        ("refused: data: 2 columns may hold the classes (animal, camera); use --label_column",),
    ),
    Situation(
        "the only text is a caption",
        "8 classes",
        loads(labels_of([f"picture {i}" for i in range(8)], "caption")),
        ("refused: data: 'caption', the only column of text, has 8 different values in 8 rows",),
    ),
    Situation(
        "a wrong --label_column",
        "named",
        loads(labels_of(CATS_DOGS), label_column="Label"),
        ("refused: label_column: no column 'Label'; there are image, label",),
    ),
    Situation(
        "a wrong --image_column",
        "named",
        loads(labels_of(CATS_DOGS), image_column="label"),
        ("refused: image_column: the column 'label' holds no pictures but text such as 'cat'",),
    ),
    Situation(
        "bytes in a column thumbnail, and in a column image",
        "refused",
        loads(labels_of(CATS_DOGS, thumbnail=[png(i) for i in range(8)])),
        (CAT_DOG,),
    ),
    Situation(
        "pictures in front and back",
        "no column holds an Image",
        loads(lambda folder: write(folder, "train", {
            "front": [png(i) for i in range(8)], "back": [png(i) for i in range(8)],
            "label": CATS_DOGS,
        })),
        ("refused: data: 2 columns hold pictures (front, back); use --image_column NAME",),
    ),
    Situation(
        "the only text is called animal",
        "taken, unsaid",
        loads(labels_of(CATS_DOGS, "animal")),
        (CAT_DOG, "the classes are animal, the only text; --label_column NAME takes another"),
    ),
    Situation(
        "a csv of path, animal, width and split",
        "2 columns hold strings",
        loads(listed("pictures.csv", "path,animal,width,split\n" + "".join(
            f"{path},{label},{9 + i},train\n"
            for i, (path, label) in enumerate(zip(PATHS, CATS_DOGS, strict=True))
        ), PATHS)),
        (CAT_DOG,),
    ),
    Situation(
        "--label_column image",
        "a traceback",
        loads(labels_of(CATS_DOGS), label_column="image"),
        ("refused: label_column: 'image' is the column of the pictures",),
    ),
)  # fmt: skip
