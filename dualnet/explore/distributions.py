"""How sizes and gray levels of the pictures are distributed, class by class."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from dualnet.data.labels import full_labels
from dualnet.findings import Vocabulary

QUANTILES = {"q05": 0.05, "q25": 0.25, "median": 0.5, "q75": 0.75, "q95": 0.95}
MIN_PICTURES = 5  # fewer have no quartiles worth drawing


def group_pictures(
    table: pd.DataFrame, vocabulary: Vocabulary
) -> dict[str, dict[str, np.ndarray]]:
    """Groups pictures by class, and where there are several, by source.

    Args:
        table: Records.
        vocabulary: The names that may occur.

    Returns:
        `class` and, of more than one source, `source`: masks, bool, shape (rows,), by
        name; groups of fewer than `MIN_PICTURES` are left out.
    """
    labels = full_labels(table["findings"], vocabulary)
    groups = {"class": dict(zip(vocabulary.class_names, labels.T, strict=True))}
    sources = table["source"].to_numpy("object")
    if len(set(sources)) > 1:
        groups["source"] = {name: sources == name for name in sorted(set(sources))}
    return {
        kind: {name: mask for name, mask in one.items() if mask.sum() >= MIN_PICTURES}
        for kind, one in groups.items()
    }


def describe_distribution(
    values: np.ndarray, groups: Mapping[str, np.ndarray]
) -> pd.DataFrame:
    """Describes one measure in each group.

    Args:
        values: One a picture, shape (rows,).
        groups: Masks, bool, shape (rows,), none empty.

    Returns:
        One row a group: `group`, `pictures`, `mean`, and `QUANTILES`.
    """
    rows = [
        {
            "group": name,
            "pictures": int(mask.sum()),
            "mean": float(values[mask].mean()),
            **{
                quantile: float(np.quantile(values[mask], share))
                for quantile, share in QUANTILES.items()
            },
        }
        for name, mask in groups.items()
    ]
    columns = ["group", "pictures", "mean", *QUANTILES]
    return pd.DataFrame(rows, columns=columns)


def count_sizes(
    measures: pd.DataFrame, groups: Mapping[str, np.ndarray]
) -> pd.DataFrame:
    """Counts pictures by size and mode, in all and in each group.

    Args:
        measures: With `width`, `height` and `mode`.
        groups: Masks, bool, shape (rows,).

    Returns:
        One row a kind of file, the commonest first: `width`, `height`, `mode`,
        `pictures`, then one column a group.
    """
    keys = ["width", "height", "mode"]
    marks = pd.DataFrame({"pictures": 1, **groups}, index=measures.index)
    counted = pd.concat([measures[keys], marks.astype("int64")], axis=1)
    counts = counted.groupby(keys, as_index=False).sum()
    return counts.sort_values("pictures", ascending=False, ignore_index=True)
