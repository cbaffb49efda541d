"""The folder that an evaluation leaves: scores, predictions, figures."""

from pathlib import Path

from dualnet.evaluation.evaluate import Evaluation
from dualnet.files import write_json
from dualnet.plots.evaluation import plot_evaluation
from dualnet.plots.style import save_figure
from dualnet.runs import write_table

SOMETIMES = ("confusion", "calibration", "reliability", "subgroups")


def write_evaluation(folder: Path, evaluation: Evaluation) -> None:
    """Writes an evaluation: scores, predictions and figures.

    Args:
        folder: The folder to write.
        evaluation: What to write.
    """
    write_table(folder / "predictions.csv", evaluation.predictions)
    figures = plot_evaluation(evaluation)
    for name in SOMETIMES:
        if name not in figures:  # an evaluation of before had it
            (folder / "figures" / f"{name}.png").unlink(missing_ok=True)
    for name, figure in figures.items():
        save_figure(figure, folder / "figures" / f"{name}.png")
    write_json(folder / "metrics.json", evaluation.metrics)
