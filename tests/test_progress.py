"""Progress: a bar on a terminal, plain lines elsewhere."""

import io
import logging
import re
import sys

import pytest

from dualnet.progress import format_bytes, show_progress


def test_bytes_are_said_with_what_is_left(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with (
        caplog.at_level("INFO", "dualnet"),
        show_progress("downloading", in_bytes=True) as progress,
    ):
        for done in (20, 21, 40, 50, 100):
            progress(done * 10**9, 100 * 10**9)
    said = [record.getMessage() for record in caplog.records]
    assert [line.split(", ")[0] for line in said] == [
        f"downloading: {done}.0 GB of 100.0 GB" for done in (40, 50, 100)
    ]
    assert all(re.search(r"/s, \d+ min left$", line) for line in said)


@pytest.mark.parametrize(
    ("num_bytes", "text"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (2_008_470_987, "2.0 GB"),
        (5e12, "5000.0 GB"),
    ],
)
def test_bytes_for_a_person(num_bytes: float, text: str) -> None:
    assert format_bytes(num_bytes) == text


@pytest.mark.parametrize("in_bytes", [True, False])
def test_log_lines_go_through_the_bar_and_back(
    in_bytes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, terminal = io.StringIO(), io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    handler = logging.StreamHandler(before)
    logger = logging.getLogger("dualnet")
    monkeypatch.setattr(logger, "handlers", [handler])  # none that a command has left
    with show_progress("working", in_bytes=in_bytes) as progress:
        progress(1, 2)
        logger.warning("said meanwhile")
    logger.warning("said afterwards")
    assert "said meanwhile" in terminal.getvalue()
    assert before.getvalue() == "said afterwards\n"
