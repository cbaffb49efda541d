"""The folder that an evaluation leaves: scores, predictions, figures, the report."""

from pathlib import Path

from dualnet.evaluation.evaluate import Evaluation
from dualnet.files import write_json
from dualnet.plots.evaluation import plot_evaluation
from dualnet.plots.report.charts import draw_charts
from dualnet.plots.report.writer import write_report
from dualnet.plots.style import save_figure
from dualnet.runs import write_table

SOMETIMES = ("confusion", "calibration", "reliability", "subgroups")


def write_evaluation(folder: Path, evaluation: Evaluation) -> None:
    """Writes an evaluation: predictions, figures, the report, and last the scores.

    Args:
        folder: The folder to write.
        evaluation: What to write.
    """
    write_table(folder / "predictions.csv", evaluation.predictions)
    figures = plot_evaluation(evaluation)
    for name in SOMETIMES:
        if name not in figures:  # an evaluation of before had it
            (folder / "figures" / f"{name}.png").unlink(missing_ok=True)
    paths = {name: folder / "figures" / f"{name}.png" for name in figures}
    for name, figure in figures.items():
        save_figure(figure, paths[name])
    write_report(
        folder, evaluation.metrics, figures=paths, charts=draw_charts(evaluation)
    )
    write_json(folder / "metrics.json", evaluation.metrics)
