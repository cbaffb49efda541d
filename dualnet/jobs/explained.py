"""What an explanation says of one radiograph, as plain values: all but its heat map."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from dualnet.data.metadata import CATEGORIES, FIELD_COLUMNS
from dualnet.evaluation.auditing.audit import draw_references
from dualnet.evaluation.intervals.bootstrap import (
    percentile_interval,
    resample_mean,
    resample_patients,
)
from dualnet.evaluation.probabilities.calibration import Calibration
from dualnet.explain.counterfactual_curves import (
    Curve,
    compute_curves,
    compute_probabilities,
    list_values,
)
from dualnet.explain.neighbours import find_neighbours
from dualnet.explain.observed import observe_near
from dualnet.explain.shapley import PICTURE, SCALES, Shares, compute_shares
from dualnet.explain.split_model import Cases, SplitModel
from dualnet.jobs.chosen import Row, as_table, describe_record
from dualnet.jobs.finished import FinishedRun
from dualnet.jobs.predicting import spread_outputs
from dualnet.jobs.training_cases import TrainingCases

NUM_REFERENCES = 256  # patients; each is asked 32 times, of the last layers alone


@dataclass(frozen=True, kw_only=True)
class Explained:
    """One radiograph, and the model that is asked about it.

    Args:
        run: The run.
        row: The radiograph's record.
        model: The run's model, split.
        case: What the model is told of the radiograph.
        calibration: What brings probabilities to how often they are right; None: they
            are shown as the model says them.
    """

    run: FinishedRun
    row: Row
    model: SplitModel
    case: Cases
    calibration: Calibration | None

    def show(self, probabilities: np.ndarray) -> np.ndarray:
        """Returns probabilities of the outputs as they are shown, a column a class."""
        spread = spread_outputs(self.run, probabilities)
        return spread if self.calibration is None else self.calibration.apply(spread)

    @property
    def patient_id(self) -> str | None:
        """Whose radiograph it is; None if that is not known."""
        return self.row.get("patient_id")


def describe_probabilities(
    explained: Explained, judged: pd.DataFrame | None
) -> dict[str, dict[str, Any]]:
    """Says how likely each class is, and what was observed at such a probability.

    Args:
        explained: The radiograph.
        judged: The judged radiographs of the test part: `patient_id`, `findings` and a
            column a class, the model's probability; None if the run is not judged.

    Returns:
        By class, in their order: `probability`, and `observed`, with `share`, `low`,
        `high`, `num_patients`, `num_positive`, `lowest` and `highest`, or None.
    """
    names = explained.run.vocabulary.class_names
    logits = explained.model.answer(explained.case).logits
    said = explained.show(compute_probabilities(logits, explained.model.activation))[0]
    found: dict[str, dict[str, Any]] = {
        name: {"probability": float(one), "observed": None}
        for name, one in zip(names, said, strict=True)
        if not np.isnan(one)
    }
    if judged is None:
        return found
    others = judged[judged["patient_id"] != explained.patient_id]
    scores = others.reindex(columns=list(names)).to_numpy(np.float64)
    if explained.calibration is not None:
        scores = explained.calibration.apply(scores)
    patient_ids = others["patient_id"].to_numpy(dtype=str)
    for name, one in found.items():
        column = names.index(name)
        present = np.array([name in labels for labels in others["findings"]], bool)
        seen = observe_near(one["probability"], scores[:, column], present, patient_ids)
        if seen is not None:
            one["observed"] = {**vars(seen), "share": seen.share}
    return found


def describe_shares(
    explained: Explained, training: TrainingCases, column: int
) -> dict[str, Any]:
    """Says how much of an answer is the picture's, and each field's.

    Args:
        explained: The radiograph.
        training: What it is compared with.
        column: Which output is explained.

    Returns:
        `reference`, which says what the shares are against, and for each of `SCALES`
        `from` (the mean reference), `to` (the radiograph) and `players`, each with
        `share` and its interval.
    """
    seed = explained.run.config.seed
    own = training.patient_ids == explained.patient_id
    others = np.flatnonzero(~own)
    drawn = others[
        draw_references(
            training.patient_ids[others], seed=seed, num_patients=NUM_REFERENCES
        )
    ]
    encoder = explained.run.encoder
    fields = dict(zip(encoder.fields, encoder.field_columns, strict=True))
    found: dict[str, Any] = {
        "reference": {"num_patients": len(drawn), "part": "train", "seed": seed}
    }
    told = _describe_values(explained, training.table.iloc[drawn])
    for scale in SCALES:
        shares = compute_shares(
            explained.model,
            explained.case,
            training.cases.take(drawn),
            fields=fields if explained.model.reads_metadata else {},
            scale=scale,
        )
        found[scale] = _describe_scale(explained, shares, column, told)
    return found


def describe_curves(explained: Explained, name: str) -> list[dict[str, Any]]:
    """Says what the probability of a class would be, were one field another.

    Args:
        explained: The radiograph.
        name: The class.

    Returns:
        A curve a field: `field`, `values`, `probabilities`, the place of the
        radiograph's `own` value, and `typical`.
    """
    if not explained.model.reads_metadata:
        return []
    run, record = explained.run, as_table([explained.row])
    taught, everyone = run.taught_missing, run.records
    train = everyone[everyone["part"] == "train"]
    curves = compute_curves(
        explained.model,
        explained.case.pictures,
        record,
        encoder=run.encoder,
        values={
            field: list_values(train, record, field, unknown=taught[field] > 0)
            for field in run.encoder.fields
        },
        train=train,
    )
    column = run.vocabulary.class_names.index(name)
    return [_describe_curve(explained, curve, column) for curve in curves]


def describe_neighbours(
    explained: Explained, training: TrainingCases, name: str
) -> dict[str, Any]:
    """Names the training radiographs that the model sees most like this one.

    Args:
        explained: The radiograph.
        training: Among whom they are looked for.
        name: The class in question.

    Returns:
        `cases`, each with `image_id` and `distance`, nearest first; the `median`
        distance of all; how many of the cases have the class, and what share of all.
    """
    model = explained.model
    found = find_neighbours(
        model.answer(training.cases).features,
        model.answer(explained.case).features[0],
        training.patient_ids,
        patient_id=explained.patient_id,
    )
    present = np.array([name in labels for labels in training.table["findings"]], bool)
    nearest = training.table["image_id"].iloc[found.rows]
    return {
        "cases": [
            {"image_id": str(image_id), "distance": float(distance)}
            for image_id, distance in zip(nearest, found.distances, strict=True)
        ],
        "median": found.median,
        "num_with_finding": int(present[found.rows].sum()),
        "share_with_finding": float(present.mean()),
        "num_images": len(training.table),
        "num_patients": int(training.table["patient_id"].nunique()),
        "num_all": training.num_all,
    }


def _describe_scale(
    explained: Explained, shares: Shares, column: int, told: dict[str, dict[str, str]]
) -> dict[str, Any]:
    settings = explained.run.config
    each = shares.by_reference[:, :, column]
    draws = resample_patients(  # each reference is of another patient
        np.arange(len(each)).astype(str),
        num_resamples=settings.evaluation.resamples,
        seed=settings.seed,
    )
    drawn = resample_mean(draws, each)
    means = shares.means[:, column]
    return {
        "from": float(shares.reference[column]),
        "to": float(shares.case[column]),
        "players": [
            {
                "player": player,
                **told[player],
                "share": float(value),
                "share_interval": percentile_interval(samples).as_dict(),
            }
            for player, value, samples in zip(
                shares.players, means, drawn.T, strict=True
            )
        ],
    }


def _describe_values(
    explained: Explained, references: pd.DataFrame
) -> dict[str, dict[str, str]]:
    """Says of each player what it is here, and what it is of the references."""
    told = {PICTURE: {"value": "this one", "reference": "those of the references"}}
    shown = describe_record(explained.run, explained.row)
    for field, value in shown.items():
        column = references[FIELD_COLUMNS[field]]
        if field in CATEGORIES:
            counts = column.fillna("unknown").value_counts(normalize=True)
            said = ", ".join(f"{share:.0%} {one}" for one, share in counts.items())
        else:
            known = column.dropna().astype("float64")
            said = f"mean {known.mean():.1f}" if len(known) else "unknown"
        told[field] = {"value": _shorten(value), "reference": said}
    return told


def _shorten(value: str) -> str:
    """Returns a number without decimals that say nothing: 57, not 57.0."""
    return value.removesuffix(".0")


def _describe_curve(explained: Explained, curve: Curve, column: int) -> dict[str, Any]:
    shown: Sequence[float] = explained.show(curve.probabilities)[:, column].tolist()
    return {
        "field": curve.field,
        "values": list(curve.values),
        "probabilities": list(shown),
        "own": curve.own,
        "typical": None if curve.typical is None else list(curve.typical),
    }
