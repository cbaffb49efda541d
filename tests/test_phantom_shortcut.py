"""A phantom whose border tells a finding, and one whose record tells nothing."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dualnet.cli import main
from dualnet.config_layers import read_config
from dualnet.data.phantom import make_phantom
from dualnet.data.phantom.shortcut import SHORTCUT_FINDING
from dualnet.errors import ConfigError
from dualnet.jobs.sources import read_source


def make(folder: Path, **options: object) -> Path:
    make_phantom(
        folder, num_images=60, num_patients=24, seed=3, size=64, workers=1, **options
    )
    return folder


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    root = tmp_path_factory.mktemp("phantoms")
    return make(root / "plain"), make(root / "border", shortcut="border")


def labels(folder: Path) -> dict[str, str]:
    lines = (folder / "Data_Entry_2017_v2020.csv").read_text().splitlines()[1:]
    return {line.split(",")[0]: line.split(",")[1] for line in lines}


def pixels(folder: Path, name: str) -> np.ndarray:
    return np.asarray(Image.open(folder / "images" / name)).copy()


def test_only_the_square_differs_and_it_tells_the_finding(
    folders: tuple[Path, Path],
) -> None:
    plain, border = folders
    assert labels(plain) == labels(border)
    agree = []
    for name, found in labels(plain).items():
        before, after = pixels(plain, name), pixels(border, name)
        marked = bool((before != after).any())
        if marked:
            assert (after[-3:, -3:] == 255).all()  # .05 of 64
            before[-3:, -3:] = 255
            np.testing.assert_array_equal(before, after)
        agree.append(marked == (SHORTCUT_FINDING in found))
    assert np.mean(agree) > 0.85  # .95 in the long run
    assert not all(agree) or len(agree) < 60


def test_the_tables_do_not_change(folders: tuple[Path, Path]) -> None:
    plain, border = folders
    for path in plain.glob("*.csv"):
        assert path.read_bytes() == (border / path.name).read_bytes(), path.name
    assert "shortcut" not in (plain / "phantom.json").read_text()
    assert '"shortcut": "border"' in (border / "phantom.json").read_text()


def test_a_phantom_without_shortcut_is_not_taken_for_one_with(
    folders: tuple[Path, Path],
) -> None:
    with pytest.raises(Exception, match="shortcut=None instead of 'border'"):
        make(folders[0], shortcut="border")


def test_another_shortcut_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Received: shortcut='corner'"):
        make(tmp_path / "x", shortcut="corner")
    assert not (tmp_path / "x").exists()


def test_the_command_says_both_options(tmp_path: Path) -> None:
    size = ["--images", "12", "--patients", "6", "--size", "32", "--workers", "1"]
    out = tmp_path / "out"
    options = ["--no-record-tells", "--shortcut", "border"]
    assert main(["phantom", str(out), *size, *options]) == 0
    parameters = (out / "phantom.json").read_text()
    assert '"dependence": false' in parameters
    assert '"shortcut": "border"' in parameters
    assert main(["phantom", str(tmp_path / "no"), *size, "--shortcut", "x"]) == 2


def test_each_phantom_of_the_configuration_has_a_folder_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    small = ["phantom.images=30", "phantom.patients=9", "data.image_size=32"]
    read_source(read_config(overrides=[*small, "data.workers=1"]))
    other = ["phantom.record_tells=false", "phantom.shortcut=border"]
    read_source(read_config(overrides=[*small, "data.workers=1", *other]))
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == [
        "phantom-30-of-9-32px-0",
        "phantom-30-of-9-32px-0-no-record-tells-border-shortcut",
    ]
