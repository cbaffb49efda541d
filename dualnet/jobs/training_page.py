"""`training.html` of a run: the page to follow a training by, and to look back at it."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Literal

from dualnet.jobs.finished import read_vocabulary
from dualnet.jobs.sources import read_dataset
from dualnet.plots.training.facts import TrainingFacts
from dualnet.plots.training.page import write_training_page
from dualnet.runs import RunFolder

REPORT = "report.html"


def write_run_page(
    run: RunFolder, state: Literal["running", "stopped", "finished"]
) -> None:
    """Writes the page, and `training.png`, from what the run folder holds.

    Args:
        run: A run, while it is trained or after.
        state: How far it is; `finished` with its calibration.
    """
    config, certificate = run.read_config(), run.read_certificate()
    facts = TrainingFacts(
        name=run.path.resolve().name,
        state=state,
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


@contextmanager
def noting_a_stop(run: RunFolder) -> Iterator[None]:
    """Has the page say so where what is inside is stopped, or fails.

    Args:
        run: The run folder; a page that is not there yet stays away.

    Yields:
        Nothing.
    """
    try:
        yield
    except BaseException:
        if run.training_page.is_file():
            write_run_page(run, "stopped")
        raise


def link_reports(run: RunFolder) -> None:
    """Writes the page of a finished run anew, with links to its evaluations.

    Args:
        run: A finished run; one of before, that has no page, gets none.
    """
    if run.training_page.is_file():
        write_run_page(run, "finished")


def _find_reports(run: RunFolder) -> tuple[str, ...]:
    """Finds the reports in the run folder, the test part's first."""
    folder = run.evaluation
    files = [folder / REPORT, *sorted(folder.glob(f"*/{REPORT}"))]
    return tuple(
        file.relative_to(run.path).as_posix() for file in files if file.is_file()
    )
