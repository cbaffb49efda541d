"""Progress of long work: a bar on a terminal, plain lines elsewhere."""

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

logger = logging.getLogger(__name__)

Progress = Callable[[int, int], None]
"""Called with how many are done and how many there are in all."""

LINES = 10  # plain lines a job, where there is no terminal


@contextmanager
def show_progress(description: str) -> Iterator[Progress]:
    """Shows how far a job is: a bar on a terminal, else a log line each tenth.

    Args:
        description: What is going on, such as `"preparing pictures"`.

    Yields:
        A function to call with the number done and the number in all.
    """
    if sys.stderr.isatty():
        with _bar(description) as update:
            yield update
    else:
        yield _lines(description)


@contextmanager
def _bar(description: str) -> Iterator[Progress]:
    from rich import progress  # here: it costs a tenth of a second

    columns = (
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TextColumn("{task.fields[rate]}"),
        progress.TimeRemainingColumn(),
    )
    started = time.monotonic()
    with progress.Progress(*columns, console=_console()) as bar:
        task = bar.add_task(description, total=None, rate="")

        def update(done: int, total: int) -> None:
            rate = f"{done / max(time.monotonic() - started, 1e-3):.0f}/s"
            bar.update(task, completed=done, total=total, rate=rate)

        yield update


def _console() -> "Console":
    from rich.console import Console

    return Console(stderr=True)


def _lines(description: str) -> Progress:
    started = time.monotonic()
    last = 0

    def update(done: int, total: int) -> None:
        nonlocal last
        tenth = LINES * done // max(total, 1)
        if tenth > last:
            last = tenth
            rate = done / max(time.monotonic() - started, 1e-3)
            logger.info("%s: %s of %s, %.0f/s", description, done, total, rate)

    return update
