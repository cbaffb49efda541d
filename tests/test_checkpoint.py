"""Checkpoints on disk: whole or passed over, with the reason."""

import json
import os
import re
import resource
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dualnet.errors import RunError, StorageError
from dualnet.training import checkpoint
from dualnet.training.checkpoint import (
    ARRAYS,
    KEPT,
    MANIFEST,
    STATE,
    Checkpoint,
    DamagedCheckpoint,
    find_checkpoint,
    list_checkpoints,
    read_checkpoint,
    read_spent,
    refuse_others,
    remove_remnants,
    write_checkpoint,
)

DIGESTS = {"configuration": "c", "split": "s"}


def make(epoch: int = 1, step: int = 0, **changed) -> Checkpoint:
    given = Checkpoint(
        stage="image",
        epoch=epoch,
        step=step,
        finished=False,
        digests=DIGESTS,
        spent={"seconds": 10.0 * epoch, "processor_seconds": 5.0 * epoch},
        variables={"model": ["a/kernel"], "optimizer": []},
        callbacks={"BestModel": {"score": -np.inf, "weights": [{"$array": "b/0"}]}},
        arrays={
            "model/0": np.arange(6, dtype="float32").reshape(2, 3),
            "b/0": np.array(epoch, dtype="int64"),
        },
    )
    return replace(given, **changed)


def test_a_checkpoint_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    written = make(3, 120)
    path = write_checkpoint(tmp_path, written)
    assert path == tmp_path / "image-epoch-0003-step-000120"
    read = read_checkpoint(path)
    for name, array in written.arrays.items():
        np.testing.assert_array_equal(read.arrays[name], array)
        assert read.arrays[name].dtype == array.dtype
    assert replace(read, arrays={}) == replace(written, arrays={})
    assert sorted(file.name for file in path.iterdir()) == [ARRAYS, MANIFEST, STATE]
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_the_newest_are_kept_and_those_of_other_stages(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, make(9, stage="metadata"))
    for epoch, step in ((1, 0), (1, 50), (2, 0), (10, 0), (9, 999999)):
        write_checkpoint(tmp_path, make(epoch, step))
    assert [path.name for path in list_checkpoints(tmp_path, "image")] == [
        "image-epoch-0010-step-000000",
        "image-epoch-0009-step-999999",
        "image-epoch-0002-step-000000",
    ]
    assert len(list_checkpoints(tmp_path)) == KEPT + 1
    assert list_checkpoints(tmp_path / "absent") == []


def test_the_end_of_every_epoch_is_kept_where_that_is_asked(tmp_path: Path) -> None:
    for epoch, step in ((1, 0), (1, 50), (2, 0), (2, 50), (3, 0), (4, 0), (5, 7)):
        write_checkpoint(tmp_path, make(epoch, step), every_epoch=True)
    kept = [path.name[12:] for path in list_checkpoints(tmp_path, "image")]
    # of those inside an epoch the ones among the newest three
    assert kept == [
        "0005-step-000007",
        "0004-step-000000",
        "0003-step-000000",
        "0002-step-000000",
        "0001-step-000000",
    ]


def test_nothing_is_pickled(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="allow_pickle"):
        write_checkpoint(tmp_path, make(arrays={"model/0": np.array([{}])}))
    assert not list(tmp_path.iterdir())


def flip(file: Path, place: int = 40) -> None:
    content = bytearray(file.read_bytes())
    content[place % len(content)] ^= 4
    file.write_bytes(content)


def forge(path: Path) -> None:
    """A manifest that is JSON, and of another checkpoint."""
    other = write_checkpoint(path.parent / "other", make(7))
    shutil.copy(other / MANIFEST, path / MANIFEST)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda path: flip(path / ARRAYS), "arrays.npz is not as it was written: its"),
        (lambda path: flip(path / STATE), "state.json is not as it was written: its"),
        (lambda path: flip(path / MANIFEST, 0), "manifest.json is not as it was"),
        (lambda path: os.truncate(path / ARRAYS, 9), r"arrays.npz has 9 bytes, not"),
        (lambda path: os.truncate(path / STATE, 0), r"state.json has 0 bytes, not the"),
        (lambda path: os.truncate(path / MANIFEST, 5), "manifest.json is not as it"),
        (lambda path: (path / ARRAYS).unlink(), "arrays.npz is absent"),
        (lambda path: (path / STATE).unlink(), "state.json is absent"),
        (lambda path: (path / MANIFEST).unlink(), "manifest.json is absent"),
        (lambda path: (path / MANIFEST).write_text("[]"), "manifest.json is not as"),
        (forge, "state.json .* written"),
    ],
)
def test_damage_is_named_and_the_one_before_is_found(
    tmp_path: Path,
    damage: Callable[[Path], None],
    reason: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    for epoch in (1, 2):
        path = write_checkpoint(tmp_path, make(epoch))
    damage(path)
    with pytest.raises(DamagedCheckpoint, match=reason):
        read_checkpoint(path)
    found = find_checkpoint(tmp_path, "image", DIGESTS)
    assert found is not None
    assert found.epoch == 1
    assert f"{path}: passed over, {reason.split()[0]}" in caplog.text
    assert not path.exists()
    write_checkpoint(tmp_path, make(2))
    assert read_checkpoint(path).epoch == 2


def test_what_the_disk_does_not_give_now_is_passed_over_and_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    older, newer = (write_checkpoint(tmp_path, make(epoch)) for epoch in (1, 2))
    read_text = Path.read_text

    def fail(file: Path, *args, **options) -> str:
        if file.parent == newer:
            raise OSError(5, "Input/output error")
        return read_text(file, *args, **options)

    monkeypatch.setattr(Path, "read_text", fail)
    found = find_checkpoint(tmp_path, "image", DIGESTS)
    assert found is not None and found.epoch == 1
    assert "manifest.json cannot be read: Input/output error" in caplog.text
    monkeypatch.undo()
    found = find_checkpoint(tmp_path, "image", DIGESTS)
    assert found is not None and found.epoch == 2
    assert older.is_dir()


def test_a_format_of_before_is_named(tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path, make())
    manifest = json.loads((path / MANIFEST).read_text())
    (path / MANIFEST).write_text(json.dumps({**manifest, "format": 0}))
    with pytest.raises(DamagedCheckpoint, match=r"manifest\.json is of format 0"):
        read_checkpoint(path)


def test_where_none_is_whole_training_starts_again_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert find_checkpoint(tmp_path, "image", DIGESTS) is None
    assert not caplog.text
    for epoch in (1, 2):
        flip(write_checkpoint(tmp_path, make(epoch)) / ARRAYS)
    assert find_checkpoint(tmp_path, "image", DIGESTS) is None
    assert "no checkpoint of the image model is whole" in caplog.text
    assert "starts again from the beginning" in caplog.text


def test_a_checkpoint_of_other_data_is_refused_by_name(tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path, make())
    expected = (
        f"{path}: must be of the same split as the run that goes on. Received: a "
        "checkpoint of another split."
    )
    others = {**DIGESTS, "split": "other"}
    with pytest.raises(RunError) as refused:
        refuse_others(tmp_path, others)
    assert str(refused.value).startswith(expected)
    with pytest.raises(RunError, match="another split"):
        find_checkpoint(tmp_path, "image", others)
    refuse_others(tmp_path, DIGESTS)
    flip(path / STATE)  # what it says of itself counts no more
    refuse_others(tmp_path, others)


def test_the_seconds_of_the_newest_whole_one_are_read(tmp_path: Path) -> None:
    assert read_spent(tmp_path) == {"seconds": 0.0, "processor_seconds": 0.0}
    for epoch in (1, 2, 3):
        path = write_checkpoint(tmp_path, make(epoch))
    flip(path / STATE)
    assert read_spent(tmp_path) == {"seconds": 20.0, "processor_seconds": 10.0}


def test_a_full_disk_leaves_the_older_ones_and_nothing_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_checkpoint(tmp_path, make(1))

    def fill(file: Path, **_: object) -> None:
        Path(file).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint.np, "savez", fill)
    with pytest.raises(StorageError, match="Received: No space left on device"):
        write_checkpoint(tmp_path, make(2))
    assert list(tmp_path.iterdir()) == [path]
    assert read_checkpoint(path).epoch == 1


def test_what_a_stop_left_while_writing_is_removed(tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path, make(1))
    shutil.copytree(path, tmp_path / ".image-epoch-0002-step-000000.1a2b3c4d")
    remove_remnants(tmp_path)
    assert list(tmp_path.iterdir()) == [path]


def damage_at_random(path: Path, kind: str, number: int) -> str:
    """Damages a file of a checkpoint; returns its name."""
    random = np.random.default_rng((number, len(kind)))
    name = (ARRAYS, STATE, MANIFEST)[number % 3]
    file = path / name
    content = bytearray(file.read_bytes())
    place = int(random.integers(len(content)))
    if kind == "flip":
        content[place] ^= 1 << int(random.integers(8))
        file.write_bytes(content)
    elif kind == "truncate":
        os.truncate(file, place)
    elif kind == "delete":
        file.unlink()
    else:
        before = path.with_name("image-epoch-0002-step-000000")
        shutil.copy(before / name, file)
    return name


@pytest.mark.parametrize(
    ("kind", "times"), [("flip", 45), ("truncate", 24), ("delete", 3), ("swap", 12)]
)
def test_whatever_is_damaged_is_named_and_recovered_from(
    tmp_path: Path, kind: str, times: int, caplog: pytest.LogCaptureFixture
) -> None:
    for epoch in (1, 2, 3):
        write_checkpoint(tmp_path / "whole", make(epoch))
    for number in range(times):
        folder = Path(shutil.copytree(tmp_path / "whole", tmp_path / str(number)))
        path = folder / "image-epoch-0003-step-000000"
        name = damage_at_random(path, kind, number)
        caplog.clear()
        found = find_checkpoint(folder, "image", DIGESTS)
        assert found is not None
        assert found.epoch == 2
        # what a damaged manifest says may be of another file
        names = (ARRAYS, STATE, MANIFEST) if name == MANIFEST else (name,)
        reason = rf"{path}: passed over, ({'|'.join(names)}) (is|has) "
        assert re.search(reason, caplog.text)


def test_a_disk_that_is_full_at_whatever_byte_leaves_the_older_ones(
    tmp_path: Path,
) -> None:
    path = write_checkpoint(tmp_path, make(1))
    size = (path / ARRAYS).stat().st_size
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    for number in range(16):
        room = size * number // 16
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, limits[1]))
        try:
            with pytest.raises(StorageError, match="nothing was half-written"):
                write_checkpoint(tmp_path, make(2))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert list(tmp_path.iterdir()) == [path]
    assert read_checkpoint(path).epoch == 1
