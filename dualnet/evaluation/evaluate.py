"""A run's probabilities, judged: scores, intervals by patient, baselines, a verdict.

Nothing here depends on the clock or the machine: the same rows and the same seed give
the same `metrics.json`, byte for byte.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd

from dualnet.errors import RecordError
from dualnet.evaluation.intervals.bootstrap import (
    LEVEL,
    PatientResamples,
    mean_defined,
    percentile_interval,
    resample_mean,
    resample_patients,
)
from dualnet.evaluation.intervals.bootstrap_precision import resample_average_precision
from dualnet.evaluation.intervals.paired import (
    ROW_MEASURES,
    PairedScores,
    resample_auroc_and_mean,
    row_measures,
)
from dualnet.evaluation.intervals.resampled import Resampled
from dualnet.evaluation.probabilities.operating_points import (
    choose_thresholds,
    score_operating_points,
)
from dualnet.evaluation.probabilities.reliability import score_probabilities
from dualnet.evaluation.schema import SCHEMA
from dualnet.evaluation.scores.metrics import (
    LOG_LOSS_CLIP,
    mean_over_findings,
    score_findings,
    score_first_label,
)
from dualnet.evaluation.scores.plain_values import plain_values
from dualnet.evaluation.scores.prediction import Prediction, check_prediction
from dualnet.evaluation.scores.truth import Truth, make_truth
from dualnet.evaluation.table import findings_table, format_table, summary_table
from dualnet.evaluation.text.caution import caution
from dualnet.evaluation.text.verdict import judge
from dualnet.findings import Vocabulary

MODEL = "model"


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """A model judged beside its baselines.

    Args:
        truth: The rows.
        model: What the model says of them.
        baselines: What each baseline says of them.
        metrics: All scores as plain values for JSON, `None` where undefined.
        parts: The part of each row, shape (n,).
        findings: The label names of each row.
    """

    truth: Truth
    model: Prediction
    baselines: Mapping[str, Prediction]
    metrics: dict[str, Any]
    parts: np.ndarray
    findings: Sequence[tuple[str, ...]]

    @property
    def predictions(self) -> pd.DataFrame:
        """The answers: `image_id, patient_id, part, findings`, then a column a class.

        Probabilities; of a model without one answer a radiograph, its scores of the
        classes that it scores. Made when asked for: of 112,120 rows it takes 40 MB.
        """
        truth, model = self.truth, self.model
        known = {
            "image_id": truth.image_ids,
            "patient_id": truth.patient_ids,
            "part": self.parts,
            "findings": ["|".join(names) for names in self.findings],
        }
        said = model.scores if model.probabilities is None else model.probabilities
        columns = {
            name: column
            for name, column in zip(truth.class_names, said.T, strict=True)
            if name not in truth.unscored
        }
        return pd.DataFrame({**known, **columns})

    @property
    def verdict(self) -> str:
        """Plain sentences: what the model is shown to beat, and what not."""
        return "\n".join(self.metrics["verdict"]["lines"])

    def table(self) -> list[list[str]]:
        """Returns the header and a row a finding: n, AUROC, AP, the baselines."""
        return findings_table(self.metrics)

    def summary(self) -> list[list[str]]:
        """Returns the header and a row a score over all radiographs."""
        return summary_table(self.metrics)

    def text(self) -> str:
        """Returns a caution if one is due, both tables and the verdict."""
        return format_table(self.metrics)


def evaluate(
    table: pd.DataFrame,
    probabilities: np.ndarray | Prediction,
    *,
    vocabulary: Vocabulary,
    baselines: Mapping[str, Prediction],
    resamples: int,
    seed: int,
    thresholds: Mapping[str, np.ndarray] | None = None,
) -> Evaluation:
    """Judges a model's probabilities beside its baselines.

    Args:
        table: Records of the rows, with their `part`.
        probabilities: Rows that sum to 1, shape (n, num_classes); or a prediction of
            another kind, such as one score a finding.
        vocabulary: Names the classes, in the order of the columns.
        baselines: Predictions for the same rows, by the baseline's name.
        resamples: How often patients are drawn for the intervals.
        seed: Decides the draws.
        thresholds: Operating points that were fitted on validation, one threshold a
            class, by the point's name; none: those of `choose_thresholds`.

    Returns:
        The scores, the predictions and the verdict.
    """
    model = (
        probabilities
        if isinstance(probabilities, Prediction)
        else Prediction(probabilities)
    )
    truth = make_truth(table, vocabulary, unscored=model.unscored)
    judged = {MODEL: model, **baselines}
    for name, prediction in judged.items():
        check_prediction(prediction, truth, name=name)
    draws = resample_patients(truth.patient_ids, num_resamples=resamples, seed=seed)
    metrics = {
        "$schema": SCHEMA,
        "caution": caution(table["part"].tolist() if "part" in table else []),
        **plain_values(_collect_metrics(truth, judged, draws)),
        "operating_points": plain_values(
            _score_points(truth, model, draws, thresholds)
        ),
    }
    metrics["verdict"] = judge(metrics, model, truth)
    return Evaluation(
        truth=truth,
        model=model,
        baselines=baselines,
        metrics=metrics,
        parts=table["part"].to_numpy()
        if "part" in table
        else np.full(len(table), truth.part),
        findings=table["findings"].tolist(),
    )


class _Predicts(Protocol):
    """A Keras model, as far as it is needed here."""

    def predict(self, x: Any, verbose: Any = ...) -> Any: ...


def predict_probabilities(model: _Predicts, batches: Any) -> np.ndarray:
    """Predicts batch by batch: only the probabilities are kept, never the pictures.

    Args:
        model: A Keras model whose output is the probabilities.
        batches: Batches of its inputs, in a fixed order.

    Returns:
        float32, shape (n, num_classes).

    Raises:
        RecordError: If there is no batch.
    """
    if not len(batches):
        raise RecordError(
            "batches: must hold at least one radiograph. Received: 0 batches. "
            "Evaluate another part."
        )
    return np.asarray(model.predict(batches, verbose=0), dtype=np.float32)


@dataclass(frozen=True)
class _Resampled:
    """The scores of one model in every resample.

    Args:
        auroc: Each class's, then their mean over the findings that are defined, shape
            (num_resamples, num_classes + 1).
        average_precision: Likewise.
        weighted: Macro AUROC, each finding counting as often as it occurs, shape
            (num_resamples,).
        rows: Columns `ROW_MEASURES`, (num_resamples, 2).
    """

    auroc: np.ndarray
    average_precision: np.ndarray
    weighted: np.ndarray
    rows: np.ndarray


def _collect_metrics(
    truth: Truth, judged: Mapping[str, Prediction], draws: PatientResamples
) -> dict[str, Any]:
    resampled = {name: _resample(truth, one, draws) for name, one in judged.items()}
    blocks = {
        name: _score(truth, prediction, resampled[name], draws)
        for name, prediction in judged.items()
    }
    paired = {name: _pair(truth, blocks[name], one) for name, one in resampled.items()}
    model = blocks.pop(MODEL)
    return {
        "part": truth.part,
        "num_images": truth.num_images,
        "num_patients": truth.num_patients,
        "class_names": list(truth.class_names),
        "negative": truth.vocabulary.negative,
        "intervals": {
            "level": LEVEL,
            "resamples": draws.num_resamples,
            "of": "patients",
            "seed": draws.seed,
        },
        "log_loss_clip": LOG_LOSS_CLIP,
        "model": model,
        "baselines": blocks,
        "differences": {name: paired[MODEL].minus(paired[name]) for name in blocks},
    }


def _resample(
    truth: Truth, prediction: Prediction, draws: PatientResamples
) -> _Resampled:
    auroc = resample_auroc_and_mean(truth, prediction, draws)
    precision = resample_average_precision(draws, truth.labels, prediction.scores)
    precision[np.isnan(auroc[:, :-1])] = np.nan  # of the same findings is each mean
    scored = truth.is_finding
    return _Resampled(
        auroc=auroc,
        average_precision=np.column_stack(
            [precision, mean_defined(precision[:, scored])]
        ),
        weighted=mean_defined(
            auroc[:, :-1][:, scored], weights=truth.labels[:, scored].sum(axis=0)
        ),
        rows=resample_mean(draws, row_measures(truth, prediction)),
    )


def _score(
    truth: Truth,
    prediction: Prediction,
    resampled: _Resampled,
    draws: PatientResamples,
) -> dict[str, Any]:
    findings = score_findings(truth, prediction.scores)
    macro = mean_over_findings(findings, truth)
    means = {
        "auroc": resampled.auroc[:, -1],
        "weighted_auroc": resampled.weighted,
        "average_precision": resampled.average_precision[:, -1],
    }
    for name, samples in means.items():
        macro[f"{name}_interval"] = percentile_interval(samples).as_dict()
    for measure in ("auroc", "average_precision"):
        columns = getattr(resampled, measure)[:, :-1].T
        for block, samples in zip(findings.values(), columns, strict=True):
            block[f"{measure}_interval"] = percentile_interval(samples).as_dict()
    if prediction.are_probabilities:
        reliable = score_probabilities(truth, prediction.scores, draws)
        macro.update(reliable.pop("macro"))
        for name, scores in reliable.items():
            findings[name].update(scores)
    first = score_first_label(
        truth, prediction.probabilities, why_undefined=prediction.why_no_answer
    )
    for name, samples in zip(ROW_MEASURES, resampled.rows.T, strict=True):
        first[f"{name}_interval"] = percentile_interval(samples).as_dict()
    return {"macro": macro, "findings": findings, "first_label": first}


def _score_points(
    truth: Truth,
    model: Prediction,
    draws: PatientResamples,
    thresholds: Mapping[str, np.ndarray] | None,
) -> dict[str, Any]:
    if thresholds is None:
        thresholds = choose_thresholds(
            truth, model.scores, are_probabilities=model.are_probabilities
        )
    return score_operating_points(truth, model.scores, thresholds, draws=draws)


def _pair(
    truth: Truth, block: Mapping[str, Any], resampled: _Resampled
) -> PairedScores:
    areas = [block["findings"][name]["auroc"] for name in truth.class_names]
    rows = [block["first_label"][name] for name in ROW_MEASURES]
    return PairedScores(
        class_names=truth.class_names,
        auroc=Resampled(np.array([*areas, block["macro"]["auroc"]]), resampled.auroc),
        first_label=Resampled(np.array(rows), resampled.rows),
    )
