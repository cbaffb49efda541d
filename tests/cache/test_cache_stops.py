"""The cache is whole after any stop, the same bytes whoever made it."""

import errno
import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dualnet.data.cache import open_cache
from dualnet.data.cache_folder import lock_cache
from dualnet.data.cache_manifest import read_manifest
from dualnet.errors import StorageError

from .cache_cases import (
    NUM_PICTURES,
    PER_SHARD,
    Calls,
    check_pixels,
    contents,
    draw,
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


def prepare_and_kill(table: Path, folder: Path, seconds: float) -> tuple[bool, float]:
    """Returns whether a preparation was killed in its course; how long it took."""
    command = [sys.executable, "-c", SCRIPT, str(table), str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        started = time.monotonic()
        with suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
        process.send_signal(signal.SIGKILL)
        killed = process.wait() == -signal.SIGKILL
        return killed, time.monotonic() - started
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(
    "kills", [2, pytest.param(20, marks=pytest.mark.slow)], ids=str
)
def test_a_preparation_killed_at_a_random_moment_ends_in_the_same_bytes(
    tmp_path: Path, kills: int
) -> None:
    random = np.random.default_rng(kills)
    table = make_table(tmp_path / "images", 320)
    for number in (2, 100, 319):
        Path(table["path"][number]).write_bytes(b"no picture")
    table.to_csv(tmp_path / "table.csv", index=False)
    whole = tmp_path / "whole"
    _, seconds = prepare_and_kill(tmp_path / "table.csv", whole, seconds=60)
    expected = contents(prepare(table, whole).folder)
    seen = 0
    for attempt in range(3 * kills):
        folder = tmp_path / f"killed {attempt}"
        moment = seconds * random.uniform(0, 0.95)
        killed, _ = prepare_and_kill(tmp_path / "table.csv", folder, moment)
        if (folder / "manifest.json").exists():
            open_cache(folder)
        assert contents(prepare(table, folder).folder) == expected
        seen += killed
        if seen == kills:
            return
    pytest.fail(f"only {seen} of {kills} preparations were killed in their course")


@pytest.mark.parametrize(
    "stride", [11, pytest.param(1, marks=pytest.mark.slow)], ids=str
)
@pytest.mark.parametrize("start", ["nothing", "a changed picture", "much to do"])
def test_a_preparation_killed_before_any_file_operation_ends_in_the_same_bytes(
    tmp_path: Path, start: str, stride: int
) -> None:
    table = make_table(tmp_path / "images", NUM_PICTURES)
    Path(table["path"][2]).write_bytes(b"no picture")
    if start != "nothing":
        prepare(table, tmp_path / "start")
        draw(Path(table["path"][9]), seed=1009)
    if start == "much to do":  # one shard lost, one picture bad, ten new
        lost = read_manifest(tmp_path / "start").shards[0].file_name
        (tmp_path / "start" / lost).unlink()
        Path(table["path"][17]).write_bytes(b"")
        table = make_table(tmp_path / "images", NUM_PICTURES + 10)
    table.to_csv(tmp_path / "table.csv", index=False)
    done = subprocess.run(
        [sys.executable, "-m", "cache.cache_kills", str(tmp_path), str(stride)],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    kills = int(done.stdout.split()[-1])
    assert kills >= 10 // stride


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
        with lock_cache(folder):
            job = pool.submit(prepare, table, folder)
            deadline = time.monotonic() + 10
            while "waiting for its end" not in caplog.text:
                assert time.monotonic() < deadline
                time.sleep(0.01)
            assert not job.done()
        check_pixels(job.result(), table)


def test_what_a_stop_left_is_removed_unless_another_process_is_at_work(
    table: pd.DataFrame, tmp_path: Path
) -> None:
    expected = contents(prepare(table, tmp_path / "cache").folder)
    left = tmp_path / "cache" / "shard-0123456789abcdef.npy"
    left.write_bytes(b"what a stop left")
    with lock_cache(tmp_path / "cache"):
        prepare(table, tmp_path / "cache")
        assert left.exists()
    prepare(table, tmp_path / "cache")
    assert contents(tmp_path / "cache") == expected


# --- the disk


def test_prepare_cache_asks_for_room_first(
    table: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=1_500_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
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
