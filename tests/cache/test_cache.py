"""The cache is read at random, and damage is found."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dualnet.data.cache import open_cache, verify_cache
from dualnet.errors import CacheError

from .cache_cases import NUM_PICTURES, SIDE, prepare


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


# --- damage


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


def test_open_cache_refuses_what_is_no_cache(tmp_path: Path) -> None:
    with pytest.raises(CacheError, match=r"must be a cache\. Received: no manifest"):
        open_cache(tmp_path)
    with pytest.raises(CacheError, match="must be a cache"):
        open_cache(tmp_path / "absent")
    (tmp_path / "file").write_text("")
    with pytest.raises(CacheError, match="must be a cache"):
        open_cache(tmp_path / "file")
