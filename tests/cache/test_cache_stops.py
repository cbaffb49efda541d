"""The cache is whole after any stop, the same bytes whoever made it."""

import errno
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dualnet.data import cache_writer
from dualnet.data.cache import open_cache, verify_cache
from dualnet.errors import StorageError

from .cache_cases import (
    NUM_PICTURES,
    PER_SHARD,
    Calls,
    check_pixels,
    contents,
    make_table,
    prepare,
)

# --- stopped at any moment


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_the_bytes_do_not_depend_on_the_workers(
    table: pd.DataFrame, tmp_path: Path, workers: int
) -> None:
    Path(table["path"][2]).write_bytes(b"no picture")
    expected = contents(prepare(table, tmp_path / "one", workers=1).folder)
    found = contents(prepare(table, tmp_path / "two", workers=workers).folder)
    assert found == expected


@pytest.mark.parametrize("stop_at", [1, 7, 8, 9, 16, 17, 19, 20])
def test_the_bytes_do_not_depend_on_a_stop(
    table: pd.DataFrame, tmp_path: Path, stop_at: int
) -> None:
    Path(table["path"][2]).write_bytes(b"no picture")
    expected = contents(prepare(table, tmp_path / "whole").folder)
    folder = tmp_path / "stopped"
    with pytest.raises(KeyboardInterrupt):
        prepare(table, folder, progress=Calls(stop_at))
    finished = (stop_at - 1) // PER_SHARD
    assert len(list(folder.glob("shard-*.npy"))) == finished
    calls = Calls()
    prepare(table, folder, progress=calls)
    assert calls.seen[-1][1] == NUM_PICTURES - finished * PER_SHARD
    assert contents(folder) == expected


SCRIPT = """
import sys
from pathlib import Path
import pandas as pd
from dualnet.data import cache_writer
from dualnet.data.cache import prepare_cache
cache_writer.SHARD_PICTURES = 8
table = pd.read_csv(sys.argv[1], dtype="str")
print("ready", flush=True)
prepare_cache(table, Path(sys.argv[2]), image_size=16, workers=2)
"""


@contextmanager
def running(table: Path, folder: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", SCRIPT, str(table), str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
    finally:
        process.kill()
        process.communicate()


def test_a_killed_preparation_loses_nothing_and_changes_nothing(
    tmp_path: Path,
) -> None:
    table = make_table(tmp_path / "images", 160)
    table.to_csv(tmp_path / "table.csv", index=False)
    started = time.monotonic()
    expected = contents(prepare(table, tmp_path / "whole").folder)
    duration = time.monotonic() - started
    folder, kills = tmp_path / "killed", 0
    for number in range(3):
        with running(tmp_path / "table.csv", folder) as process:
            time.sleep(duration * (0.05 + 0.3 * number))
            process.send_signal(signal.SIGKILL)
            kills += process.wait() == -signal.SIGKILL
        if (folder / "manifest.json").exists():
            open_cache(folder)
            verify_cache(folder)
    assert kills
    prepare(table, folder)
    assert contents(folder) == expected


def test_two_preparations_at_once_make_one_cache(
    table: pd.DataFrame, tmp_path: Path
) -> None:
    expected = contents(prepare(table, tmp_path / "alone").folder)
    with ThreadPoolExecutor(3) as pool:
        jobs = [pool.submit(prepare, table, tmp_path / "shared") for _ in range(3)]
        for job in jobs:
            check_pixels(job.result(), table)
    assert contents(tmp_path / "shared") == expected


def test_a_second_preparation_waits_and_says_so(
    table: pd.DataFrame, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "cache"
    with ThreadPoolExecutor(1) as pool, caplog.at_level(logging.INFO, "dualnet"):
        with cache_writer._lock(folder):
            job = pool.submit(prepare, table, folder)
            deadline = time.monotonic() + 10
            while "waiting for its end" not in caplog.text:
                assert time.monotonic() < deadline
                time.sleep(0.01)
            assert not job.done()
        check_pixels(job.result(), table)


# --- the disk


def test_prepare_cache_asks_for_room_first(
    table: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = cache_writer.shutil.disk_usage(tmp_path)._replace(free=1_500_000)
    monkeypatch.setattr(cache_writer.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(StorageError, match=r"0\.02 GB free .* Received: 0\.00 GB"):
        prepare(table, tmp_path / "cache")
    assert not list((tmp_path / "cache").glob("shard-*"))


def test_a_full_disk_keeps_what_was_finished(
    table: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "cache"
    expected = contents(prepare(table, tmp_path / "whole").folder)
    write_header = np.lib.format.write_array_header_1_0
    headers = 0

    def write_or_fail(*args: object) -> None:
        nonlocal headers
        headers += 1
        if headers == 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write_header(*args)  # pyright: ignore

    monkeypatch.setattr(np.lib.format, "write_array_header_1_0", write_or_fail)
    with pytest.raises(StorageError, match=r"shard-\w+\.npy: .*No space left"):
        prepare(table, folder)
    assert len(open_cache(folder)) == PER_SHARD
    assert not list(folder.glob(".shard-*"))
    prepare(table, folder)
    assert contents(folder) == expected


def test_prepare_cache_says_that_a_folder_may_not_be_written(
    table: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(StorageError, match=r"cache: .*Permission denied"):
        prepare(table, tmp_path / "cache")
