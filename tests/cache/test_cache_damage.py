"""Any flipped bit of a cache is found and named; only what is damaged is made again."""

import logging
import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dualnet.cli import main
from dualnet.data.cache import Cache, open_cache, repair_cache, verify_cache
from dualnet.data.cache_manifest import read_manifest
from dualnet.errors import CacheError

from .cache_cases import (
    PER_SHARD,
    SIDE,
    Calls,
    check_pixels,
    contents,
    prepare,
)


@pytest.fixture
def table(table: pd.DataFrame) -> pd.DataFrame:
    Path(table["path"][2]).write_bytes(b"no picture")
    return table


@pytest.fixture
def cache(table: pd.DataFrame, tmp_path: Path) -> Cache:
    return prepare(table, tmp_path / "cache")


def flip_bit(path: Path, place: int, bit: int) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 1 << bit
    path.write_bytes(data)


def repair(table: pd.DataFrame, folder: Path) -> tuple[Cache, int]:
    """Repairs a cache; returns it, and how many pictures were decoded for that."""
    repair_cache(folder, image_size=SIDE)
    calls = Calls()
    cache = prepare(table, folder, progress=calls)
    return cache, len(calls.seen)


# --- found


@pytest.mark.parametrize(
    "flips", [60, pytest.param(1000, marks=pytest.mark.slow)], ids=str
)
def test_verify_cache_finds_and_names_every_flipped_bit(
    cache: Cache, flips: int
) -> None:
    verify_cache(cache.folder)
    random = np.random.default_rng(flips)
    files = [path for path in sorted(cache.folder.iterdir()) if path.stat().st_size]
    assert {path.name for path in files} > {"manifest.json", "rejects.csv"}
    for number in range(flips):
        path = files[number % len(files)]
        whole = path.read_bytes()
        flip_bit(path, int(random.integers(len(whole))), int(random.integers(8)))
        with pytest.raises(CacheError, match=rf"{path.name}: must be as it was.*--rep"):
            verify_cache(cache.folder, workers=2)
        path.write_bytes(whole)
    verify_cache(cache.folder)


def test_verify_cache_names_every_damaged_file_and_its_pictures(
    cache: Cache, caplog: pytest.LogCaptureFixture
) -> None:
    first, second, third = read_manifest(cache.folder).shards
    flip_bit(cache.folder / first.file_name, -1, 0)
    (cache.folder / third.file_name).unlink()
    (cache.folder / "rejects.csv").write_text("")
    calls = Calls()
    message = (
        rf"{first.file_name}: .* shard of 7 pictures, 00000000_000.png to "
        r"00000007_000.png, and 2 damaged files more. Run `dualnet prepare --repair`"
    )
    with (
        caplog.at_level(logging.INFO, "dualnet"),
        pytest.raises(CacheError, match=message),
    ):
        verify_cache(cache.folder, workers=2, progress=calls)
    assert calls.seen == [(1, 3), (2, 3), (3, 3)]
    assert f"{third.file_name}: damaged or absent shard of 4 pictures" in caplog.text
    assert "rejects.csv: damaged or absent table of refused" in caplog.text
    assert second.file_name not in caplog.text


def test_verify_cache_writes_nothing(cache: Cache) -> None:
    times = {path: path.stat().st_mtime_ns for path in cache.folder.iterdir()}
    (cache.folder / "rejects.csv").write_text("damaged")
    with pytest.raises(CacheError, match=r"rejects\.csv"):
        verify_cache(cache.folder)
    del times[cache.folder / "rejects.csv"]
    assert (
        times.items()
        <= {path: path.stat().st_mtime_ns for path in cache.folder.iterdir()}.items()
    )


# --- mended


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_damaged_shard_alone_is_made_again_to_the_same_bytes(
    table: pd.DataFrame, cache: Cache, number: int
) -> None:
    expected = contents(cache.folder)
    shard = read_manifest(cache.folder).shards[number]
    flip_bit(cache.folder / shard.file_name, -50, 3)
    mended, decoded = repair(table, cache.folder)
    assert decoded == len(shard.image_ids)
    assert contents(mended.folder) == expected


def test_a_damaged_table_of_rejects_is_written_again(
    table: pd.DataFrame, cache: Cache
) -> None:
    expected = contents(cache.folder)
    flip_bit(cache.folder / "rejects.csv", 30, 1)
    mended, decoded = repair(table, cache.folder)
    assert decoded == 0
    assert contents(mended.folder) == expected


def test_a_flipped_bit_of_the_manifest_costs_one_shard_at_most(
    table: pd.DataFrame, cache: Cache
) -> None:
    expected = contents(cache.folder)
    manifest = cache.folder / "manifest.json"
    head = expected["manifest.json"].index(b'"shards"')
    random = np.random.default_rng(0)
    for place in random.integers(head, len(expected["manifest.json"]), 40).tolist():
        flip_bit(manifest, place, int(random.integers(8)))
        mended, decoded = repair(table, cache.folder)
        assert decoded <= PER_SHARD + 1  # and the refused picture is tried again
        verify_cache(cache.folder)
        check_pixels(mended, table.drop(index=2))
        assert mended.rejects["image_id"].tolist() == ["00000002_000.png"]
        for path in cache.folder.iterdir():
            path.unlink()
        for name, data in expected.items():
            (cache.folder / name).write_bytes(data)


def test_repair_cache_refuses_a_manifest_that_does_not_say_how_pictures_were_made(
    cache: Cache,
) -> None:
    before = {path.name for path in cache.folder.glob("shard-*")}
    flip_bit(cache.folder / "manifest.json", 40, 0)
    with pytest.raises(CacheError, match=r"manifest\.json: must say how.* Delete"):
        repair_cache(cache.folder, image_size=SIDE)
    assert {path.name for path in cache.folder.glob("shard-*")} == before


def test_repair_cache_leaves_a_whole_cache_and_an_absent_one_alone(
    table: pd.DataFrame, cache: Cache, tmp_path: Path
) -> None:
    expected = contents(cache.folder)
    assert repair(table, cache.folder)[1] == 0
    assert contents(cache.folder) == expected
    repair_cache(tmp_path / "absent", image_size=SIDE)
    assert not (tmp_path / "absent").exists()


def test_pictures_of_a_lost_shard_that_left_the_dataset_are_dropped_and_counted(
    table: pd.DataFrame, cache: Cache, caplog: pytest.LogCaptureFixture
) -> None:
    (cache.folder / read_manifest(cache.folder).shards[1].file_name).unlink()
    fewer = table.drop(index=[9, 10])
    with caplog.at_level(logging.INFO, "dualnet"):
        mended = prepare(fewer, cache.folder)
    assert "6 of its 8 pictures, as many as the dataset has" in caplog.text
    check_pixels(mended, fewer.drop(index=2))
    verify_cache(cache.folder)
    (cache.folder / read_manifest(cache.folder).shards[0].file_name).unlink()
    prepare(table.iloc[[19]], cache.folder)
    assert len(open_cache(cache.folder)) == 10


# --- the command


def test_prepare_verify_and_repair(
    small_phantom: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = Path(shutil.copytree(small_phantom, tmp_path / "data"))
    folder = tmp_path / "cache"
    command = ["prepare", "--data", str(data), "--cache", str(folder)]
    command += ["--image-size", "64"]
    assert main([*command, "--verify"]) == 0
    expected = contents(folder)
    shard = max(folder.glob("shard-*.npy"), key=os.path.getsize)
    flip_bit(shard, -1, 7)
    assert main([*command, "--verify"]) == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith(f"{shard}: must be as it was written. Received: a damaged")
    assert "Run `dualnet prepare --repair` on this dataset" in line
    assert main([*command, "--repair", "--verify"]) == 0
    assert contents(folder) == expected
