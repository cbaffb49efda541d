"""Small evaluations of three classes."""

from collections.abc import Mapping, Sequence

import numpy as np
from truth_cases import TINY, make_table

from dualnet.evaluation.evaluate import Evaluation, evaluate
from dualnet.evaluation.scores.prediction import Prediction

NO_BASELINE: dict[str, Prediction] = {}


def evaluate_tiny(
    findings: Sequence[tuple[str, ...]],
    said: np.ndarray | Prediction,
    baselines: Mapping[str, Prediction] = NO_BASELINE,
    *,
    rows_each: int = 1,
    resamples: int = 60,
    seed: int = 0,
    thresholds: Mapping[str, np.ndarray] | None = None,
) -> Evaluation:
    """Judges what is said of radiographs, `rows_each` of them a patient's."""
    return evaluate(
        make_table(*findings, rows_each=rows_each),
        said,
        vocabulary=TINY,
        baselines=baselines,
        resamples=resamples,
        seed=seed,
        thresholds=thresholds,
    )
