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
BYTE_LINES = 50  # of a job that takes hours


@contextmanager
def show_progress(description: str, *, in_bytes: bool = False) -> Iterator[Progress]:
    """Shows how far a job is: a bar on a terminal, else a log line each tenth.

    Args:
        description: What is going on, such as `"preparing pictures"`.
        in_bytes: Whether bytes are counted: they are long, and may have come in part
            before, so that the time left is shown and a line comes each fiftieth.

    Yields:
        A function to call with the number done and the number in all.
    """
    if sys.stderr.isatty():
        with _bar(description, in_bytes=in_bytes) as update:
            yield update
    else:
        yield _byte_lines(description) if in_bytes else _lines(description)


def format_bytes(num_bytes: float) -> str:
    """Returns a number of bytes for a person, in units of a thousand.

    Args:
        num_bytes: How many.

    Returns:
        Three digits or more, and the unit.

    Example:
        >>> format_bytes(42_000_000_000)
        '42.0 GB'
    """
    for unit in ("bytes", "kB", "MB"):
        if num_bytes < 1000:
            return f"{num_bytes:.{0 if unit == 'bytes' else 1}f} {unit}"
        num_bytes /= 1000
    return f"{num_bytes:.1f} GB"


@contextmanager
def _bar(description: str, *, in_bytes: bool) -> Iterator[Progress]:
    from rich import progress  # here: it costs a tenth of a second

    counts = (
        (progress.DownloadColumn(), progress.TransferSpeedColumn())
        if in_bytes
        else (
            progress.MofNCompleteColumn(),
            progress.TextColumn("{task.fields[rate]}"),
        )
    )
    columns = (
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        *counts,
        progress.TimeRemainingColumn(),
    )
    started = time.monotonic()
    with progress.Progress(*columns, console=_console()) as bar:
        task = bar.add_task(description, total=None, rate="")

        def update(done: int, total: int) -> None:
            rate = f"{done / max(time.monotonic() - started, 1e-3):.0f}/s"
            bar.update(task, completed=done, total=total, rate=rate)

        with _log_above_the_bar():
            yield update


@contextmanager
def _log_above_the_bar() -> Iterator[None]:
    """Sends log lines through the bar's own standard error, so that it stays below."""
    handlers = [
        handler
        for handler in logging.getLogger("dualnet").handlers
        if isinstance(handler, logging.StreamHandler)
    ]
    streams = [handler.stream for handler in handlers]
    for handler in handlers:
        handler.setStream(sys.stderr)
    try:
        yield
    finally:
        for handler, stream in zip(handlers, streams, strict=True):
            handler.setStream(stream)


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


def _byte_lines(description: str) -> Progress:
    started = time.monotonic()
    first: int | None = None
    last = 0

    def update(done: int, total: int) -> None:
        nonlocal first, last
        if first is None:
            first, last = done, BYTE_LINES * done // max(total, 1)
        step = BYTE_LINES * done // max(total, 1)
        if step > last:
            last = step
            rate = max(done - first, 1) / max(time.monotonic() - started, 1e-3)
            logger.info(
                "%s: %s of %s, %s/s, %.0f min left",
                description,
                format_bytes(done),
                format_bytes(total),
                format_bytes(rate),
                (total - done) / rate / 60,
            )

    return update
