"""Which files of a tree are found."""

import os
from pathlib import Path

import pytest
from class_folder_cases import touch

from dualnet.data.readers.dicom import find_dicom
from dualnet.data.readers.folders import walk_files
from dualnet.errors import RecordError


def test_files_come_folder_by_folder_without_hidden_ones(tmp_path: Path) -> None:
    touch(
        tmp_path, "b/2", "b/1", "a/c/3", "4", ".hidden", ".git/5", "__MACOSX/6", "x/7"
    )
    assert list(walk_files(tmp_path, skip=["x"])) == ["4", "a/c/3", "b/1", "b/2"]


def test_links_are_followed_but_not_in_circles(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    touch(tmp_path, "data/a/1", "disk/2")
    (tmp_path / "data/a/up").symlink_to(tmp_path / "data")
    (tmp_path / "data/disk").symlink_to(tmp_path / "disk")
    assert list(walk_files(tmp_path / "data")) == ["a/1", "disk/2"]
    assert "a/up: leads back to a folder above it; not followed" in caplog.text
    caplog.clear()
    assert find_dicom(tmp_path / "data") is None
    assert caplog.text == ""


def test_a_folder_that_cannot_be_listed_is_refused_unless_one_only_looks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path, "a/1", "b/2")

    scandir = os.scandir

    def scan(path: str) -> object:
        if path.endswith("b"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr("os.scandir", scan)
    with pytest.raises(RecordError, match=r"b: every folder .*: Permission denied\."):
        list(walk_files(tmp_path))
    assert list(walk_files(tmp_path, lenient=True)) == ["a/1"]
