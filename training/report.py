"""Logits and targets of one split to every number its evaluation reports."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import (
    confusion_matrix,
    precision_recall_fscore_support,
    roc_auc_score,
)

from hub_models.errors import ConfigError
from hub_models.prediction import softmax
from training.calibration import Bins, calibrated, cross_entropy, make_bins
from training.metrics import Evaluation

DETAILED_CLASSES: Final = 20  # up to so many, a config's results hold classes and confusion


@dataclass(frozen=True)
class ClassScore:
    """How a model did on one class.

    Attributes:
        label: Class name.
        precision: Share of the images said to be of it that are, 0 to 1; 0 if none was said.
        recall: Share of its images that were found, 0 to 1; 0 if it has none.
        f1: Harmonic mean of the two.
        support: Its images.
    """

    label: str
    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True)
class Mistake:
    """An image whose most probable class was wrong.

    Attributes:
        index: Its row in the split.
        label: What it was.
        said: What the model said.
        probability: How sure it was of that, 0 to 1, without the temperature.
    """

    index: int
    label: str
    said: str
    probability: float


@dataclass(frozen=True)
class Report:
    """What a model said of every image of one split, and all that follows from it.

    Attributes:
        label_names: C class names in the order of the logits.
        logits: Shape (N, C), N at least 1, of the images that count.
        targets: Shape (N,), class indices, in the split's order.
        temperature: Fitted on the validation split; None if that was not evaluated.
        rows: Rows of those images in the split, shape (N,); all of them in order if None.
        classes_counted: Indices of the classes that count; all of them if empty.
        rest: What was said, shape (C,), of the images of each class that does not count.
    """

    label_names: tuple[str, ...]
    logits: NDArray[np.floating]
    targets: NDArray[np.integer]
    temperature: float | None = None
    rows: NDArray[np.integer] | None = None
    classes_counted: tuple[int, ...] = ()
    rest: Mapping[str, NDArray[np.integer]] = field(default_factory=dict)

    @cached_property
    def probabilities(self) -> NDArray[np.float64]:
        """Softmax of the logits, shape (N, C)."""
        return softmax(self.logits)

    @cached_property
    def said(self) -> NDArray[np.integer]:
        """The most probable class of every image, shape (N,)."""
        classes: NDArray[np.integer] = self.logits.argmax(axis=1)
        return classes

    @property
    def is_right(self) -> NDArray[np.bool_]:
        """Which images' most probable class was right, shape (N,)."""
        right: NDArray[np.bool_] = self.said == self.targets
        return right

    @property
    def evaluation(self) -> Evaluation:
        """Accuracy and loss."""
        correct = int(self.is_right.sum())
        loss = cross_entropy(self.logits.astype(np.float64), self.targets)
        return Evaluation(correct, len(self.targets), loss)

    @cached_property
    def confusion(self) -> NDArray[np.integer]:
        """Images that count by what they were (rows) and what was said (columns), (C, C)."""
        counts: NDArray[np.integer] = confusion_matrix(
            self.targets, self.said, labels=np.arange(len(self.label_names))
        )
        return counts

    def whole_confusion(self) -> tuple[tuple[str, ...], NDArray[np.integer]]:
        """Give the confusion with the images that do not count, and the names of its rows.

        Returns:
            Those of the model and then those it does not know; a square of so many.
        """
        names = self.label_names + tuple(n for n in self.rest if n not in self.label_names)
        counts = np.zeros((len(names), len(names)), self.confusion.dtype)
        counts[: len(self.label_names), : len(self.label_names)] = self.confusion
        for name, said in self.rest.items():
            counts[names.index(name), : len(said)] += said
        return names, counts

    @cached_property
    def classes(self) -> list[ClassScore]:
        """One score per class that counts, in the order of the label names."""
        counted = list(self.classes_counted or range(len(self.label_names)))
        columns = precision_recall_fscore_support(
            self.targets, self.said, labels=counted, zero_division=0.0
        )
        names = [self.label_names[index] for index in counted]
        rows = zip(names, *(column.tolist() for column in columns), strict=True)
        return [ClassScore(*row) for row in rows]

    @property
    def macro_f1(self) -> float:
        """Mean F1 over the classes that occur, be it only in what was said; 0 to 1."""
        counted = list(self.classes_counted or range(len(self.label_names)))
        occurs = (self.confusion.sum(axis=0) + self.confusion.sum(axis=1) > 0)[counted]
        return float(np.mean([score.f1 for score in self.classes], where=occurs))

    @property
    def auc(self) -> float | None:
        """Area under the ROC curve, 0 to 1: of the second of two classes, else one-vs-rest, macro.

        Classes that every image, or none, belongs to have no curve and are left out of the mean;
        None if no class has one.
        """
        wanted = [1] if len(self.label_names) == 2 else range(len(self.label_names))
        areas = [
            roc_auc_score(self.targets == c, self.probabilities[:, c])
            for c in wanted
            if 0 < (self.targets == c).sum() < len(self.targets)
        ]
        return float(np.mean(areas)) if areas else None

    @property
    def bins(self) -> Bins:
        """Images by how sure the model was."""
        return make_bins(self.probabilities, self.targets)

    @property
    def calibrated_bins(self) -> Bins | None:
        """The same at the fitted temperature; None without one."""
        if self.temperature is None:
            return None
        return make_bins(calibrated(self.logits, self.temperature), self.targets)

    def mistakes(self, most: int) -> list[Mistake]:
        """List wrong answers, the most confident first.

        Args:
            most: How many at most.

        Returns:
            Equal ones in the split's order.
        """
        sure = self.probabilities.max(axis=1)
        wrong = np.flatnonzero(self.said != self.targets)
        ordered = wrong[np.argsort(-sure[wrong], kind="stable")][:most]
        return [
            Mistake(
                index=int(i if self.rows is None else self.rows[i]),
                label=self.label_names[self.targets[i]],
                said=self.label_names[self.said[i]],
                probability=float(sure[i]),
            )
            for i in ordered
        ]

    def as_results(self) -> dict[str, Any]:
        """Give what a config's `results` holds for one split: only what is known, and small."""
        small = len(self.label_names) <= DETAILED_CLASSES
        return self._numbers() | (self._details() if small else {})

    def as_json(self, *, mistakes: int) -> dict[str, Any]:
        """Give everything, as report.json holds it.

        Args:
            mistakes: How many of the most confident at most.

        Returns:
            Plain JSON values.
        """
        bins = {"bins": _bin_rows(self.bins)}
        if self.calibrated_bins is not None:
            bins["calibrated_bins"] = _bin_rows(self.calibrated_bins)
        listed = {"mistakes": [asdict(mistake) for mistake in self.mistakes(mistakes)]}
        labels = {"label_names": list(self.label_names)}
        return labels | self._numbers() | self._details() | bins | listed

    def _numbers(self) -> dict[str, Any]:
        after = self.calibrated_bins
        numbers = {
            "macro_f1": self.macro_f1,
            "auc": self.auc,
            "ece": self.bins.error,
            "temperature": self.temperature,
            "ece_calibrated": None if after is None else after.error,
        }
        known = {key: number for key, number in numbers.items() if number is not None}
        return self.evaluation.as_results() | known

    def _details(self) -> dict[str, Any]:
        names, confusion = self.whole_confusion()
        details = {
            "per_class": [asdict(score) for score in self.classes],
            "confusion": confusion.tolist(),
        }
        return details | ({"confusion_labels": list(names)} if self.classes_counted else {})


def make_report(
    label_names: tuple[str, ...],
    logits: NDArray[np.floating],
    targets: NDArray[np.integer],
    *,
    others: Sequence[str],
    classes: Sequence[str],
) -> Report:
    """Make the report of the images that count, with what was said of the rest.

    Args:
        label_names: C class names in the order of the logits.
        logits: Shape (N, C), of all images of the split.
        targets: Shape (N,); from C on they index `others`.
        others: Class names that the model does not know.
        classes: Names of those that count; all if empty.

    Returns:
        The report, without a temperature.
    """
    if not classes:
        return Report(label_names, logits, targets)
    names = (*label_names, *others)
    counted = tuple(i for i, name in enumerate(label_names) if name in classes)
    rows = np.flatnonzero(np.isin(targets, counted))
    if not len(rows):
        raise ConfigError(f"data: no picture of {', '.join(classes)} in the split")
    said = logits.argmax(axis=1)
    rest = {
        names[index]: np.bincount(said[targets == index], minlength=len(label_names))
        for index in np.setdiff1d(targets, counted)
    }
    return Report(
        label_names, logits[rows], targets[rows], rows=rows, classes_counted=counted, rest=rest
    )


def _bin_rows(bins: Bins) -> list[dict[str, float]]:
    """List the bins that hold images."""
    return [
        {"images": int(n), "confidence": float(confidence), "accuracy": float(accuracy)}
        for n, confidence, accuracy in zip(bins.images, bins.confidence, bins.accuracy, strict=True)
        if n
    ]
