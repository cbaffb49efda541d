"""What every job starts from."""

from pathlib import Path

import pytest

from dualnet.config_layers import read_config
from dualnet.jobs.sources import read_source


def test_pictures_are_found_from_another_folder_than_the_one_they_were_read_in(
    small_phantom: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(small_phantom.parent)
    records = read_source(read_config(overrides=[f"data.path={small_phantom.name}"]))
    monkeypatch.chdir(tmp_path)
    assert records.folder == small_phantom
    paths = records.pictured()["path"]
    assert len(paths) == 90
    assert all(Path(path).is_file() for path in paths)
