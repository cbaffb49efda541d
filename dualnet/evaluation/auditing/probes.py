"""What can be told of a radiograph without seeing a lung: shortcuts.

Two kinds of probe stand beside the model. Its own answers to pictures of which a part
is hidden; and small models fitted on the training part, which see 16 by 16 pixels, or
only the border of these. A border holds markers, collimation and the hospital's
habits, but no finding: what scores well there is a shortcut, open to any network.

Reference:
    DeGrave et al., AI for radiographic COVID-19 detection selects shortcuts over
    signal, Nature Machine Intelligence 3, 2021; Maguolo and Nanni, A critic evaluation
    of methods for COVID-19 automatic detection from X-ray images, Information Fusion
    76, 2021 (pictures whose lungs are hidden).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from dualnet.data.patients import deal_folds
from dualnet.evaluation.intervals.bootstrap import (
    PatientResamples,
    mean_defined,
    percentile_interval,
    resample_auroc,
)
from dualnet.evaluation.intervals.paired import score_paired
from dualnet.evaluation.scores.baselines import (
    METADATA_ONLY,
    Baselines,
    count_shares,
)
from dualnet.evaluation.scores.prediction import Prediction
from dualnet.evaluation.scores.truth import Truth
from dualnet.scores import auroc_per_class
from dualnet.training.selection import MIN_PATIENTS

THUMBNAIL = "thumbnail"
BORDER_THUMBNAIL = "border_thumbnail"
CENTRE_MASKED = "centre_masked"
BORDER_ONLY = "border_only"
SEES_NO_LUNG = (BORDER_ONLY, BORDER_THUMBNAIL)
# Macro AUROC at .001, .01, .1 of 565 radiographs of NIH's, fitted on 1,318 of other
# patients: .648, .651, .641 (border: .616, .615, .605); on the phantom .738, .793, .824.
REGULARISATION = 0.01
MAX_SOURCES = 20  # a column of more values is not a source but a number or a name
# A shortcut is called one where the border alone has so much of what the model has
# above chance, and its interval begins so far above chance: with 14 findings, one of a
# fair border passes .5 by luck.
SHORTCUT_SHARE = 0.8
SHORTCUT_LOW = 0.6


@dataclass(frozen=True)
class ThumbnailModel:
    """Logistic regression on the pixels of thumbnails.

    Args:
        cells: The pixels it sees, bool, shape (side, side).
        models: Fitted on them.
    """

    cells: np.ndarray
    models: Baselines

    def predict(self, thumbnails: np.ndarray) -> Prediction:
        """Predicts from thumbnails.

        Args:
            thumbnails: Gray values, uint8, shape (n, side, side).

        Returns:
            Probabilities of the first label, and scores of each finding.
        """
        gray = _gray(thumbnails, self.cells)
        return self.models.predict(gray)[METADATA_ONLY]


def fit_thumbnails(
    thumbnails: np.ndarray,
    *,
    first: np.ndarray,
    labels: np.ndarray,
    cells: np.ndarray | None = None,
) -> ThumbnailModel:
    """Fits logistic regression on thumbnails of the training part.

    Args:
        thumbnails: Gray values, uint8, shape (n, side, side).
        first: Class of each row's first label, int, shape (n,).
        labels: Labels present, bool, shape (n, num_classes).
        cells: The pixels it may see, bool, shape (side, side); none: all.

    Returns:
        The fitted model. The same rows give the same bits: one thread sums in one
        order.
    """
    if cells is None:
        cells = np.ones(thumbnails.shape[1:], dtype=bool)
    gray = _gray(thumbnails, cells)
    prior, finding_shares = count_shares(first, labels)
    with threadpool_limits(1):
        models = Baselines(
            prior=prior,
            softmax=_fit(gray, first, solver="lbfgs"),
            finding_models=tuple(_fit(gray, present) for present in labels.T),
            finding_shares=finding_shares,
        )
    return ThumbnailModel(cells=cells, models=models)


def score_probes(
    truth: Truth,
    intact: Prediction,
    probes: Mapping[str, Prediction],
    draws: PatientResamples,
) -> dict[str, Any]:
    """Scores probes beside the model.

    Args:
        truth: The rows.
        intact: What the model says of them.
        probes: What each probe says of them, by name.
        draws: Draws of patients over the rows.

    Returns:
        Plain values for JSON: `model`; each probe's scores, with the model's
        difference `model_minus`; and `shortcuts`, where a probe that sees no lung has
        `SHORTCUT_SHARE` of what the model has above chance: `probe`, `finding` (None:
        the mean of all), `auroc`, its interval, and `model_auroc`.
    """
    model = score_paired(truth, intact, draws)
    blocks: dict[str, Any] = {"model": model.describe()}
    for name, prediction in probes.items():
        scores = score_paired(truth, prediction, draws)
        blocks[name] = {**scores.describe(), "model_minus": model.minus(scores)}
    found = [
        shortcut
        for name in SEES_NO_LUNG
        if name in blocks
        for shortcut in _find_shortcuts(name, blocks[name], blocks["model"], truth)
    ]
    found.sort(key=lambda one: -one["auroc"])
    return {**blocks, "shortcuts": found}


def probe_source(
    features: np.ndarray,
    sources: np.ndarray,
    draws: PatientResamples,
    *,
    seed: int,
) -> dict[str, Any] | None:
    """Scores how well a column, such as the hospital, is told from a model's features.

    Logistic regression, cross-validated by patient on the judged rows themselves, so
    that another dataset's sources can be asked too. Where a source is told from the
    features, the model may use it: whether it does, the probes on hidden pictures and
    the scores by source say.

    Args:
        features: What the model's image branch makes of each picture, shape (n, k).
        sources: The value of each row, text, shape (n,); empty where unknown.
        draws: Draws of patients over the rows.
        seed: Decides the folds.

    Returns:
        Plain values for JSON: `num_images`, `values` (each one's number of rows, AUROC
        against all others and interval; None of a value that fewer than `MIN_PATIENTS`
        patients have, or lack), `num_scored` of the values, the mean `auroc` and its
        interval. None where it takes one value or more than `MAX_SOURCES`, or none
        can be scored.
    """
    known = sources != ""
    names, codes = np.unique(sources[known], return_inverse=True)
    if not 1 < names.size <= MAX_SOURCES:
        return None
    table = pd.DataFrame(
        {
            "patient_id": draws.codes[known],
            "findings": [(one,) for one in sources[known]],
        }
    )
    scores = np.zeros((len(codes), names.size))
    numbers = features[known].astype(np.float64)
    present = codes[:, np.newaxis] == np.arange(names.size)
    with threadpool_limits(1):
        for fold in deal_folds(table, seed=seed):
            for column in range(names.size):
                for model in _fit(numbers[~fold], present[~fold, column]):
                    scores[fold, column] = model.predict_proba(numbers[fold])[:, 1]
    drawn = _only(draws, known)
    for column, one in enumerate(present.T):
        num_patients = [np.unique(drawn.codes[rows]).size for rows in (one, ~one)]
        if min(num_patients) < MIN_PATIENTS:
            scores[:, column] = np.nan
    if np.isnan(scores).all():
        return None
    return _describe_source(names, present, scores, drawn)


def _fit(
    features: np.ndarray, target: np.ndarray, *, solver: Any = "newton-cholesky"
) -> tuple[Pipeline, ...]:
    """Fits one model; none where all rows are of one class."""
    if np.unique(target).size < 2:
        return ()
    # Newton's method is an eighth of lbfgs' time for one finding, and too much for 15
    model = LogisticRegression(C=REGULARISATION, solver=solver, max_iter=1000)
    return (make_pipeline(StandardScaler(), model).fit(features, target),)


def _gray(thumbnails: np.ndarray, cells: np.ndarray) -> np.ndarray:
    return thumbnails[:, cells].astype(np.float64)


def _only(draws: PatientResamples, rows: np.ndarray) -> PatientResamples:
    """The same draws over some of the rows."""
    return PatientResamples(
        draws.codes[rows], draws.num_patients, draws.num_resamples, draws.seed
    )


def _describe_source(
    names: np.ndarray,
    present: np.ndarray,
    scores: np.ndarray,
    draws: PatientResamples,
) -> dict[str, Any]:
    said = ~np.isnan(scores).any(axis=0)
    areas = np.full(len(names), np.nan)
    areas[said] = auroc_per_class(present[:, said], scores[:, said])
    drawn = resample_auroc(draws, present, scores)
    intervals = [percentile_interval(column).as_dict() for column in drawn.T]
    counts = present.sum(axis=0)
    return {
        "num_images": len(present),
        "values": {
            str(name): {
                "n": int(n),
                "auroc": None if np.isnan(area) else float(area),
                "auroc_interval": interval,
            }
            for name, n, area, interval in zip(
                names, counts, areas, intervals, strict=True
            )
        },
        "num_scored": int((~np.isnan(areas)).sum()),
        "auroc": float(np.nanmean(areas)),
        "auroc_interval": percentile_interval(mean_defined(drawn)).as_dict(),
    }


def _find_shortcuts(
    name: str, probe: Mapping[str, Any], model: Mapping[str, Any], truth: Truth
) -> list[dict[str, Any]]:
    findings = [
        one
        for one, scored in zip(truth.class_names, truth.is_finding, strict=True)
        if scored
    ]
    pairs = {None: (probe["macro"], model["macro"])} | {
        one: (probe["findings"][one], model["findings"][one]) for one in findings
    }
    return [
        {
            "probe": name,
            "finding": finding,
            "auroc": seen["auroc"],
            "auroc_interval": seen["auroc_interval"],
            "model_auroc": whole["auroc"],
        }
        for finding, (seen, whole) in pairs.items()
        if _is_shortcut(seen, whole["auroc"])
    ]


def _is_shortcut(seen: Mapping[str, Any], model_auroc: float | None) -> bool:
    low = seen["auroc_interval"]["low"]
    if low is None or model_auroc is None or low < SHORTCUT_LOW:
        return False
    return seen["auroc"] - 0.5 >= SHORTCUT_SHARE * (model_auroc - 0.5)
