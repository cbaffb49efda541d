"""Age, sex, view and follow-up by finding, and how prevalence differs with them."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from dualnet.data.labels import full_labels
from dualnet.evaluation.intervals.bootstrap import (
    PatientResamples,
    percentile_interval,
)
from dualnet.evaluation.intervals.resampling import resample_sums
from dualnet.findings import Vocabulary

ALL = "All radiographs"
FIELDS = ("age_years", "sex", "view_position", "follow_up")
CONTRASTS = {  # of each, in how many radiographs of the first group beside the second
    "view": ("AP views", "PA views"),
    "visit": ("later visits", "first visits"),
    "sex": ("men", "women"),
}
BINS = (1, 2, 3, 6, 11, 21, 51)  # pictures a patient, the least of each bin


def count_known(table: pd.DataFrame) -> dict[str, int]:
    """Returns of how many radiographs each metadata field is known."""
    return {name: int(table[name].notna().to_numpy().sum()) for name in FIELDS}


def describe_by_class(table: pd.DataFrame, vocabulary: Vocabulary) -> pd.DataFrame:
    """Describes the record of the radiographs of each class.

    Args:
        table: Records.
        vocabulary: The names that may occur.

    Returns:
        One row for all radiographs, then one a class: `finding`, `radiographs`;
        `age_mean`, `age_sd` (of a sample), `age_low`, `age_median`, `age_high` (the
        quartiles), in years; `female_share`, `ap_share` and `first_visit_share`
        (follow-up number 0) of those where it is known; `follow_up_median`;
        `pictures_per_patient`. NaN where nothing is known.
    """
    labels = full_labels(table["findings"], vocabulary)
    masks = {ALL: np.ones(len(table), dtype=bool)}
    masks |= dict(zip(vocabulary.class_names, labels.T, strict=True))
    columns = _numbers(table)
    rows = [_describe(name, mask, columns) for name, mask in masks.items()]
    return pd.DataFrame(rows)


def contrast_masks(table: pd.DataFrame) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Finds the groups that `CONTRASTS` names.

    Args:
        table: Records.

    Returns:
        For each contrast of which both groups have radiographs, their masks, bool,
        shape (rows,).
    """
    columns = _numbers(table)
    groups = {
        "view": (columns["ap"] == 1, _text(table, "view_position") == "PA"),
        "visit": (columns["follow_up"] > 0, columns["follow_up"] == 0),
        "sex": (columns["female"] == 0, columns["female"] == 1),
    }
    return {
        name: masks for name, masks in groups.items() if masks[0].any() & masks[1].any()
    }


def compare_prevalence(
    labels: np.ndarray,
    groups: tuple[np.ndarray, np.ndarray],
    class_names: tuple[str, ...],
    resamples: PatientResamples,
) -> pd.DataFrame:
    """Compares how common each class is in two groups of radiographs.

    Args:
        labels: Labels present, bool, shape (rows, classes).
        groups: Two masks, bool, shape (rows,).
        class_names: Names of the classes.
        resamples: Draws of patients over the rows.

    Returns:
        One row a class: `finding`, `first` and `second` (the share of each group's
        radiographs that have it), `ratio` (first over second), `low` and `high` (its
        95 % interval by patient). NaN where a class is absent from the second group.
    """
    values = np.concatenate(
        [np.column_stack([group, labels & group[:, np.newaxis]]) for group in groups],
        axis=1,
    ).astype("float64")
    shares = _shares(values.sum(axis=0)[np.newaxis])[:, 0]
    drawn = _shares(resample_sums(resamples, values))
    ratios = _divide(drawn[0], drawn[1])
    intervals = [percentile_interval(column) for column in ratios.T]
    return pd.DataFrame(
        {
            "finding": class_names,
            "first": shares[0],
            "second": shares[1],
            "ratio": _divide(shares[0], shares[1]),
            "low": [interval.low for interval in intervals],
            "high": [interval.high for interval in intervals],
        }
    )


def count_per_patient(table: pd.DataFrame) -> pd.DataFrame:
    """Counts patients by how many radiographs they have.

    Args:
        table: Records.

    Returns:
        One row a bin: `pictures` (such as `3-5`), `low` and `high` (NA: no end),
        `patients`, `radiographs`, and their shares `patient_share` and
        `radiograph_share`.
    """
    sizes = table["patient_id"].value_counts().to_numpy()
    highs = [*(low - 1 for low in BINS[1:]), None]
    rows = []
    for low, high in zip(BINS, highs, strict=True):
        inside = sizes[(sizes >= low) & (sizes <= (high or sizes.max(initial=0)))]
        name = f"{low}" if low == high else f"{low}-{high}" if high else f"{low}+"
        rows.append((name, low, high, len(inside), int(inside.sum())))
    columns = ["pictures", "low", "high", "patients", "radiographs"]
    counts = pd.DataFrame(rows, columns=columns).astype({"high": "Int64"})
    counts["patient_share"] = counts["patients"] / max(len(sizes), 1)
    counts["radiograph_share"] = counts["radiographs"] / max(len(table), 1)
    return counts


def _describe(
    name: str, mask: np.ndarray, columns: Mapping[str, np.ndarray]
) -> dict[str, object]:
    known = {key: values[mask & ~np.isnan(values)] for key, values in columns.items()}
    age, follow_up = known["age"], known["follow_up"]
    quartiles = np.quantile(age, [0.25, 0.5, 0.75]) if len(age) else [np.nan] * 3
    num_patients = len(np.unique(columns["patient"][mask]))
    return {
        "finding": name,
        "radiographs": int(mask.sum()),
        "age_mean": _mean(age),
        "age_sd": float(age.std(ddof=1)) if len(age) > 1 else np.nan,
        "age_low": float(quartiles[0]),
        "age_median": float(quartiles[1]),
        "age_high": float(quartiles[2]),
        "female_share": _mean(known["female"]),
        "ap_share": _mean(known["ap"]),
        "first_visit_share": _mean(follow_up == 0),
        "follow_up_median": float(np.median(follow_up)) if len(follow_up) else np.nan,
        "pictures_per_patient": mask.sum() / num_patients if num_patients else np.nan,
    }


def _numbers(table: pd.DataFrame) -> dict[str, np.ndarray]:
    """Returns the fields as numbers, NaN where unknown; sex and view as 0 or 1."""
    sex, view = _text(table, "sex"), _text(table, "view_position")
    return {
        "age": table["age_years"].to_numpy("float64", na_value=np.nan),
        "follow_up": table["follow_up"].to_numpy("float64", na_value=np.nan),
        "female": np.where(sex == "", np.nan, sex == "F"),
        "ap": np.where(view == "", np.nan, view == "AP"),
        "patient": pd.factorize(table["patient_id"])[0].astype("float64"),
    }


def _text(table: pd.DataFrame, name: str) -> np.ndarray:
    return table[name].to_numpy(dtype="object", na_value="")


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else float("nan")


def _shares(sums: np.ndarray) -> np.ndarray:
    """Returns each group's shares, shape (2, draws, classes), from sums of masks."""
    halves = np.stack(np.split(sums, 2, axis=1))
    return _divide(halves[..., 1:], halves[..., :1])


def _divide(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    shape = np.broadcast_shapes(numerator.shape, denominator.shape)
    empty = np.full(shape, np.nan)
    return np.divide(numerator, denominator, out=empty, where=denominator > 0)
