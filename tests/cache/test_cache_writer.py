"""The cache is filled: reused, appended, changed; what cannot be read is listed."""

import logging
import os
import time
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pytest
from PIL import Image

from dualnet.data import cache_writer
from dualnet.data.cache import open_cache, prepare_cache, verify_cache
from dualnet.data.cache_manifest import (
    Manifest,
    Shard,
    read_manifest,
    write_manifest,
)
from dualnet.errors import CacheError, StorageError

from .cache_cases import (
    NUM_PICTURES,
    SIDE,
    Calls,
    check_pixels,
    contents,
    draw,
    make_table,
    prepare,
)

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


def test_prepare_cache_holds_pictures_of_every_size(tmp_path: Path) -> None:
    table = make_table(tmp_path / "images", 3)
    for path, size in zip(table["path"], [(37, 45), (40, 33), (50, 17)], strict=True):
        with Image.open(path) as picture:
            picture.resize(size).save(path)
    check_pixels(prepare(table, tmp_path / "cache"), table)


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
    monkeypatch.setattr(cache_writer, "lock_cache", None)  # a call would fail
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
    with pytest.raises(CacheError, match=rf"{path.name}: .*dualnet prepare --repair"):
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


# --- folders


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
