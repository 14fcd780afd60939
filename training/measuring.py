"""What every command that measures shares: its options, the data, and that none was trained on."""

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Final

import datasets
import numpy as np
from accelerate import Accelerator

from hub_models import ImageClassifier
from hub_models.errors import ConfigError
from training.accelerator import make_accelerator
from training.audit import audit
from training.class_table import problems
from training.data import Data, make_data
from training.labelled import read_labelled
from training.recipe_rules import out_of_range
from training.run_folder import SPLIT_FILE
from training.split import Part, SplitFileError, cut, read_split
from training.trained_on import check_untrained

Say = Callable[[str], None]
Tables = Mapping[str, datasets.Dataset]
SAVE_NUMBERS: Final = "write the numbers into the folders and their cards"
_FRACTION: Final = 0.1  # cut from train where neither the model nor the user says another


@dataclass(frozen=True)
class Measuring:
    """Which pictures are measured, and how they are read.

    Attributes:
        data: Hub id, data set folder, or folder of class folders.
        image_column: Its name; found by type if empty.
        label_column: Its name; found by type if empty.
        split_file: RUN/split.json; that of the first model's run, if it fits, if None.
        validation_fraction: Share cut from train; that of the model's run if None.
        seed: Seed of that cut; that of the model's run if None.
        classes: Classes that count; those of the model if empty.
        batch_size: Images per batch, over all processes.
        workers: Processes that decode.

    Raises:
        ConfigError: If a number is out of its range.
    """

    data: str
    image_column: str = ""
    label_column: str = ""
    split_file: Path | None = None
    validation_fraction: float | None = None
    seed: int | None = None
    classes: tuple[str, ...] = ()
    batch_size: int = 64
    workers: int = 2

    def __post_init__(self) -> None:
        """Refuse numbers that no batch, worker or cut could have."""
        for sentence in out_of_range(vars(self)):
            raise ConfigError(sentence)


@dataclass(frozen=True)
class Session:
    """Models and the pictures they are measured on.

    Attributes:
        how: As it was asked for.
        accelerator: Of this process.
        models: By source, in the order that was typed.
        data: The splits that are measured, without what cannot be read.
    """

    how: Measuring
    accelerator: Accelerator
    models: dict[str, ImageClassifier]
    data: Data

    def labelled(self, model: ImageClassifier, name: str) -> datasets.Dataset:
        """Give a split with targets in a model's order; classes it does not know come after."""
        return self.data.aligned(model.config.label_names, self.how.classes).splits[name]

    def counted(self, model: ImageClassifier, name: str) -> datasets.Dataset:
        """Give of `labelled` the pictures of the classes that count."""
        data = self.data.aligned(model.config.label_names, self.how.classes)
        return (data.of_classes(self.how.classes) if self.how.classes else data).splits[name]


def measuring_parser(description: str, *, save: str = "") -> argparse.ArgumentParser:
    """Make the parser of a command that measures.

    Args:
        description: First line of its help.
        save: Help of --save; no such option if empty.

    Returns:
        The parser, with --model and the fields of `Measuring` as options.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(
        "--model", action="append", required=True, metavar="SOURCE", help="folder or repo_id"
    )
    parser.add_argument("--data", required=True, help="hub id, data set folder or class folders")
    for name, kind, text in (
        ("image_column", str, "column of the pictures (found by its type)"),
        ("label_column", str, "column of the classes (found by its type)"),
        ("split_file", Path, "RUN/split.json (that of the model's own run)"),
        (
            "validation_fraction",
            float,
            f"cut from train (as the model's run, else {_FRACTION})",
        ),
        ("seed", int, "of that cut (as the model's run, else 0)"),
        ("batch_size", int, f"images per batch ({Measuring.batch_size})"),
        ("workers", int, f"decoding processes ({Measuring.workers})"),
    ):
        flags = dict.fromkeys((f"--{name}", f"--{name.replace('_', '-')}"))
        default = getattr(Measuring, name)
        parser.add_argument(*flags, dest=name, type=kind, default=default, help=text)
    parser.add_argument(
        "--classes",
        nargs="+",
        action="extend",
        default=[],
        metavar="CLASS",
        help="those that count, where data and model have not the same; also as cat,dog",
    )
    if save:
        parser.add_argument("--save", action="store_true", help=save)
    return parser


def read_options(options: argparse.Namespace) -> Measuring:
    """Read what was typed.

    Args:
        options: Of `measuring_parser`.

    Returns:
        Which pictures are measured, and how they are read.

    Raises:
        ConfigError: If a number is out of range, or --save could not write what is measured.
    """
    how = Measuring(**{field.name: getattr(options, field.name) for field in fields(Measuring)})
    if getattr(options, "save", False):
        if not all(Path(source).is_dir() for source in options.model):
            raise ConfigError("--save needs local folders: a repository on the hub is not changed")
        if how.classes:
            raise ConfigError("--save writes numbers of all classes: not with --classes")
    return how


def open_session(options: argparse.Namespace, splits: Sequence[str]) -> Session:
    """Load models and data; leave out what cannot be read, named on stderr.

    Args:
        options: Of `measuring_parser`.
        splits: That are measured.

    Returns:
        All that is needed to measure.

    Raises:
        HubModelsError: As `read_options` and `start`, or if a model is not to be had.
    """
    how = read_options(options)
    models = {source: ImageClassifier.from_pretrained(source) for source in options.model}
    return start(how, models, splits, is_saved=getattr(options, "save", False))


def start(
    how: Measuring,
    models: Mapping[str, ImageClassifier],
    splits: Sequence[str],
    *,
    is_saved: bool = False,
) -> Session:
    """Load the data for models that are loaded.

    Args:
        how: Which data, and how it is read.
        models: By source.
        splits: That are measured.
        is_saved: Whether the numbers go on the models' cards.

    Returns:
        All that is needed to measure.

    Raises:
        ConfigError: If a split is not to be had, or a model was trained on its pictures.
    """
    accelerator = make_accelerator()
    say: Say = _say if accelerator.is_main_process else lambda sentence: None
    data, tables, own_split = _load(how, models, splits, say)
    with accelerator.main_process_first():  # the others then find it remembered
        found = audit(data, quiet=not accelerator.is_main_process)
    data = data.without(found.unreadable)
    bad = (f"left out {each.reason}" for each in data.unreadable)
    for sentence in (*data.left_out, *found.warnings(), *bad, *problems(found.classes)):
        say(sentence)
    for source, model in models.items():
        for name in (name for name in splits if name != "train"):
            trained_on = model.config.trained_on
            if trained_on is not None:
                say(check_untrained(source, trained_on, data, name, found.digests[name]))
            elif own_split is None or own_split != _run_split(source):
                _check_rows(source, tables, data.parts[name], name)
                is_guess = data.parts[name].source != name and how.split_file is None
                say(_unknown(source, name, is_guess=is_guess, is_saved=is_saved))
    how = replace(how, classes=_class_names(how.classes, data.label_names))
    return Session(how, accelerator, dict(models), data)


def _load(
    how: Measuring, models: Mapping[str, ImageClassifier], splits: Sequence[str], say: Say
) -> tuple[Data, Tables, Path | None]:
    """Take the splits as the runs of the models had them; say which run's split.json it was."""
    labelled = read_labelled(how.data, how.image_column, how.label_column)
    tables = labelled.splits
    parts, own = _own_parts(how, models, tables, say)
    if parts is None and ("validation" in tables or not {"train", "validation"} & set(splits)):
        parts = {name: Part(name, table) for name, table in tables.items()}  # nothing is to be cut
    if parts is None:
        runs = [model.config.trained_on for model in models.values()]
        run = next((run for run in runs if run is not None and run.seed is not None), None)
        fraction = how.validation_fraction
        if fraction is None:
            fraction = _FRACTION if run is None else run.validation_fraction
        seed = how.seed if how.seed is not None else 0 if run is None else run.seed
        parts = cut(tables, fraction or _FRACTION, seed or 0)
    return make_data(labelled, parts).only(splits), tables, own


def _own_parts(
    how: Measuring,
    models: Mapping[str, ImageClassifier],
    tables: Tables,
    say: Say,
) -> tuple[dict[str, Part] | None, Path | None]:
    """Read the split that was named, else that of the first model's run that fits the data."""
    if how.split_file is not None:
        return read_split(how.split_file, tables), None
    if how.validation_fraction is None and how.seed is None:
        for path in filter(Path.is_file, map(_run_split, models)):
            try:
                return read_split(path, tables), path
            except SplitFileError as error:
                say(f"{error}; it is not used")
    return None, None


def _run_split(source: str) -> Path:
    """Say where a run leaves its split, if the source is its checkpoint."""
    typed, real = (Path(f(source)).parent / SPLIT_FILE for f in (os.path.abspath, os.path.realpath))
    return typed if typed.is_file() else real


def _check_rows(source: str, tables: Tables, part: Part, name: str) -> None:
    """Refuse rows that the run's split.json says were trained on, where it is of these data."""
    try:
        train = read_split(_run_split(source), tables)["train"]
    except SplitFileError:  # none there, or of other data
        return
    count = len(np.intersect1d(train.indices(), part.indices()))
    if train.source == part.source and count:
        raise ConfigError(
            f"{source} was trained on {count:,} of the {len(part.indices()):,} pictures of "
            f"{name!r}, as {_run_split(source)} says: measure on its own split, or other pictures"
        )


def _unknown(source: str, name: str, *, is_guess: bool, is_saved: bool) -> str:
    """Say that nobody knows what a model was trained on; refuse to save a guess."""
    sentence = (
        f"{source} does not say what it was trained on: whether pictures of {name!r} were among "
        "it cannot be checked"
    )
    if is_guess:
        sentence += f", and {name!r} is cut from train here; --split_file RUN/split.json names it"
    if is_guess and is_saved:
        raise ConfigError(f"{sentence}; --save would call it {name!r} on the card")
    return sentence


def _class_names(words: Sequence[str], known: Sequence[str]) -> tuple[str, ...]:
    """Take "cat,dog" for two names, unless there is a class of that name."""
    split = [[word] if word in known else word.split(",") for word in words]
    return tuple(dict.fromkeys(name.strip() for names in split for name in names))


def _say(sentence: str) -> None:
    if sentence:
        print(sentence, file=sys.stderr)
