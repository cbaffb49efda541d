"""`dualnet compare`: judged runs side by side, on the radiographs that all predicted."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dualnet.config import EvaluationConfig
from dualnet.errors import ConfigError
from dualnet.evaluation.comparing.comparison import ComparedRun, Comparison, compare
from dualnet.evaluation.comparing.differences import JudgedRows
from dualnet.evaluation.intervals.bootstrap import resample_patients
from dualnet.evaluation.text.caution import caution
from dualnet.files import write_json
from dualnet.jobs.finished import FinishedRun
from dualnet.jobs.judged import check_choice
from dualnet.jobs.predicted import Predicted, read_predicted
from dualnet.jobs.run_cost import read_cost
from dualnet.jobs.shared import Shared, settle_patients, share
from dualnet.plots.comparison import plot_comparison
from dualnet.plots.report.writer import write_comparison_report
from dualnet.plots.style import save_figure
from dualnet.runs import write_table

FOLDER = Path("comparison")
# what two runs may differ in and still be told apart by their modality alone: where
# files lie, how they are judged
SAME_RUN_WITHOUT: Any = {
    "model": {"modality"},
    "data": {"path", "pictures", "cache", "workers"},
    "training": {"tensorboard"},
    "evaluation": True,
}


@dataclass(frozen=True, kw_only=True)
class ComparedRuns:
    """What a comparison left.

    Args:
        folder: Where `compare.json`, `compare.csv`, the report and `figures/` lie.
        comparison: The scores, the differences and the verdict.
    """

    folder: Path
    comparison: Comparison


def compare_runs(
    paths: Sequence[Path],
    *,
    part: str = "test",
    out: Path | None = None,
    training_patients: str = "refuse",
) -> ComparedRuns:
    """Compares judged runs with the first of them, and writes what was found.

    Args:
        paths: Two or more run folders, or folders with `predictions.csv` and
            `metrics.json`.
        part: Part of the runs' own radiographs: `train`, `val` or `test`.
        out: Folder to write; none: `comparison`.
        training_patients: What becomes of patients that a run was fitted on:
            `refuse`, `leave-out` or `score`.

    Returns:
        The comparison, and where it lies.
    """
    check_choice(data=None, part=part, training_patients=training_patients)
    all_predicted = _read_all(paths, part)
    shared = settle_patients(
        share(all_predicted),
        refused=("train",) if part == "val" else ("train", "val"),
        training_patients=training_patients,
    )
    comparison = compare(
        _judged_rows(all_predicted, shared),
        _compared_runs(all_predicted, shared),
        caution=caution(shared.fitted_parts.tolist()),
        unshared_classes=shared.unshared,
        num_left_out=shared.num_left_out,
        phantom=any(one.phantom for one in all_predicted),
    )
    folder = out or FOLDER
    write_comparison(folder, comparison)
    return ComparedRuns(folder=folder, comparison=comparison)


def write_comparison(folder: Path, comparison: Comparison) -> None:
    """Writes a comparison: a table, figures, the report, and last the numbers.

    Args:
        folder: The folder to write.
        comparison: What to write.
    """
    write_table(folder / "compare.csv", comparison.table())
    figures = plot_comparison(comparison.metrics)
    paths = {name: folder / "figures" / f"{name}.png" for name in figures}
    for name, figure in figures.items():
        save_figure(figure, paths[name])
    write_comparison_report(folder, comparison.metrics, figures=paths)
    write_json(folder / "compare.json", comparison.metrics)


def _read_all(paths: Sequence[Path], part: str) -> list[Predicted]:
    if len(paths) < 2:
        raise ConfigError(
            f"RUN: must be two or more. Received: {len(paths)}. "
            "Name the run to compare with first, then the others."
        )
    found = [read_predicted(path, part) for path in paths]
    folders = [one.folder.resolve() for one in found]
    for path, folder in zip(paths, folders, strict=True):
        if folders.count(folder) > 1:
            raise ConfigError(
                f"RUN: each must be named once. Received: {path} again. "
                "Name another run."
            )
    return found


def _judged_rows(all_predicted: Sequence[Predicted], shared: Shared) -> JudgedRows:
    first = all_predicted[0]
    table = shared.take(first)
    labels = [
        [name in found for name in shared.class_names] for found in table["findings"]
    ]
    # as the first run's evaluation drew them: the same rows have the same intervals
    resamples = max(one.resamples for one in all_predicted)
    return JudgedRows(
        labels=np.array(labels, dtype=bool),
        class_names=shared.class_names,
        negative=first.negative,
        resamples=resample_patients(
            table["patient_id"].to_numpy(dtype=str),
            num_resamples=resamples or EvaluationConfig().resamples,
            seed=first.seed,
        ),
    )


def _compared_runs(
    all_predicted: Sequence[Predicted], shared: Shared
) -> list[ComparedRun]:
    """Takes each run's scores; runs of one name are told apart by their paths."""
    count = Counter(one.name for one in all_predicted)
    return [
        ComparedRun(
            name=one.name if count[one.name] == 1 else str(one.folder),
            folder=str(one.folder),
            scores=shared.take(one)[list(shared.class_names)].to_numpy(),
            num_predicted=len(one.table),
            modality=one.run.config.model.modality if one.run else None,
            sibling=_sibling(one.run) if one.run else None,
            judged=one.judged,
            cost=read_cost(one.run) if one.run else None,
        )
        for one in all_predicted
    ]


def _sibling(run: FinishedRun) -> str:
    """Tells apart runs that differ in more than the modality, or where files lie."""
    values = run.config.model_dump(mode="json", exclude=SAME_RUN_WITHOUT)
    return json.dumps([values, run.certificate["split_sha256"]])
