"""The folder that an evaluation leaves: scores, predictions, figures, the report."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

from dualnet.evaluation.evaluate import Evaluation
from dualnet.files import write_json
from dualnet.memory import release_unused
from dualnet.plots.evaluation import plot_evaluation
from dualnet.plots.report.charts import draw_charts
from dualnet.plots.report.writer import write_report
from dualnet.plots.style import save_figure
from dualnet.runs import write_table

SOMETIMES = (  # an evaluation of before may have them
    *("confusion", "calibration", "reliability", "subgroups"),
    *("record_adds", "missing_fields", "counterfactuals", "shortcuts"),
)


@dataclass(frozen=True, kw_only=True)
class WrittenEvaluation:
    """What judging a model left.

    Args:
        folder: Where `metrics.json`, `predictions.csv`, the report and `figures/` lie.
        evaluation: The scores, the predictions and the verdict.
    """

    folder: Path
    evaluation: Evaluation


def write_evaluation(
    folder: Path, evaluation: Evaluation, *, besides: Mapping[str, Figure] | None = None
) -> WrittenEvaluation:
    """Writes an evaluation: predictions, figures, the report, and last the scores.

    Args:
        folder: The folder to write.
        evaluation: What to write.
        besides: More figures, by file name without suffix.

    Returns:
        The evaluation, and where it lies.
    """
    write_table(folder / "predictions.csv", evaluation.predictions)
    release_unused()  # before figures and the report, which need most
    figures = {**plot_evaluation(evaluation), **(besides or {})}
    for name in SOMETIMES:
        if name not in figures:
            (folder / "figures" / f"{name}.png").unlink(missing_ok=True)
    paths = {name: folder / "figures" / f"{name}.png" for name in figures}
    for name, figure in figures.items():
        save_figure(figure, paths[name])
    write_report(
        folder, evaluation.metrics, figures=paths, charts=draw_charts(evaluation)
    )
    write_json(folder / "metrics.json", evaluation.metrics)
    return WrittenEvaluation(folder=folder, evaluation=evaluation)
