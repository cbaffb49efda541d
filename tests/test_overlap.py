"""Shared patients and pictures are found, others are not."""

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from dualnet.data.cache import Cache, prepare_cache
from dualnet.data.overlap import find_shared_patients, find_shared_pictures


def make_table(*rows: tuple[str, str, str]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["source", "patient_id", "image_id"])


def test_patients_are_known_by_number_within_a_source() -> None:
    fitted = make_table(("nih", "13", "a.png"), ("nih", "14", "b.png"))
    table = make_table(
        ("nih", "14", "new.png"), ("other", "13", "a.png"), ("nih", "15", "c.png")
    )
    assert find_shared_patients(table, fitted).tolist() == [1, -1, -1]


def test_a_radiograph_is_known_by_name_whatever_its_patients_number() -> None:
    fitted = make_table(("nih", "13", "a.png"))
    table = make_table(("nih", "00000013", "a.png"))
    assert find_shared_patients(table, fitted).tolist() == [0]


def make_cache(folder: Path, **grays: int) -> Cache:
    folder.mkdir()
    for name, gray in grays.items():
        pixels = np.full((32, 32), gray, dtype=np.uint8)
        pixels[0, 0] = 255
        Image.fromarray(pixels).save(folder / f"{name}.png")
    paths = [folder / f"{name}.png" for name in grays]
    table = pd.DataFrame(
        {"image_id": [path.name for path in paths], "path": [str(p) for p in paths]}
    )
    return prepare_cache(table, folder / "cache", image_size=32, workers=1)


def test_pictures_are_known_by_their_pixels(tmp_path: Path) -> None:
    fitted = make_cache(tmp_path / "one", a=10, b=20, c=30)
    cache = make_cache(tmp_path / "two", x=30, a=40, y=10)
    found = find_shared_pictures(
        cache,
        pd.Series(["a.png", "x.png", "y.png"]),
        fitted,
        pd.Series(["c.png", "b.png"]),
    )
    assert found.tolist() == [-1, 0, -1]
