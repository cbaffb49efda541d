"""What a model says of some radiographs, and the checks of it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from dualnet.errors import RecordError
from dualnet.evaluation.scores.truth import Truth, check_probabilities, check_scores
from dualnet.wording import number_of

ROUNDING = 1e-6  # a float32 sigmoid or softmax may pass 1 by its last digit
CALLED = 0.5  # where a finding apart from the others is called, if nothing else is said
WHY_NO_ANSWER = (
    "the model gives one probability a finding, each apart from the others, "
    "not one answer a radiograph"
)


@dataclass(frozen=True)
class Prediction:
    """What a model says of some radiographs.

    Two views, of which a model may have both: one answer a radiograph (a softmax over
    all classes), and one score a class (sigmoids; of a softmax, its probabilities).

    Args:
        probabilities: Rows that sum to 1, shape (n, num_classes); None where the model
            has no one answer a radiograph.
        finding_scores: How likely each class is among the labels, if the model says
            so apart from `probabilities`; shape (n, num_classes), NaN in the columns
            of `unscored`.
        are_probabilities: Whether the scores are in [0, 1] and mean what they say;
            else only their order counts.
        unscored: Classes that the model gives no score.
        why_no_answer: In words, why there are no `probabilities`.
    """

    probabilities: np.ndarray | None
    finding_scores: np.ndarray | None = None
    are_probabilities: bool = True
    unscored: tuple[str, ...] = ()
    why_no_answer: str | None = None

    @property
    def scores(self) -> np.ndarray:
        """What the per-finding view ranks by, shape (n, num_classes)."""
        if self.finding_scores is not None:
            return self.finding_scores
        if self.probabilities is None:
            raise RecordError(
                "prediction: must have probabilities or scores. Received: neither. "
                "Give one of the two."
            )
        return self.probabilities

    def take(self, chosen: np.ndarray) -> "Prediction":
        """Returns what is said of some of the radiographs.

        Args:
            chosen: Which, bool of shape (n,) or positions.

        Returns:
            The same of these alone.
        """
        views = {
            "probabilities": self.probabilities,
            "finding_scores": self.finding_scores,
        }
        taken = {
            name: None if one is None else one[chosen] for name, one in views.items()
        }
        return replace(self, **taken)


def make_prediction(
    probabilities: np.ndarray, *, unscored: tuple[str, ...] = ()
) -> Prediction:
    """Says what a model's probabilities are: one answer a radiograph, or each apart.

    Args:
        probabilities: Shape (n, num_classes), NaN in the columns of `unscored`.
        unscored: Classes that the model has no output for, as one of sigmoids has none
            for the class without any finding; none: rows sum to 1.

    Returns:
        The prediction.
    """
    if not unscored:
        return Prediction(probabilities)
    return Prediction(
        None, probabilities, unscored=unscored, why_no_answer=WHY_NO_ANSWER
    )


def find_answers(
    probabilities: np.ndarray, class_names: Sequence[str], negative: str
) -> np.ndarray:
    """Finds what a model answers: the likeliest class.

    Of probabilities that are each apart, that is the likeliest finding if it reaches
    `CALLED`, else the class without any.

    Args:
        probabilities: Shape (n, num_classes); NaN of a class without an output.
        class_names: Names the columns.
        negative: The class without any finding.

    Returns:
        Its column, int64, shape (n,).
    """
    column = list(class_names).index(negative)
    if not np.isnan(probabilities[:, column]).any():
        return probabilities.argmax(axis=1)
    likeliest = np.where(np.isnan(probabilities), -np.inf, probabilities)
    called = likeliest.max(axis=1) >= CALLED
    return np.where(called, likeliest.argmax(axis=1), column)


def concatenate(blocks: Sequence[Prediction]) -> Prediction:
    """Joins what a model says of some radiographs, and of the next.

    Args:
        blocks: One or more, alike in all but their rows.

    Returns:
        The same of all of them, in the order of the blocks.
    """
    views = ("probabilities", "finding_scores")
    joined = {
        name: np.concatenate([getattr(one, name) for one in blocks])
        for name in views
        if getattr(blocks[0], name) is not None
    }
    return replace(blocks[0], **joined)


def check_prediction(prediction: Prediction, truth: Truth, *, name: str) -> None:
    """Checks what a model says of the rows that it is judged on.

    Args:
        prediction: What it says.
        truth: What the rows are.
        name: Whose prediction it is, for the error.

    Raises:
        RecordError: If a shape differs, a value is not finite, or one is not what its
            kind must be; the first such row is named.
    """
    if prediction.probabilities is not None:
        check_probabilities(prediction.probabilities, truth, name=name)
    scores = prediction.scores
    expected = (truth.num_images, len(truth.class_names))
    if scores.shape != expected:
        raise RecordError(
            f"{name}: scores must have shape {expected}. "
            f"Received: shape={scores.shape}. Score each radiograph once."
        )
    said = np.array([one not in prediction.unscored for one in truth.class_names])
    check_scores(scores, truth, name=name, said=said)
    if prediction.are_probabilities:
        _check_range(scores, truth, name)


def _check_range(scores: np.ndarray, truth: Truth, name: str) -> None:
    outside = (scores < -ROUNDING) | (scores > 1 + ROUNDING)
    if not outside.any():
        return
    row, column = np.argwhere(outside)[0]
    num_bad = int(outside.any(axis=1).sum())
    raise RecordError(
        f"{truth.image_ids[row]}: {name}: probabilities must be in [0, 1]. "
        f"Received: {truth.class_names[column]}={scores[row, column]:g} "
        f"({num_bad:,} of {number_of(truth.num_images, 'radiograph')}). "
        "Give what comes after the sigmoid or the softmax."
    )
