"""`training.html` of a run: the page to follow a training by, and to look back at it."""

from datetime import UTC, datetime

from dualnet.jobs.finished import read_vocabulary
from dualnet.jobs.sources import read_dataset
from dualnet.plots.training.facts import TrainingFacts
from dualnet.plots.training.page import write_training_page
from dualnet.runs import RunFolder

REPORT = "report.html"


def write_run_page(run: RunFolder, *, finished: bool) -> None:
    """Writes the page, and `training.png`, from what the run folder holds.

    Args:
        run: A run, while it is trained or after.
        finished: Whether all of it is done.
    """
    config, certificate = run.read_config(), run.read_certificate()
    facts = TrainingFacts(
        name=run.path.resolve().name,
        finished=finished,
        written=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        config=config,
        certificate=certificate,
        vocabulary=read_vocabulary(run, certificate),
        dataset=read_dataset(config, certificate),
        environment=run.read_environment(),
        history=run.read_history(),
        areas=run.read_finding_history(),
        halves=run.read_halves(),
        reports=_find_reports(run),
    )
    write_training_page(
        run.training_page, facts, figure=run.training_figure, samples=run.samples
    )


def link_reports(run: RunFolder) -> None:
    """Writes the page of a finished run anew, with links to its evaluations.

    Args:
        run: A finished run; one of before, that has no page, gets none.
    """
    if run.training_page.is_file():
        write_run_page(run, finished=True)


def _find_reports(run: RunFolder) -> tuple[str, ...]:
    """Finds the reports in the run folder, the test part's first."""
    folder = run.evaluation
    files = [folder / REPORT, *sorted(folder.glob(f"*/{REPORT}"))]
    return tuple(
        file.relative_to(run.path).as_posix() for file in files if file.is_file()
    )
