"""The cache: whole after any stop, the same bytes whoever made it, damage found."""

import errno
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from dualnet.data import cache_writer
from dualnet.data.cache import Cache, open_cache, prepare_cache, verify_cache
from dualnet.data.cache_manifest import (
    Manifest,
    Shard,
    read_manifest,
    write_manifest,
)
from dualnet.data.images import read_image
from dualnet.errors import CacheError, StorageError

SIDE = 16
NUM_PICTURES = 20
PER_SHARD = 8


@pytest.fixture(autouse=True)
def _small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_writer, "SHARD_PICTURES", PER_SHARD)


def draw(path: Path, seed: int) -> None:
    values = np.random.default_rng(seed).integers(0, 256, (2 * SIDE, 2 * SIDE))
    Image.fromarray(values.astype(np.uint8)).save(path)


@pytest.fixture
def table(tmp_path: Path) -> pd.DataFrame:
    return make_table(tmp_path / "images", NUM_PICTURES)


def make_table(folder: Path, num_pictures: int) -> pd.DataFrame:
    folder.mkdir(exist_ok=True)
    names = [f"{number:08d}_000.png" for number in range(num_pictures)]
    for number, name in enumerate(names):
        if not (folder / name).exists():
            draw(folder / name, number)
    paths = [str(folder / name) for name in names]
    return pd.DataFrame({"image_id": names, "path": paths})


class Calls:
    """A progress callback that remembers, and stops the work on request."""

    def __init__(self, stop_at: int | None = None) -> None:
        self.seen: list[tuple[int, int]] = []
        self.stop_at = stop_at

    def __call__(self, done: int, total: int) -> None:
        self.seen.append((done, total))
        if done == self.stop_at:
            raise KeyboardInterrupt


def prepare(
    table: pd.DataFrame,
    folder: Path,
    *,
    workers: int = 2,
    progress: Callable[[int, int], None] | None = None,
) -> Cache:
    return prepare_cache(
        table, folder, image_size=SIDE, workers=workers, progress=progress
    )


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def check_pixels(cache: Cache, table: pd.DataFrame) -> None:
    pixels = cache.read(cache.rows(table["image_id"]))
    expected = [read_image(Path(path), image_size=SIDE) for path in table["path"]]
    np.testing.assert_array_equal(pixels, np.stack(expected)[..., np.newaxis])


# --- what it holds


def test_prepare_cache_holds_every_picture(table: pd.DataFrame, tmp_path: Path) -> None:
    calls = Calls()
    cache = prepare(table, tmp_path / "cache", progress=calls)
    assert cache.folder == tmp_path / "cache"
    assert cache.image_size == SIDE
    assert cache.image_ids.tolist() == table["image_id"].tolist()
    assert len(cache) == NUM_PICTURES
    assert cache.rejects.empty
    assert calls.seen == [(n + 1, NUM_PICTURES) for n in range(NUM_PICTURES)]
    check_pixels(cache, table)
    assert len(list(cache.folder.glob("shard-*.npy"))) == 3  # 8 + 8 + 4


def test_read_takes_positions_in_any_order_and_again(
    table: pd.DataFrame, tmp_path: Path
) -> None:
    cache = prepare(table, tmp_path / "cache")
    positions = np.array([19, 0, 7, 8, 0, 15])
    pixels = cache.read(positions)
    assert pixels.dtype == np.uint8
    assert pixels.shape == (6, SIDE, SIDE, 1)
    every = cache.read(np.arange(NUM_PICTURES))
    np.testing.assert_array_equal(pixels, every[positions])
    assert cache.read(np.array([], dtype=np.int64)).shape == (0, SIDE, SIDE, 1)


def test_rows_finds_pictures_and_names_the_first_that_is_absent(
    table: pd.DataFrame, tmp_path: Path
) -> None:
    cache = prepare(table, tmp_path / "cache")
    rows = cache.rows(["00000009_000.png", "00000000_000.png"])
    assert rows.dtype == np.int64
    assert rows.tolist() == [9, 0]
    with pytest.raises(CacheError, match=r"2 of 3 .* the first is '5\.png'"):
        cache.rows(["00000009_000.png", "5.png", "6.png"])


def test_a_shard_is_an_ordinary_npy_file(table: pd.DataFrame, tmp_path: Path) -> None:
    folder = prepare(table, tmp_path / "cache").folder
    shapes = {np.load(path).shape for path in folder.glob("shard-*.npy")}
    assert shapes == {(8, SIDE, SIDE), (4, SIDE, SIDE)}


# --- reused, appended, changed


def test_prepare_cache_reuses_what_has_not_changed(
    table: pd.DataFrame, tmp_path: Path
) -> None:
    folder = tmp_path / "cache"
    prepare(table, folder)
    before, times = (
        contents(folder),
        {p: p.stat().st_mtime_ns for p in folder.iterdir()},
    )
    calls = Calls()
    cache = prepare(table, folder, progress=calls)
    assert calls.seen == []
    assert contents(folder) == before
    assert {p: p.stat().st_mtime_ns for p in folder.iterdir()} == times
    check_pixels(cache, table)


def test_prepare_cache_reuses_a_bigger_cache(
    table: pd.DataFrame, tmp_path: Path
) -> None:
    folder = tmp_path / "cache"
    prepare(table, folder)
    calls = Calls()
    cache = prepare(table.iloc[[17, 3]], folder, progress=calls)
    assert calls.seen == []
    assert len(cache) == NUM_PICTURES


def test_prepare_cache_reuses_one_that_may_not_be_written(
    table: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(table, tmp_path / "cache")
    monkeypatch.setattr(cache_writer, "_lock", None)  # a call would fail
    check_pixels(prepare(table, tmp_path / "cache"), table)


def test_prepare_cache_appends_new_pictures(
    table: pd.DataFrame, tmp_path: Path
) -> None:
    folder = tmp_path / "cache"
    prepare(table, folder)
    before = contents(folder)
    longer = make_table(tmp_path / "images", NUM_PICTURES + 10)
    calls = Calls()
    cache = prepare(longer, folder, progress=calls)
    assert calls.seen[-1] == (10, 10)
    check_pixels(cache, longer)
    kept = {name: data for name, data in before.items() if name.startswith("shard")}
    assert kept.items() <= contents(folder).items()


def test_prepare_cache_redoes_only_a_changed_picture(
    table: pd.DataFrame, tmp_path: Path
) -> None:
    folder = tmp_path / "cache"
    prepare(table, folder)
    before = contents(folder)
    draw(Path(table["path"][9]), seed=1009)
    calls = Calls()
    cache = prepare(table, folder, progress=calls)
    assert calls.seen == [(1, 1)]
    assert cache.image_ids.tolist() == table["image_id"].tolist()
    check_pixels(cache, table)
    after = contents(folder)
    assert len(after) == len(before)
    assert len({n for n in after if n.startswith("shard")} & set(before)) == 2


def test_prepare_cache_drops_a_picture_that_became_unreadable(
    table: pd.DataFrame, tmp_path: Path
) -> None:
    folder = tmp_path / "cache"
    prepare(table, folder)
    Path(table["path"][9]).write_bytes(b"")
    cache = prepare(table, folder)
    assert cache.rejects["image_id"].tolist() == ["00000009_000.png"]
    check_pixels(cache, table.drop(index=9))
    with pytest.raises(CacheError, match=r"00000009_000\.png"):
        cache.rows(["00000009_000.png"])


def test_prepare_cache_makes_a_lost_shard_again(
    table: pd.DataFrame, tmp_path: Path
) -> None:
    folder = tmp_path / "cache"
    prepare(table, folder)
    lost, cut = sorted(folder.glob("shard-*.npy"))[:2]
    lost.unlink()
    os.truncate(cut, 100)
    with pytest.raises(CacheError, match=r"shard-\w+\.npy: must be as it was"):
        open_cache(folder)
    cache = prepare(table, folder)
    verify_cache(folder)
    check_pixels(cache, table)
    assert len(list(folder.glob("shard-*.npy"))) == 3


def test_prepare_cache_does_not_copy_a_damaged_shard(
    table: pd.DataFrame, tmp_path: Path
) -> None:
    folder = tmp_path / "cache"
    prepare(table, folder)
    path = folder / read_manifest(folder).shards[1].file_name
    damaged = bytearray(path.read_bytes())
    damaged[-1] ^= 1
    path.write_bytes(damaged)
    draw(Path(table["path"][9]), seed=1009)
    with pytest.raises(CacheError, match=rf"{path.name}: .*Delete it and run"):
        prepare(table, folder)
    path.unlink()
    cache = prepare(table, folder)
    check_pixels(cache, table)


# --- rejects


def test_prepare_cache_goes_on_and_lists_what_it_cannot_read(
    table: pd.DataFrame, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    Path(table["path"][2]).write_bytes(b"no picture")
    Path(table["path"][11]).unlink()
    with caplog.at_level(logging.INFO, "dualnet"):
        cache = prepare(table, tmp_path / "cache")
    assert "18 pictures ready, 2 refused" in caplog.text
    check_pixels(cache, table.drop(index=[2, 11]))
    listed = pd.read_csv(tmp_path / "cache" / "rejects.csv")
    pd.testing.assert_frame_equal(listed, cache.rejects, check_dtype=False)
    assert listed["image_id"].tolist() == ["00000002_000.png", "00000011_000.png"]
    assert listed["path"].tolist() == table["path"][[2, 11]].tolist()
    assert "another kind of file" in listed["reason"][0]
    assert "No such file" in listed["reason"][1]


def test_prepare_cache_tries_a_reject_again_when_it_has_changed(
    table: pd.DataFrame, tmp_path: Path
) -> None:
    folder, path = tmp_path / "cache", Path(table["path"][2])
    path.write_bytes(b"no picture")
    prepare(table, folder)
    calls = Calls()
    prepare(table, folder, progress=calls)
    assert calls.seen == []
    draw(path, seed=2)
    cache = prepare(table, folder, progress=calls)
    assert calls.seen == [(1, 1)]
    assert cache.rejects.empty
    assert pd.read_csv(folder / "rejects.csv").empty
    check_pixels(cache, table)


def test_prepare_cache_refuses_when_no_picture_can_be_read(
    table: pd.DataFrame, tmp_path: Path
) -> None:
    for path in table["path"]:
        Path(path).write_bytes(b"")
    with pytest.raises(CacheError, match=r"20 pictures, all refused\. See .*rejects"):
        prepare(table, tmp_path / "cache")
    assert len(pd.read_csv(tmp_path / "cache" / "rejects.csv")) == NUM_PICTURES


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


# --- damage


def test_verify_cache_finds_every_flipped_bit(
    table: pd.DataFrame, tmp_path: Path
) -> None:
    folder = prepare(table, tmp_path / "cache").folder
    verify_cache(folder)
    random = np.random.default_rng(0)
    files = [p for p in sorted(folder.iterdir()) if p.suffix in {".npy", ".json"}]
    for number in range(80):
        path = files[number % len(files)]
        whole = path.read_bytes()
        damaged = bytearray(whole)
        damaged[random.integers(len(damaged) - 1)] ^= 1 << random.integers(8)
        path.write_bytes(damaged)
        with pytest.raises(CacheError, match=rf"{path.name}: must be as it was"):
            verify_cache(folder)
        path.write_bytes(whole)
    verify_cache(folder)


def test_verify_cache_finds_an_absent_shard(
    table: pd.DataFrame, tmp_path: Path
) -> None:
    folder = prepare(table, tmp_path / "cache").folder
    path = min(folder.glob("shard-*.npy"))
    path.unlink()
    with pytest.raises(CacheError, match=rf"{path.name}.*dualnet prepare"):
        verify_cache(folder)


def test_open_cache_refuses_a_shard_with_another_header(
    table: pd.DataFrame, tmp_path: Path
) -> None:
    folder = prepare(table, tmp_path / "cache").folder
    path = min(folder.glob("shard-*.npy"))
    path.write_bytes(path.read_bytes().replace(b"|u1", b"|i1"))
    with pytest.raises(CacheError, match=path.name):
        open_cache(folder)
    path.write_bytes(bytes(path.stat().st_size))
    with pytest.raises(CacheError, match=path.name):
        open_cache(folder)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"sha256": "0"}', "\0\xff"])
def test_open_cache_refuses_a_damaged_manifest(tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest.json").write_text(text, encoding="latin-1")
    with pytest.raises(CacheError, match=r"manifest\.json: must be as it was written"):
        open_cache(tmp_path)


# --- folders


def test_open_cache_refuses_what_is_no_cache(tmp_path: Path) -> None:
    with pytest.raises(CacheError, match=r"must be a cache\. Received: no manifest"):
        open_cache(tmp_path)
    with pytest.raises(CacheError, match="must be a cache"):
        open_cache(tmp_path / "absent")
    (tmp_path / "file").write_text("")
    with pytest.raises(CacheError, match="must be a cache"):
        open_cache(tmp_path / "file")


def test_prepare_cache_refuses_a_folder_with_other_files(
    table: pd.DataFrame, tmp_path: Path
) -> None:
    with pytest.raises(CacheError, match=r"images: .*a folder with other files"):
        prepare(table, tmp_path / "images")
    assert len(list((tmp_path / "images").iterdir())) == NUM_PICTURES


def test_prepare_cache_refuses_a_file(table: pd.DataFrame, tmp_path: Path) -> None:
    with pytest.raises(CacheError, match=r"must be a folder\. Received: a file"):
        prepare(table, Path(table["path"][0]))
    with pytest.raises((CacheError, StorageError), match="must be"):
        prepare(table, Path(table["path"][0]) / "cache")


def test_prepare_cache_refuses_another_size(
    table: pd.DataFrame, tmp_path: Path
) -> None:
    prepare(table, tmp_path / "cache")
    with pytest.raises(CacheError, match=r"of 32 pixels. Received: a cache of 16 pix"):
        prepare_cache(table, tmp_path / "cache", image_size=32, workers=1)


@pytest.mark.parametrize("name", ["FORMAT", "PREPROCESSING"])
def test_prepare_cache_refuses_another_format(
    table: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    prepare(table, tmp_path / "cache")
    monkeypatch.setattr(f"dualnet.data.cache_manifest.{name}", "other")
    with pytest.raises(CacheError, match=r"other.*Name another folder"):
        prepare(table, tmp_path / "cache")


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


# --- many pictures


class Stats(NamedTuple):
    st_size: int
    st_mtime_ns: int


def test_an_unchanged_cache_of_many_pictures_is_checked_fast(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"{number:08d}_{number % 50:03d}.png" for number in range(112_120)]
    signature = "400000-1700000000000000000"
    shards = tuple(
        Shard(tuple(part), (signature,) * len(part), 0, "0" * 64)
        for part in (names[start : start + 1024] for start in range(0, 112_120, 1024))
    )
    write_manifest(tmp_path, Manifest(SIDE, shards))
    monkeypatch.setattr(cache_writer, "find_unwhole", lambda *_: [])
    monkeypatch.setattr(cache_writer, "_sign", lambda _: signature)
    table = pd.DataFrame({"image_id": names, "path": names})
    started = time.process_time()
    sources = cache_writer.find_sources(table)
    cache_writer.fill_cache(
        sources, tmp_path, image_size=SIDE, workers=1, progress=None
    )
    assert time.process_time() - started < 4  # about 1 on an idle machine
