"""Files are whole or absent."""

import errno
from pathlib import Path

import pytest

from dualnet.errors import StorageError
from dualnet.files import (
    atomic_folder,
    atomic_path,
    empty_folder,
    sha256,
    write_json,
    write_text,
)


def test_atomic_path_keeps_the_old_file_when_the_block_raises(tmp_path: Path) -> None:
    file = tmp_path / "table.csv"
    write_text(file, "old")
    with pytest.raises(KeyError), atomic_path(file) as unfinished:
        unfinished.write_text("half")
        raise KeyError
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_atomic_path_says_that_the_disk_is_full(tmp_path: Path) -> None:
    file = tmp_path / "table.csv"
    with (
        pytest.raises(StorageError, match=r"table\.csv: .*No space left on device"),
        atomic_path(file) as unfinished,
    ):
        unfinished.write_text("half")
        raise OSError(errno.ENOSPC, "No space left on device")
    assert list(tmp_path.iterdir()) == []


def test_two_writers_of_one_file_do_not_share_the_unfinished_one(
    tmp_path: Path,
) -> None:
    file = tmp_path / "table.csv"
    with atomic_path(file) as one:
        one.write_text("first")
        with atomic_path(file) as other:
            other.write_text("second")
        assert file.read_text() == "second"
    assert file.read_text() == "first"
    assert list(tmp_path.iterdir()) == [file]


def test_two_writers_of_one_folder_do_not_share_the_unfinished_one(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "pictures"
    with (
        pytest.raises(StorageError, match=r"pictures: .*Directory not empty"),
        atomic_folder(folder) as one,
    ):
        (one / "a.txt").write_text("first")
        with atomic_folder(folder) as other:
            (other / "b.txt").write_text("second")
    assert [file.name for file in folder.iterdir()] == ["b.txt"]
    assert list(tmp_path.iterdir()) == [folder]


def test_empty_folder_keeps_links_targets_and_the_folder_behind_a_link(
    tmp_path: Path,
) -> None:
    folder, kept = tmp_path / "run", tmp_path / "kept"
    (folder / "figures").mkdir(parents=True)
    (folder / "figures" / "a.png").touch()
    (folder / "a.txt").touch()
    kept.mkdir()
    (kept / "b.txt").touch()
    (folder / "linked").symlink_to(kept)
    (tmp_path / "link").symlink_to(folder)
    empty_folder(tmp_path / "link")
    assert list(folder.iterdir()) == []
    assert (tmp_path / "link").is_symlink()
    assert (kept / "b.txt").is_file()


def test_empty_folder_names_what_cannot_be_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "a.txt"
    file.touch()

    def refuse(path: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(StorageError, match=rf"Received: Permission denied at {file}\."):
        empty_folder(tmp_path)


def test_write_json_refuses_nan(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "metrics.json", {"auroc": float("nan")})
    assert list(tmp_path.iterdir()) == []


def test_sha256_is_the_published_digest_of_abc(tmp_path: Path) -> None:
    # FIPS 180-2, appendix B.1
    file = tmp_path / "abc"
    file.write_bytes(b"abc")
    assert sha256(file) == (
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )
