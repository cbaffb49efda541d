"""Runs side by side on the same radiographs, each against the first, and a verdict."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np
import pandas as pd

from dualnet.evaluation.comparing.comparison_table import (
    comparison_table,
    format_comparison,
)
from dualnet.evaluation.comparing.comparison_verdict import describe_comparison
from dualnet.evaluation.comparing.differences import (
    AUROC,
    JudgedRows,
    Scored,
    describe_scored,
    score,
    subtract,
)
from dualnet.evaluation.intervals.bootstrap import LEVEL
from dualnet.evaluation.intervals.multiplicity import (
    adjust_holm,
    outcome_after_correction,
)
from dualnet.evaluation.scores.plain_values import plain_values

# what the fused model has besides one half of it
ADDED = {"image": "record", "metadata": "picture"}
FUSED = "fused"


@dataclass(frozen=True, kw_only=True)
class ComparedRun:
    """One run's predictions of the radiographs that all have predicted.

    Args:
        name: What it is called, unlike the others.
        folder: Where its predictions lie.
        scores: The higher the likelier, finite, shape (n, num_classes).
        num_predicted: How many radiographs it has predicted, shared or not.
        modality: `fused`, `image` or `metadata`; None where it is not known.
        sibling: The same for runs whose configurations differ only in the modality;
            None where it is not known.
        judged: How it was judged on its own, beside its baselines; kept as it is.
        cost: What the model costs, see `dualnet.jobs.run_cost`; kept as it is.
    """

    name: str
    folder: str
    scores: np.ndarray
    num_predicted: int
    modality: str | None = None
    sibling: str | None = None
    judged: Mapping[str, Any] | None = None
    cost: Mapping[str, Any] | None = None


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Runs compared.

    Args:
        metrics: All numbers as plain values for JSON, `None` where undefined.
    """

    metrics: dict[str, Any]

    @property
    def verdict(self) -> list[str]:
        """Plain sentences: which run beats the first, and which is not shown to."""
        return self.metrics["verdict"]["lines"]

    def table(self) -> pd.DataFrame:
        """Returns a row a run and finding: scores, and the difference to the first."""
        return comparison_table(self.metrics)

    def text(self) -> str:
        """Returns a caution if one is due, the tables and the verdict."""
        return format_comparison(self.metrics)


def compare(
    rows: JudgedRows,
    runs: Sequence[ComparedRun],
    *,
    caution: str | None = None,
    unshared_classes: Sequence[str] = (),
    num_left_out: int = 0,
    phantom: bool = False,
) -> Comparison:
    """Compares runs with the first of them.

    Args:
        rows: The radiographs that all have predicted.
        runs: Two or more, each with the scores of these rows.
        caution: What must be said before any score; none: nothing.
        unshared_classes: Classes that not all runs score, which are left out.
        num_left_out: Radiographs of patients that a run was fitted on, left out.
        phantom: Whether the radiographs are the phantom's.

    Returns:
        The scores side by side, the paired differences and the verdict. p-values of
        the mean AUROC are corrected over the runs, those of the findings over the
        findings, both by Holm.
    """
    scored = {run.name: score(rows, run.scores) for run in runs}
    reference = runs[0].name
    differences = {
        name: subtract(rows, one, scored[reference])
        for name, one in scored.items()
        if name != reference
    }
    _correct(list(differences.values()))
    metrics = plain_values(
        {
            "caution": caution,
            "about": {"phantom": phantom},
            "num_images": len(rows.labels),
            "num_patients": rows.resamples.num_patients,
            "class_names": list(rows.class_names),
            "negative": rows.negative,
            "num_fitted_left_out": num_left_out,
            "unshared_classes": list(unshared_classes),
            "intervals": {
                "level": LEVEL,
                "resamples": rows.resamples.num_resamples,
                "of": "patients",
                "seed": rows.resamples.seed,
            },
            "reference": reference,
            "runs": {run.name: _describe_run(rows, run, scored) for run in runs},
            "differences": differences,
            "additions": _find_additions(rows, runs, scored),
        }
    )
    metrics["verdict"] = {
        "outcomes": {name: one["outcome"] for name, one in differences.items()},
        "lines": describe_comparison(metrics),
    }
    return Comparison(metrics=metrics)


def _describe_run(
    rows: JudgedRows, run: ComparedRun, scored: Mapping[str, Scored]
) -> dict[str, Any]:
    return {
        "folder": run.folder,
        "modality": run.modality,
        "num_predicted": run.num_predicted,
        "num_left_out": run.num_predicted - len(rows.labels),
        "judged": run.judged,
        "cost": None if run.cost is None else dict(run.cost),
        **describe_scored(rows, scored[run.name]),
    }


def _find_additions(
    rows: JudgedRows, runs: Sequence[ComparedRun], scored: Mapping[str, Scored]
) -> list[dict[str, Any]]:
    """Takes a fused run less one of its halves, where nothing else differs."""
    pairs = [
        (fused, half)
        for fused, half in permutations(runs, 2)
        if fused.sibling is not None
        and fused.sibling == half.sibling
        and fused.modality == FUSED
        and half.modality in ADDED
    ]
    additions = [
        {
            "added": ADDED[str(half.modality)],
            "with": fused.name,
            "without": half.name,
            **subtract(rows, scored[fused.name], scored[half.name]),
        }
        for fused, half in pairs
    ]
    _correct(additions)
    return additions


def _correct(differences: Sequence[dict[str, Any]]) -> None:
    """Corrects the means' p-values over the runs, and says how each came out."""
    areas = [one["macro"][AUROC] for one in differences]
    corrected = adjust_holm(np.array([area["p_value"] for area in areas]))
    for difference, area, p_value in zip(differences, areas, corrected, strict=True):
        area["p_holm"] = float(p_value)
        difference["outcome"] = outcome_after_correction(area, p_value)
