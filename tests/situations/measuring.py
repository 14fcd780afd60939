"""Measuring: a model is never measured on pictures it was trained on and called validated."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import datasets

from hub_models import ImageClassifier, PreprocessConfig, hub
from tests.situations import Situation
from tests.situations._scripts import Main, draw_class_folders, outcome, train, typed
from tests.training.conftest import draw
from training.compare import main as compare
from training.eval_size import main as eval_size
from training.evaluate import main as evaluate
from training.finetune import main as finetune
from training.robustness import main as robustness

Happens = Callable[[Path], str]
VALIDATION = ("--split", "validation")


def _words(model: Path, data: Path, *more: object) -> list[object]:
    return ["--model", model, "--data", data, "--workers", 0, *more]


def _moved(checkpoint: Path) -> Path:
    """Move a checkpoint away from its run, as a download has it."""
    return Path(shutil.move(checkpoint, checkpoint.parent.parent / "published"))


def _pictures_of(checkpoint: Path, split: str) -> list[Path]:
    """List the files of a split of a run, in the data of `draw_class_folders`."""
    content = json.loads((checkpoint.parent / "split.json").read_text())
    files = sorted((checkpoint.parent.parent / "data").rglob("*.png"))
    return [files[row] for row in content["splits"][split]["rows"]]


def _measured(checkpoint: Path, data: Path, *more: object) -> str:
    said = outcome(evaluate, *_words(checkpoint, data, *more))
    if not said.startswith("rc 0"):
        return said
    numbers = hub.read_config(checkpoint).results.get("validation", {})
    return f"{said}; on the card: {numbers.get('images')} pictures"


def _own_split(*, is_moved: bool, **changes: object) -> Happens:
    def happens(root: Path) -> str:
        checkpoint = train(root, **{"seed": 1, **changes})
        before = hub.read_config(checkpoint).results["validation"]["accuracy"]
        place = _moved(checkpoint) if is_moved else checkpoint
        said = _measured(place, root / "data", *VALIDATION, "--save")
        same = hub.read_config(place).results["validation"]["accuracy"] == before
        return f"{said}; accuracy of the run: {same}"

    return happens


def _with_words(*words: object) -> Happens:
    def happens(root: Path) -> str:
        checkpoint = _moved(train(root, seed=1))
        return _measured(checkpoint, root / "data", *VALIDATION, "--save", *words)

    return happens


def _copied_into(split: str, source: str, *, other_bytes: bool = False) -> Happens:
    """Measure on a data set whose split is made of copies of a split of the run."""

    def happens(root: Path) -> str:
        checkpoint = train(root, seed=1)
        for i, path in enumerate(_pictures_of(checkpoint, source)):
            folder = root / "other" / split / path.parent.name
            folder.mkdir(parents=True, exist_ok=True)
            copy = Path(shutil.copy(path, folder / f"{i}.png"))
            if other_bytes:
                draw(path.parent.name, 5000 + i).save(copy)
        return outcome(evaluate, *_words(checkpoint, root / "other", "--split", split))

    return happens


def _in_a_table(root: Path) -> str:
    checkpoint = _moved(train(root, seed=1))
    files = sorted((root / "data").rglob("*.png"))[::3]
    names = ["blue", "green", "red"]
    features = datasets.Features(
        {"image": datasets.Image(), "label": datasets.ClassLabel(names=names)}
    )
    rows = {
        "image": [{"bytes": path.read_bytes(), "path": None} for path in files],
        "label": [names.index(path.parent.name) for path in files],
    }
    (root / "table").mkdir()
    table = datasets.Dataset.from_dict(rows, features=features)
    table.to_parquet(root / "table" / "test.parquet")
    return outcome(evaluate, *_words(checkpoint, root / "table"))


def _grown_since(root: Path) -> str:
    checkpoint = train(root, seed=1)
    for i in range(5):
        draw("red", 9000 + i).save(root / "data" / "red" / f"new-{i}.png")
    return _measured(checkpoint, root / "data", *VALIDATION, "--save")


def _old_checkpoint(main: Main, *words: object, own_test: bool = False) -> Happens:
    """Measure a model without a fingerprint."""

    def happens(root: Path) -> str:
        labels = ["blue", "green", "red"]
        view = PreprocessConfig(36, 32)
        model = ImageClassifier.create("mobilenetv2_025", labels, preprocess=view)
        model.save_pretrained(root / "old")
        draw_class_folders(root / "data" / "test" if own_test else root / "data")
        return outcome(main, *_words(root / "old", root / "data", *words))

    return happens


def _old_run(*words: object) -> Happens:
    """Measure a run that left no fingerprint, but its split."""

    def happens(root: Path) -> str:
        checkpoint = train(root, seed=1)
        hub.write_config(checkpoint, replace(hub.read_config(checkpoint), trained_on=None))
        said = _measured(checkpoint, root / "data", *VALIDATION, *words)
        return said.replace(f"{root}/", "")

    return happens


def _first_weights(root: Path) -> str:
    checkpoint = train(root, seed=1)
    words = typed(root, out=root / "second", weights=checkpoint, seed=2)
    first = outcome(finetune, *words)
    words = typed(root, out=root / "third", weights=checkpoint, seed=1)
    assert outcome(finetune, *words).startswith("rc 0")
    known = hub.read_config(root / "third" / "checkpoint").trained_on
    return f"{first}; with the same seed {known and known.pictures} are known"


def _teacher(root: Path) -> str:
    import contextlib
    import io

    checkpoint = train(root, seed=1)
    out = io.StringIO()
    words = typed(root, out=root / "second", teacher=checkpoint, seed=2)
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
        code = finetune(words)
    (line,) = (line for line in out.getvalue().splitlines() if line.startswith("teacher: "))
    return f"rc {code}: {line}"


def _script(main: Main, *words: object) -> Happens:
    """Another command that measures, with the wrong cut and with the model's own."""

    def happens(root: Path) -> str:
        checkpoint = train(root, seed=1)
        more = [root / word if word == "c.json" else word for word in words]
        asked = _words(checkpoint, root / "data", *more)
        return f"{outcome(main, *asked, '--seed', 0)}; then {outcome(main, *asked)}"

    return happens


def _split_file(root: Path) -> str:
    checkpoint = train(root, seed=1)
    split = shutil.copy(checkpoint.parent / "split.json", root / "split.json")
    return _measured(_moved(checkpoint), root / "data", *VALIDATION, "--split-file", split)


def _other_split_file(root: Path) -> str:
    checkpoint = train(root, seed=1)
    split = train(root, out=root / "other", seed=2).parent / "split.json"
    return outcome(evaluate, *_words(checkpoint, root / "data", *VALIDATION, "--split_file", split))


def _two_runs(*, seeds: tuple[int, int]) -> Happens:
    def happens(root: Path) -> str:
        runs = [train(root, out=root / f"run-{i}", seed=s) for i, s in enumerate(seeds)]
        words = ("--model", runs[1], *VALIDATION, "--no-profile", "--out", root / "c.json")
        return outcome(compare, *_words(runs[0], root / "data", *words))

    return happens


def _through_a_link(root: Path) -> str:
    checkpoint = train(root, seed=1, split_file=train(root, out=root / "a").parent / "split.json")
    (root / "latest").symlink_to(checkpoint)
    return outcome(robustness, *_words(root / "latest", root / "data", *VALIDATION))


def _columns(root: Path) -> str:
    checkpoint = _moved(train(root, seed=1))
    names = ["blue", "green", "red"]
    features = datasets.Features(
        {
            "left": datasets.Image(),
            "right": datasets.Image(),
            "colour": datasets.ClassLabel(names=names),
            "size": datasets.ClassLabel(names=["small", "large"]),
        }
    )
    rows: dict[str, list[object]] = {name: [] for name in features}
    for i, name in enumerate(names * 2):
        draw(name, 7000 + i).save(root / "one.png")
        cell = {"bytes": (root / "one.png").read_bytes(), "path": None}
        for key, value in zip(rows, (cell, cell, names.index(name), i % 2), strict=True):
            rows[key].append(value)
    (root / "table").mkdir()
    table = datasets.Dataset.from_dict(rows, features=features)
    table.to_parquet(root / "table" / "test.parquet")
    words = ("--image_column", "left", "--label-column", "colour")
    return outcome(evaluate, *_words(checkpoint, root / "table", *words))


def _classes(model: str, data: str, *words: object) -> Happens:
    """Measure a model of some classes on a test folder of others; give what is said of them."""

    def happens(root: Path) -> str:
        view = PreprocessConfig(36, 32)
        labels = model.split()
        network = ImageClassifier.create("mobilenetv2_025", labels, preprocess=view)
        network.save_pretrained(root / "model")
        draw_class_folders(root / "all", 3)
        for label in data.split():
            shutil.copytree(root / "all" / "red", root / "data" / "test" / label)
        report = root / "report"
        asked = _words(root / "model", root / "data", "--report", report, *words)
        said = outcome(evaluate, *asked)
        if not said.startswith("rc 0"):
            return said
        content = json.loads((report / "report.json").read_text())
        names = content.get("confusion_labels", labels)
        rows = {n: sum(r) for n, r in zip(names, content["confusion"], strict=True)}
        scored = [score["label"] for score in content["per_class"]]
        return f"rc 0: {content['images']} images, confusion {rows}, scores of {scored}"

    return happens


def _number(*words: str) -> Happens:
    return lambda root: outcome(evaluate, *_words(root / "model", root / "data", *words))


_CUT = "a split of its own (seed 0): trained on, and 'validation' on the card"
_REFUSED = ("rc 1", "was trained on", "of 'validation'", "--split_file RUN/split.json")
_OWN = ("rc 0", "on the card: 6 pictures", "accuracy of the run: True")

SITUATIONS = (
    Situation("run with seed 1, evaluate --save", _CUT, _own_split(is_moved=False), _OWN),
    Situation("the same, the checkpoint moved", _CUT, _own_split(is_moved=True), _OWN),
    Situation(
        "run with validation_fraction 0.4, moved",
        _CUT,
        _own_split(is_moved=True, validation_fraction=0.4),
        ("rc 0", "on the card: 12 pictures", "accuracy of the run: True"),
    ),
    Situation("run with seed 1, --seed 0 typed", _CUT, _with_words("--seed", 0), _REFUSED),
    Situation(
        "--validation_fraction 0.5 typed", _CUT, _with_words("--validation_fraction", 0.5), _REFUSED
    ),
    Situation("pictures added since the run", _CUT, _grown_since, _REFUSED),
    Situation(
        "training pictures copied into test/",
        "called test",
        _copied_into("test", "train"),
        ("rc 1", "was trained on 24 of the 24 pictures of 'test' (", ".png, …)"),
    ),
    Situation(
        "training pictures in a table, without names",
        "called test",
        _in_a_table,
        ("rc 1", "was trained on", "of 'test'"),
    ),
    Situation(
        "validation pictures copied into validation/",
        "no split 'train'",
        _copied_into("validation", "validation"),
        ("rc 0",),
    ),
    Situation(
        "only a test split, of new pictures",
        "no split 'train'",
        _copied_into("test", "train", other_bytes=True),
        ("rc 0",),
    ),
    Situation(
        "a checkpoint without a fingerprint, its data's own test",
        "as if it was known",
        _old_checkpoint(robustness, own_test=True),
        ("rc 0", "old does not say what it was trained on", "cannot be checked"),
    ),
    Situation(
        "a checkpoint without a fingerprint, a cut, --save",
        _CUT,
        _old_checkpoint(evaluate, *VALIDATION, "--save"),
        ("rc 1", "does not say what it was trained on", "--split_file RUN/split.json names it"),
    ),
    Situation(
        "the same with split.json of its run, --seed 0 typed",
        _CUT,
        _old_run("--seed", 0),
        ("rc 1", "was trained on", "of 'validation', as run/split.json says"),
    ),
    Situation(
        "the same with split.json of its run, --save",
        _CUT,
        _old_run("--save"),
        ("rc 0", "on the card: 6 pictures"),
    ),
    Situation(
        "weights of a run, another cut for the next",
        "validated on pictures the weights know",
        _first_weights,
        (*_REFUSED, "same seed 24 are known"),
    ),
    Situation(
        "a teacher of another cut",
        "its validation accuracy was printed",
        _teacher,
        ("rc 0: teacher: ", "was trained on", "of 'validation'"),
    ),
    *(
        Situation(f"{name} with another cut", _CUT, _script(main, *words), (*_REFUSED, "then rc 0"))
        for name, main, words in (
            ("compare", compare, (*VALIDATION, "--no-profile", "--out", "c.json")),
            ("robustness", robustness, VALIDATION),
            ("eval_size", eval_size, ("--eval_size", "32")),
        )
    ),
    Situation("--split-file of the run", "no such option", _split_file, ("rc 0", "on the card: 6")),
    Situation("--split_file of another run", "no such option", _other_split_file, _REFUSED),
    Situation(
        "a link to the checkpoint of a run with a split file", _CUT, _through_a_link, ("rc 0",)
    ),
    Situation("compare two runs of one cut", _CUT, _two_runs(seeds=(1, 1)), ("rc 0",)),
    Situation(
        "compare two runs of two cuts",
        _CUT,
        _two_runs(seeds=(1, 2)),
        ("rc 1", "run-1/checkpoint was trained on", "of 'validation'"),
    ),
    Situation("--image_column, --label-column", "no such options", _columns, ("rc 0",)),
    Situation(
        "data with a class more",
        "its classes are …, the model's …",
        _classes("blue red", "blue green red"),
        ("rc 1", "its classes are", "--classes blue red measures the pictures of those both have"),
    ),
    Situation(
        "data with a class more, --classes",
        "no such option",
        _classes("blue red", "blue green red", "--classes", "blue", "red"),
        ("6 images", "'green': 3", "scores of ['blue', 'red']"),
    ),
    Situation(
        "data with a class less, --classes a,b",
        "no such option",
        _classes("blue green red", "blue red", "--classes", "blue,red"),
        ("6 images", "'green': 0", "scores of ['blue', 'red']"),
    ),
    Situation(
        "--classes of one class of both",
        "no such option",
        _classes("blue green red", "blue green red", "--classes", "green"),
        ("3 images", "'blue': 3, 'green': 3, 'red': 3", "scores of ['green']"),
    ),
    Situation(
        "--classes the model does not know",
        "no such option",
        _classes("blue red", "blue green red", "--classes", "green"),
        ("rc 1", "--classes: the model has no class 'green', only blue, red"),
    ),
    Situation(
        "--classes with --save",
        "no such option",
        _classes("blue red", "blue red", "--classes", "red", "--save"),
        ("rc 1", "--save writes numbers of all classes: not with --classes"),
    ),
    *(
        Situation(f"evaluate {option} {value}", "a traceback", _number(option, value), right)
        for option, value, right in (
            ("--batch_size", "0", ("rc 1", "batch_size must be from 1 to 1,000,000, not 0")),
            ("--workers", "-1", ("rc 1", "workers must be from 0 to 256, not -1")),
            ("--seed", "-1", ("rc 1", "seed must be from 0")),
            ("--validation_fraction", "nan", ("rc 1", "must be from 0.001 to 0.9, not nan")),
            ("--validation_fraction", "2", ("rc 1", "must be from 0.001 to 0.9, not 2.0")),
        )
    ),
)
