"""Pictures to the fingerprint a checkpoint carries, and back: was the model trained on these?

A picture is known by the bytes of its file, so a copy under another name, in another folder or
split, or in a table, is known too; one that was encoded again is not.
"""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hub_models import ImageClassifier, hub
from hub_models.errors import ConfigError, HubModelsError
from hub_models.trained_on import MAX_SAMPLE, TrainedOn
from training.config import Recipe
from training.data import Data

Digests = NDArray[np.uint64]
_LISTED = 3  # pictures named in a refusal


def fingerprint(
    data: Data, digests: Mapping[str, Digests], recipe: Recipe, before: TrainedOn | None
) -> TrainedOn:
    """Write down what a run trains on.

    Args:
        data: For where its validation split comes from.
        digests: Of the readable pictures of every split.
        recipe: For the cut of validation from train.
        before: Of the weights the run begins with; None if not known.

    Returns:
        The fingerprint, in which the pictures of `before` count as trained on.
    """
    is_cut = data.parts["validation"].source != "validation" and not recipe.split_file
    known = np.unique(_keys(digests["train"])) if "train" in digests else _keys(np.zeros(0))
    pictures = len(known)
    if before is not None:
        sample = _unpacked(before.sample)
        known = np.union1d(known, sample)
        pictures = len(known)
        if before.pictures > len(sample):  # what is above its largest is not known to be absent
            known = known[known <= sample[-1]]
            pictures = max(pictures, before.pictures)
    return TrainedOn(
        pictures=pictures,
        sample=_packed(known[:MAX_SAMPLE]),
        splits={name: _digest(each) for name, each in digests.items() if name != "train"},
        seed=recipe.seed if is_cut else None,
        validation_fraction=recipe.validation_fraction if is_cut else None,
    )


def mark(
    model: ImageClassifier, data: Data, digests: Mapping[str, Digests], recipe: Recipe
) -> list[str]:
    """Put the fingerprint of a run into its model.

    Args:
        model: With the fingerprint of the weights it begins with; its config is replaced.
        data: That it will be trained on.
        digests: Of the readable pictures of every split.
        recipe: Of the run.

    Returns:
        Sentences about pictures to validate or test on that the weights or the teacher know.

    Raises:
        ConfigError: If the weights were trained on such pictures, and not as copies alone.
    """
    before, theirs = model.config.trained_on, _of_teacher(recipe.teacher)
    sentences = []
    for name, each in digests.items():
        if before is not None and name != "train":
            sentences.append(check_untrained(recipe.weights, before, data, name, each))
        if theirs is not None and name != "train":
            try:
                sentences.append(check_untrained(recipe.teacher, theirs, data, name, each))
            except ConfigError as error:  # it teaches none of them, but its accuracy is no measure
                sentences.append(f"teacher: {error}")
    trained_on = fingerprint(data, digests, recipe, before)
    model.config = replace(model.config, trained_on=trained_on)
    return [sentence for sentence in sentences if sentence]


def _of_teacher(source: str) -> TrainedOn | None:
    if not source:
        return None
    try:
        return hub.read_config(hub.resolve(source).folder).trained_on
    except HubModelsError:  # a folder of timm's; one that cannot be used is refused later
        return None


def check_untrained(
    source: str, trained_on: TrainedOn, data: Data, name: str, digests: Digests
) -> str:
    """Refuse to measure a model on pictures that it was trained on.

    Args:
        source: What the sentence calls the model.
        trained_on: Its fingerprint.
        data: With the split, nothing left out but what cannot be read.
        name: Of the split.
        digests: Of its pictures.

    Returns:
        A sentence if some of its own split are the same files as training pictures, or if nobody
        knows; else "".

    Raises:
        ConfigError: If the split is not the run's own, and some of it were trained on.
    """
    is_trained = np.isin(_keys(digests), _unpacked(trained_on.sample))
    rows = np.flatnonzero(is_trained)
    is_own = trained_on.splits.get(name) == _digest(digests)
    if not len(rows):
        stream = f"{source} was trained on a stream: whether it saw {name!r} cannot be checked"
        return "" if trained_on.pictures or is_own else stream
    least = "at least " if trained_on.pictures > MAX_SAMPLE else ""
    count = f"{least}{len(rows):,} of the {len(digests):,} pictures of {name!r}"
    if is_own:
        return f"{source}: {count} are the same files as training pictures"
    files = [data.splits[name][int(row)]["image"]["path"] or f"row {row}" for row in rows[:_LISTED]]
    names = ", ".join(path.replace("\\", "/").rpartition("/")[2] for path in files)
    more = ", …" if len(rows) > _LISTED else ""
    raise ConfigError(
        f"{source} was trained on {count} ({names}{more}): --split_file RUN/split.json takes the "
        "split of its run, or take other pictures"
    )


def _keys(digests: NDArray[np.generic]) -> Digests:
    return digests.astype(np.uint64) >> np.uint64(16)  # 48 bits: 1e9 pictures, 0.004 by chance


def _packed(keys: Digests) -> str:
    columns = keys.astype(">u8").view(np.uint8).reshape(-1, 8)[:, 2:]
    return base64.b64encode(columns.tobytes()).decode()


def _unpacked(sample: str) -> Digests:
    columns = np.frombuffer(base64.b64decode(sample), np.uint8).reshape(-1, 6)
    return np.pad(columns, ((0, 0), (2, 0))).view(">u8")[:, 0].astype(np.uint64)


def _digest(digests: Digests) -> str:
    ordered = np.sort(_keys(digests)).astype("<u8").tobytes()
    return hashlib.blake2b(ordered, digest_size=8).hexdigest()
