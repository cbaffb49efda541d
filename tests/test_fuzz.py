"""Damaged and harmful files: a picture or a reason, soon, in little memory."""

import importlib.util
import logging
import os
from pathlib import Path

import fuzz
import pandas as pd
import pytest
from bombs import BOMBS, FOUND_WHILE_DECODING
from fuzz_formats import FORMATS, FileFormat, mutate
from picture_cases import encoded, write

from dualnet.data import images
from dualnet.data.cache import prepare_cache
from dualnet.data.images import read_image
from dualnet.data.readers.class_folders import scan_pictures
from dualnet.data.readers.nih import find_pictures
from dualnet.errors import ImageError

HAS_PYDICOM = importlib.util.find_spec("pydicom") is not None
SKIPPED = pytest.mark.skip(reason="pydicom is not installed")
KINDS = [
    pytest.param(
        kind,
        id=kind.name,
        marks=pytest.mark.skipif(bool(kind.skipped), reason=kind.skipped),
    )
    for kind in FORMATS
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "files", [150, pytest.param(5000, marks=pytest.mark.slow)], ids=str
)
def test_a_damaged_file_is_a_picture_or_has_a_reason(
    kind: FileFormat, files: int
) -> None:
    result = fuzz.fuzz(kind.name, files=files, seed=0)
    assert result.findings == []
    assert result.decoded + sum(result.refused.values()) == files
    assert result.decoded > files // 20  # else nothing but headers was reached
    assert sum(result.refused.values()) > files // 2


@pytest.mark.parametrize("kind", KINDS)
def test_the_whole_files_are_pictures_and_a_seed_gives_the_same_damage(
    kind: FileFormat, tmp_path: Path
) -> None:
    wholes = kind.make_wholes()
    stills = [data for data in wholes if b"acTL" not in data]
    assert len(stills) >= 7
    for data in stills:
        assert read_image(write(tmp_path / "a", data)).shape == (256, 256)
    first = [mutate(kind, wholes, 0, number) for number in range(20)]
    assert first == [mutate(kind, wholes, 0, number) for number in range(20)]
    assert first != [mutate(kind, wholes, 1, number) for number in range(20)]


# --- bombs


def test_bombs_are_refused_soon_and_in_little_memory(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    for name, (make, _) in BOMBS.items():
        write(tmp_path / "images" / name, make())
    result = fuzz.run(tmp_path)
    assert result.findings == []
    assert sum(result.refused.values()) == len(BOMBS)
    assert {path.name for path in tmp_path.iterdir()} == {"images", "cache", "current"}


@pytest.mark.parametrize(
    "name", [*BOMBS, *([] if HAS_PYDICOM else [pytest.param("dicom", marks=SKIPPED)])]
)
def test_a_bomb_is_refused_before_its_pixels_are_decoded(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object) -> None:
        raise AssertionError("decoded")

    make, reason = BOMBS[name]
    path = write(tmp_path / name, make())
    if name not in FOUND_WHILE_DECODING:
        monkeypatch.setattr(images, "_load", refuse)
        if HAS_PYDICOM:
            monkeypatch.setattr("pydicom.pixels.decoders.base.Decoder.as_array", refuse)
    with pytest.raises(ImageError, match=reason) as caught:
        read_image(path)
    assert str(caught.value).startswith(f"{name}: must be ")


# --- folders


def test_links_and_devices_in_an_image_folder_are_pictures_or_refused(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "images"
    (folder / "folder.png").mkdir(parents=True)
    write(tmp_path / "elsewhere.png", encoded("PNG"))
    targets = {
        "good.png": tmp_path / "elsewhere.png",
        "zeros.png": Path("/dev/zero"),
        "dangling.png": tmp_path / "nowhere.png",
        "itself.png": folder / "itself.png",
        "above.png": tmp_path,
        "text.png": Path(__file__),
    }
    for name, target in targets.items():
        (folder / name).symlink_to(target)
    os.mkfifo(folder / "pipe.png")  # to open it would wait for a writer for ever
    pictures = find_pictures(tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.png")}
    table = pd.DataFrame({"image_id": list(pictures), "path": list(pictures.values())})
    cache = prepare_cache(table, tmp_path / "cache", image_size=32, workers=2)
    # The picture that is linked to lies in the dataset's own folder.
    assert set(cache.image_ids) == {"good.png", "elsewhere.png"}
    reasons = dict(zip(cache.rejects["image_id"], cache.rejects["reason"], strict=True))
    assert set(reasons) == {*targets, "folder.png", "pipe.png"} - {"good.png"}
    for name in ("zeros.png", "above.png", "folder.png", "pipe.png"):
        assert "a folder or a device" in reasons[name]
    assert before == {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.png")}


def test_a_folder_that_links_back_to_itself_is_scanned_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write(tmp_path / name / "1.png", encoded("PNG"))
    (tmp_path / "a" / "self").symlink_to(tmp_path / "a")
    (tmp_path / "a" / "to_b").symlink_to(tmp_path / "b")
    (tmp_path / "b" / "to_a").symlink_to(tmp_path / "a")
    (tmp_path / "b" / "root").symlink_to(tmp_path)
    with caplog.at_level(logging.INFO, "dualnet"):
        found = scan_pictures(tmp_path)
    assert found == ["a/1.png", "a/to_b/1.png", "b/1.png", "b/to_a/1.png"]
    assert "leads back to a folder above it; not followed" in caplog.text


def test_a_picture_that_lies_there_twice_counts_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for place in ("images", "images_001/images"):
        (tmp_path / place).mkdir(parents=True)
        write(tmp_path / place / "1.png", encoded("PNG"))
    with caplog.at_level(logging.INFO, "dualnet"):
        found = find_pictures(tmp_path)
    assert found == {"1.png": str(tmp_path / "images" / "1.png")}
    assert "1 picture found twice; the first counts" in caplog.text
