"""The rows that a model is judged on, and the checks of what it says of them."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from dualnet.data.labels import full_labels, make_targets
from dualnet.errors import RecordError
from dualnet.findings import Vocabulary
from dualnet.wording import number_of

SUM_TOLERANCE = 1e-3  # float32 softmax and six-digit tables stay well within it


@dataclass(frozen=True, kw_only=True)
class Truth:
    """What is known of the rows that a model is judged on.

    Args:
        image_ids: Names of the radiographs, shape (n,).
        patient_ids: Whose they are, shape (n,).
        labels: Labels present, bool, shape (n, num_classes).
        first: Class of each row's first label, int in `[0, num_classes)`, shape (n,).
        vocabulary: Names the columns, in the order of `class_names`.
        part: The part of the split that the rows are, named in errors.
        unscored: Classes that the judged model gives no score; no mean takes them, of
            a baseline neither.
    """

    image_ids: np.ndarray
    patient_ids: np.ndarray
    labels: np.ndarray
    first: np.ndarray
    vocabulary: Vocabulary
    part: str
    unscored: tuple[str, ...] = ()

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the columns."""
        return self.vocabulary.class_names

    @property
    def num_images(self) -> int:
        """How many rows there are."""
        return len(self.image_ids)

    @property
    def num_patients(self) -> int:
        """How many different patients there are."""
        return np.unique(self.patient_ids).size

    @property
    def is_finding(self) -> np.ndarray:
        """Which columns a mean takes: the findings that the model gives a score."""
        left_out = (self.vocabulary.negative, *self.unscored)
        return np.array([name not in left_out for name in self.class_names])


def make_truth(
    table: pd.DataFrame, vocabulary: Vocabulary, *, unscored: tuple[str, ...] = ()
) -> Truth:
    """Takes from a records table what its rows are judged by.

    Args:
        table: Records, see `dualnet.data.records`, and if known their `part`.
        vocabulary: Names the classes.
        unscored: Classes that the judged model gives no score.

    Returns:
        The truth, in the table's order.
    """
    findings = table["findings"].tolist()
    targets = make_targets(findings, vocabulary, "first")
    parts = sorted(table["part"].unique()) if "part" in table else []
    truth = Truth(
        image_ids=table["image_id"].to_numpy(dtype=str),
        patient_ids=table["patient_id"].to_numpy(dtype=str),
        labels=full_labels(findings, vocabulary),
        first=targets.matrix.argmax(axis=1),
        vocabulary=vocabulary,
        part="+".join(parts) or "all",
        unscored=unscored,
    )
    check_truth(truth)
    return truth


def check_truth(truth: Truth) -> None:
    """Checks that there are rows, each with labels and a class.

    Args:
        truth: What the rows are.

    Raises:
        RecordError: If there is no row, the columns differ in length, or a first
            label is not among its row's labels.
    """
    num_images, num_classes = truth.num_images, len(truth.class_names)
    if not num_images:
        raise RecordError(
            f"part {truth.part!r}: must hold at least one radiograph. "
            "Received: 0 rows. Evaluate another part."
        )
    shapes = {
        "patient_ids": (truth.patient_ids.shape, (num_images,)),
        "labels": (truth.labels.shape, (num_images, num_classes)),
        "first": (truth.first.shape, (num_images,)),
    }
    for name, (found, expected) in shapes.items():
        if found != expected:
            raise RecordError(
                f"{name}: shape must be {expected}. Received: shape={found}. "
                "Give one row a radiograph."
            )
    among = truth.labels[np.arange(num_images), truth.first]
    if not among.all():
        image_id = truth.image_ids[np.argmin(among)]
        raise RecordError(
            f"{image_id}: the first label must be among its labels. "
            "Received: another class. Make both from the same `findings`."
        )


def check_probabilities(probabilities: np.ndarray, truth: Truth, *, name: str) -> None:
    """Checks that every row is a distribution over the classes.

    Args:
        probabilities: Shape (n, num_classes).
        truth: What the rows are.
        name: Whose predictions they are, for the error.

    Raises:
        RecordError: If the shape differs, or a row is not finite, has a negative
            value, or does not sum to 1; the first such row is named.
    """
    expected = (truth.num_images, len(truth.class_names))
    if probabilities.shape != expected:
        raise RecordError(
            f"{name}: probabilities must have shape {expected}. "
            f"Received: shape={probabilities.shape}. Predict each radiograph once."
        )
    check_scores(probabilities, truth, name=name)
    sums = probabilities.sum(axis=1, dtype=np.float64)
    _refuse(
        probabilities.min(axis=1) < 0,
        truth,
        f"{name}: probabilities must not be negative",
        probabilities.min(axis=1),
    )
    _refuse(
        np.abs(sums - 1) > SUM_TOLERANCE,
        truth,
        f"{name}: probabilities must sum to 1",
        sums,
    )


def check_scores(
    scores: np.ndarray, truth: Truth, *, name: str, said: np.ndarray | None = None
) -> None:
    """Checks that every score is a finite number.

    Args:
        scores: Shape (n, num_classes).
        truth: What the rows are.
        name: Whose predictions they are, for the error.
        said: The columns that must be finite, bool, shape (num_classes,); none: all.

    Raises:
        RecordError: If a row is not finite; the first such row is named.
    """
    finite = np.isfinite(scores)
    if said is not None:
        finite |= ~said
    if finite.all():
        return
    row, column = np.argwhere(~finite)[0]
    num_bad = int((~finite).any(axis=1).sum())
    raise RecordError(
        f"{truth.image_ids[row]}: {name}: probabilities must be finite. "
        f"Received: {truth.class_names[column]}={scores[row, column]} "
        f"({num_bad:,} of {number_of(truth.num_images, 'radiograph')}). "
        "Look for NaN in the inputs or the weights."
    )


def _refuse(bad: np.ndarray, truth: Truth, rule: str, received: np.ndarray) -> None:
    if not bad.any():
        return
    row = int(np.argmax(bad))
    raise RecordError(
        f"{truth.image_ids[row]}: {rule}. Received: {received[row]:g} "
        f"({int(bad.sum()):,} of {number_of(truth.num_images, 'radiograph')}). "
        "Give the softmax's outputs."
    )
