"""What the labels are, how often, with which others, and what each rule makes of them."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from dualnet.data.labels import full_labels, make_targets
from dualnet.findings import Vocabulary

SHOWN_STRINGS = 20  # of NIH's 836 label strings, the 20 commonest hold 90 % of the rows


def count_label_strings(findings: pd.Series) -> pd.DataFrame:
    """Counts how often each combination of labels occurs, as it is written.

    Args:
        findings: The label names of each radiograph, in the order of the table.

    Returns:
        `labels` (joined by `|`), `radiographs` and `share`, the commonest first, those
        as common by name.

    Example:
        >>> findings = pd.Series([("Mass",), ("Mass", "Edema"), ("Mass",)])
        >>> count_label_strings(findings)[["labels", "radiographs"]].values.tolist()
        [['Mass', 2], ['Mass|Edema', 1]]
    """
    codes, combinations = pd.factorize(pd.Series(findings.tolist(), dtype="object"))
    table = pd.DataFrame(
        {
            "labels": ["|".join(names) for names in combinations],
            "radiographs": np.bincount(codes, minlength=len(combinations)),
        }
    )
    table["share"] = table["radiographs"] / max(len(findings), 1)
    return table.sort_values(
        ["radiographs", "labels"], ascending=[False, True], ignore_index=True
    )


def count_labels_per_radiograph(findings: pd.Series) -> dict[int, int]:
    """Returns how many radiographs have one label, two, and so on."""
    numbers = np.array([len(names) for names in findings], dtype=np.int64)
    values, counts = np.unique(numbers, return_counts=True)
    return dict(zip(values.tolist(), counts.tolist(), strict=True))


def tabulate_findings(table: pd.DataFrame, vocabulary: Vocabulary) -> pd.DataFrame:
    """Counts each class, and what the label rules keep of it.

    Args:
        table: Records.
        vocabulary: The names that may occur.

    Returns:
        One row a class, in the vocabulary's order: `finding`; `radiographs` labelled
        with it and their `share`; `patients` who have it on any radiograph and their
        `patient_share`; `alone`, the radiographs on which it is the only label;
        `first_kept` and `first_dropped`, those of which the rule `first` keeps and
        loses the label; `first_dropped_share` of `radiographs`; `soft_kept`, all of
        them; `soft_weight`, the mean part of the target that `soft` leaves it. Shares
        of nothing are NaN.
    """
    labels = full_labels(table["findings"], vocabulary)
    first = make_targets(table["findings"], vocabulary, "first").matrix > 0
    soft = make_targets(table["findings"], vocabulary, "soft").matrix
    codes, patients = pd.factorize(table["patient_id"])
    has = np.zeros((len(patients), labels.shape[1]), dtype=bool)
    rows, columns = np.nonzero(labels)
    has[codes[rows], columns] = True
    present, kept = labels.sum(axis=0), first.sum(axis=0)
    counts = pd.DataFrame(
        {
            "finding": vocabulary.class_names,
            "radiographs": present,
            "share": present / max(len(table), 1),
            "patients": has.sum(axis=0),
            "patient_share": has.sum(axis=0) / max(len(patients), 1),
            "alone": (labels & (labels.sum(axis=1) == 1)[:, np.newaxis]).sum(axis=0),
            "first_kept": kept,
            "first_dropped": present - kept,
        }
    )
    counts["first_dropped_share"] = counts["first_dropped"] / counts["radiographs"]
    counts["soft_kept"] = (soft > 0).sum(axis=0)
    weights = pd.Series(soft.sum(axis=0, dtype="float64"))
    counts["soft_weight"] = weights / counts["radiographs"]
    return counts


def count_cooccurrence(labels: np.ndarray) -> np.ndarray:
    """Counts the radiographs that two classes share.

    Args:
        labels: Labels present, bool, shape (rows, classes).

    Returns:
        int64, shape (classes, classes), symmetric; the diagonal holds how many
        radiographs have each class at all.
    """
    values = labels.astype("float64")  # whole numbers, and faster than integers
    return (values.T @ values).astype(np.int64)


def condition(counts: np.ndarray) -> np.ndarray:
    """Turns counts of pairs into shares of the row's class.

    Args:
        counts: As `count_cooccurrence` counts them.

    Returns:
        The share of the radiographs with the row's class that have the column's too,
        float64, shape (classes, classes); NaN in the row of a class that never occurs.
    """
    totals = np.diag(counts).astype("float64")[:, np.newaxis]
    return np.divide(
        counts, totals, out=np.full(counts.shape, np.nan), where=totals > 0
    )


def rank_pairs(
    counts: np.ndarray, class_names: Sequence[str], num_rows: int
) -> pd.DataFrame:
    """Ranks pairs of classes by how many radiographs they share.

    Args:
        counts: As `count_cooccurrence` counts them.
        class_names: Names of its rows and columns.
        num_rows: How many radiographs there are.

    Returns:
        `first`, `second`, `radiographs`, and `lift`: how many times as many as there
        would be if the two were independent; pairs that never occur are left out.
    """
    totals = np.diag(counts)
    pairs = [
        {
            "first": class_names[i],
            "second": class_names[j],
            "radiographs": int(counts[i, j]),
            "lift": float(counts[i, j] * num_rows / (totals[i] * totals[j])),
        }
        for i in range(len(class_names))
        for j in range(i + 1, len(class_names))
        if counts[i, j]
    ]
    columns = ["first", "second", "radiographs", "lift"]
    ranked = pd.DataFrame(pairs, columns=columns)
    return ranked.sort_values("radiographs", ascending=False, ignore_index=True)
