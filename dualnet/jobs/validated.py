"""Temperature and operating points of anybody's model, of its validation predictions."""

from dataclasses import dataclass
from pathlib import Path

from dualnet.data.records import RecordSet
from dualnet.errors import ConfigError, RecordError
from dualnet.evaluation.probabilities.calibration import (
    SIGMOID,
    SOFTMAX,
    Calibration,
    fit_calibration,
)
from dualnet.evaluation.scores.truth import make_truth
from dualnet.jobs.matched import MatchedPredictions, PredictionWords, read_matched
from dualnet.wording import number_of

OPTION = "--validation"
PART = "val"  # as the part of a run that its calibration is fitted on
NOT_GIVEN = (
    f"no predictions of a validation part are given ({OPTION}), so neither a "
    "temperature nor a threshold is fitted"
)
NO_PROBABILITIES = "the scores are no probabilities (--logits)"


@dataclass(frozen=True, kw_only=True)
class FittedCalibration:
    """A calibration, and the predictions that it was fitted on.

    Args:
        calibration: The calibration.
        predictions: Of patients who are not judged.
    """

    calibration: Calibration
    predictions: MatchedPredictions

    @property
    def counts(self) -> dict[str, int]:
        """How many of the file's rows it was fitted on, and how many had no truth."""
        counts = self.predictions.counts
        return {
            "predictions": counts["predictions"],
            "without_truth": counts["without_truth"],
            "fitted": counts["judged"],
        }

    @property
    def note(self) -> str:
        """The same as a sentence."""
        file, counts = self.predictions.file.name, self.counts
        return (
            f"Temperature and operating points: fitted on {counts['fitted']:,} of "
            f"{number_of(counts['predictions'], 'prediction')} of {file}, of "
            f"{number_of(self.calibration.num_patients, 'patient')}, none judged; "
            f"{counts['without_truth']:,} without truth."
        )


def check_validation(validation: Path | None, *, logits: bool) -> None:
    """Checks that a calibration can be fitted on what is given.

    Args:
        validation: Predictions of other patients; none: not given.
        logits: Whether the scores are no probabilities.

    Raises:
        ConfigError: If they are none.
    """
    if validation is not None and logits:
        raise ConfigError(
            f"{OPTION}: must be left out where the scores are no probabilities "
            f"(--logits). Received: {str(validation)!r}. Give probabilities of both."
        )


def read_validation(
    file: Path | None,
    judged: MatchedPredictions,
    records: RecordSet,
    words: PredictionWords,
    *,
    truth: Path,
) -> FittedCalibration | None:
    """Fits temperature and operating points on predictions of patients not judged.

    Args:
        file: The model's predictions of them, in the form of those judged; None:
            there are none.
        judged: The predictions judged.
        records: The truth of both.
        words: How the predictions are to be read.
        truth: The file or folder of the truth, named in errors.

    Returns:
        The calibration, and what it was fitted on; None where there is no file.
    """
    if file is None:
        return None
    found = read_matched(file, records, words, truth=truth)
    _check_strangers(found, judged)
    _check_kind(found, judged)
    prediction = found.prediction
    calibration = fit_calibration(
        make_truth(
            found.records.assign(part=PART),
            records.vocabulary,
            unscored=prediction.unscored,
        ),
        prediction.scores,
        model_digest=found.digest,
        activation=SIGMOID if prediction.probabilities is None else SOFTMAX,
    )
    return FittedCalibration(calibration=calibration, predictions=found)


def _check_strangers(found: MatchedPredictions, judged: MatchedPredictions) -> None:
    patients = found.records["patient_id"]
    shared = found.records[patients.isin(judged.records["patient_id"].unique())]
    if len(shared):
        raise RecordError(
            f"{found.file.name}: no patient may be judged too. Received: {len(shared):,} "
            f"of {number_of(len(found.records), 'radiograph')}, the first is "
            f"{shared['image_id'].iloc[0]}. Leave out of one file the patients of the "
            "other."
        )


def _check_kind(found: MatchedPredictions, judged: MatchedPredictions) -> None:
    if set(found.columns) != set(judged.columns):
        differ = sorted(set(found.columns) ^ set(judged.columns))
        raise RecordError(
            f"{found.file.name}: must have the classes of {judged.file.name}. Received: "
            f"{', '.join(differ)} in one of them alone. Predict both with one model."
        )
    kinds = [one.prediction.probabilities is None for one in (found, judged)]
    if kinds[0] != kinds[1]:
        sums = "no row of probabilities that sum to 1" if kinds[0] else "rows that do"
        raise RecordError(
            f"{found.file.name}: rows must sum to 1 if those of {judged.file.name} do, "
            f"and only then. Received: {sums}. Predict both with one model."
        )
