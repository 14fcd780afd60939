"""Rows about which folders are classes and which are splits."""

from tests.situations._folders import of_reading, of_training

TWO = ("cat/4", "dog/4")
SPLITS = ("train/cat/4", "train/dog/4")

CLASSES = (
    (
        "classes bus, car, bullet train, freight train",
        "24 of 48 pictures, two classes, rc 0",
        of_reading("bus/4", "car/4", "bullet train/4", "freight train/4"),
        ("train bullet train 2; train bus 2; train car 2; train freight train 2",),
    ),
    (
        "classes train, bus, car",
        "no column holds a ClassLabel, or strings",
        of_reading("train/4", "bus/4", "car/4"),
        ("train bus 2; train car 2; train train 2",),
    ),
    (
        "files train_1, test-1, val.2 in class folders",
        "two of four pictures, 'test' made of file names",
        of_reading("cat/train_1.jpg", "cat/test-1.jpg", "dog/val.2.jpg", "dog/eval.png"),
        ("train cat 1; train dog 1; validation cat 1; validation dog 1",),
    ),
    (
        "cat/in, cat/out, dog/in, dog/out",
        "classes 'in' and 'out', rc 0",
        of_reading("cat/in/2", "cat/out/2", "dog/in/2", "dog/out/2"),
        ("train cat 2; train dog 2", "belong to the class above: cat/in, cat/out, dog/in, dog/out"),
    ),
    (
        "a class __none__, one behind a link, one in Chinese",
        "__none__ and the link gone, unsaid",
        of_reading(*TWO, "__none__/2", "../far/2", "owl -> ../far", "猫/2"),
        ("train __none__ 1", "train owl 1", "train 猫 1"),
    ),
    (
        "a link to a folder it lies in",
        "passed over, unsaid",
        of_reading(*TWO, "cat/again -> .."),
        ("left out 1 link to a folder it lies in: cat/again/", "train cat 2 1 link"),
    ),
    (
        "one class folder is a link to another",
        "one class, or each picture twice, rc 0",
        of_training(*TWO, "kitty -> cat"),
        ("rc 1", "cat/ and kitty/ are one and the same folder"),
    ),
    (
        "train/Cat and validation/cat",
        "four classes, validation accuracy 0 %, rc 0",
        of_training("train/Cat/2", "train/dog/2", "validation/cat/2"),
        ("rc 1", "'train/Cat/' and 'validation/cat/' differ only in case"),
    ),
    (
        "café written in two ways",
        "two classes of one name",
        of_training("caf\u00e9/2", "cafe\u0301/2"),
        ("rc 1", "'cafe\\u0301/' and 'caf\\xe9/' differ only in case"),
    ),
    (
        "all in a folder PetImages",
        "classes of whatever folder is the last",
        of_training("PetImages/Cat/2", "PetImages/Dog/2", "__MACOSX/PetImages/Cat/x.txt"),
        (
            "rc 1",
            "below the one class folder PetImages; if PetImages/Cat, PetImages/Dog are the classes",
        ),
    ),
)
SPLIT_ROWS = (
    *(
        (
            f"{train} and {test}",
            once,
            of_reading(f"{train}/cat/2", f"{train}/dog/2", f"{test}/cat/1", f"{test}/dog/1"),
            (f"{split} cat 1; {split} dog 1",),
        )
        for train, test, split, once in (
            ("Train", "Test", "test", "test merged into train"),
            ("Training", "Testing", "test", "test merged into train"),
            ("trainset", "testset", "test", "test merged into train"),
            ("train", "Test", "test", "test dropped, unsaid"),
            ("training_set", "test_set", "test", "as it should"),
            ("TRAIN", "Valid", "validation", "validation merged into train"),
            ("train", "dev", "validation", "as it should"),
        )
    ),
    (
        "train, test and extra with class folders",
        "extra dropped, unsaid, rc 0",
        of_training(*SPLITS, "test/cat/1", "extra/cat/1"),
        ("rc 1", "extra holds pictures and is no split"),
    ),
    (
        "train with class folders, bus without",
        "bus dropped, unsaid, rc 0",
        of_training(*SPLITS, "bus/2"),
        ("rc 1", "bus holds pictures and is no split", "put them into one folder train"),
    ),
    (
        "val and validation",
        "both taken together, unsaid",
        of_training(*SPLITS, "val/cat/2", "validation/cat/2"),
        ("rc 1", "val and validation both mean validation"),
    ),
    (
        "seg_train and seg_test",
        "splits by a guess",
        of_training("seg_train/sea/2", "seg_train/ice/2", "seg_test/sea/2", "seg_test/ice/2"),
        ("rc 1", "seg_test and seg_train look like splits"),
    ),
    (
        "validation is a link to train",
        "validated on other pictures than it says, rc 0",
        of_training(*SPLITS, "validation -> train"),
        ("rc 1", "are one and the same folder"),
    ),
    (
        "train and test without class folders",
        "no readable picture in the split 'train'",
        of_training("train/2", "test/2"),
        ("rc 1", "test, train: named like splits, but without class folders"),
    ),
    (
        "a test folder without class folders",
        "no column holds a ClassLabel, or strings",
        of_reading(*SPLITS, "test/2"),
        ("left out 2 without a class folder in test: test/0.png, test/1.png", "train cat 2"),
    ),
    (
        "only a test folder",
        "no split 'train', only test",
        of_training("test/cat/2", "test/dog/2"),
        ("rc 1", "has no split 'train', only test"),
    ),
)
