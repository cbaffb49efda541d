"""What is measured of a picture, and which two are the same."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from explore_cases import LETTERS, make_rows
from PIL import Image, ImageFilter

from dualnet.data.cache import Cache, prepare_cache
from dualnet.data.images import read_header
from dualnet.errors import ImageError
from dualnet.explore.distributions import (
    count_sizes,
    describe_distribution,
    group_pictures,
)
from dualnet.explore.duplicates import (
    Duplicates,
    find_candidates,
    find_duplicates,
    pair_exact,
)
from dualnet.explore.pictures import (
    describe_pattern,
    measure_gray,
    measure_pictures,
)

SIDE = 128


def draw(seed: int) -> np.ndarray:
    """Blobs of no two pictures alike."""
    noise = np.random.default_rng(seed).integers(0, 256, (SIDE, SIDE)).astype(np.uint8)
    soft = Image.fromarray(noise).filter(ImageFilter.GaussianBlur(4))
    values = np.asarray(soft, float)
    return (40 + 170 * (values - values.min()) / np.ptp(values)).astype(np.uint8)


def make_cache(folder: Path, pictures: dict[str, np.ndarray]) -> tuple:
    rows = [
        (f"p{n}", "A" if n % 2 else "N", 1, "F", "PA", 0) for n in range(len(pictures))
    ]
    table = make_rows(*rows)
    table["image_id"] = list(pictures)
    (folder / "images").mkdir()
    for name, pixels in pictures.items():
        Image.fromarray(pixels).save(folder / "images" / name)
    table["path"] = [str(folder / "images" / name) for name in pictures]
    cache = prepare_cache(table, folder / "cache", image_size=SIDE, workers=1)
    return table, cache


def search(table: pd.DataFrame, cache: Cache) -> Duplicates:
    measured = measure_pictures(table, cache)
    return find_duplicates(table, measured.digests, measured.patterns, cache)


def test_gray_levels_are_measured() -> None:
    picture = np.zeros((100, 100), np.uint8)
    picture[:50] = 255
    found = measure_gray(picture)
    assert found["brightness"] == 127.5
    assert found["contrast"] == 127.5
    assert found["black_share"] == found["white_share"] == 0.5
    assert (found["top_mean"], found["bottom_mean"]) == (255, 0)
    assert (found["top_sd"], found["left_mean"], found["left_sd"]) == (0, 127.5, 127.5)


def test_gray_levels_from_which_black_and_white_count() -> None:
    picture = np.array([[5, 6], [249, 250]], np.uint8).repeat(8, 0).repeat(8, 1)
    found = measure_gray(picture)
    assert found["black_share"] == found["white_share"] == 0.25


def test_pattern_forgets_gray_levels_but_not_the_picture() -> None:
    one = draw(0)
    toned = (one * 0.5 + 20).astype(np.uint8)
    patterns = describe_pattern(np.stack([one, toned, draw(1)]), 64)
    assert patterns.shape == (3, 64 * 64)
    assert np.linalg.norm(patterns, axis=1) == pytest.approx([1, 1, 1])
    assert patterns[0] @ patterns[1] > 0.99
    assert abs(patterns[0] @ patterns[2]) < 0.3


def test_a_flat_picture_has_no_pattern() -> None:
    flat = np.full((1, SIDE, SIDE), 90, np.uint8)
    assert not describe_pattern(flat, 16).any()
    assert describe_pattern(flat[:0], 16).shape == (0, 256)


def test_header_is_read(tmp_path: Path) -> None:
    Image.new("L", (30, 20)).save(tmp_path / "a.png")
    Image.new("RGB", (40, 50)).save(tmp_path / "b.jpeg")
    assert read_header(tmp_path / "a.png") == (30, 20, "L")
    assert read_header(tmp_path / "b.jpeg") == (40, 50, "RGB")


def test_a_header_is_not_searched_for_without_end(tmp_path: Path) -> None:
    Image.new("L", (30, 20)).save(tmp_path / "a.jpeg")
    data = (tmp_path / "a.jpeg").read_bytes()
    (tmp_path / "a.jpeg").write_bytes(data[:20] + b"\xff" * 2**21 + data[20:])
    with pytest.raises(ImageError, match=r"more than 1,048,576 bytes before the pic"):
        read_header(tmp_path / "a.jpeg")


def test_what_is_wrong_with_a_header_is_said_once(tmp_path: Path) -> None:
    (tmp_path / "a.dcm").write_bytes(bytes(128) + b"DICM" + bytes(20))
    with pytest.raises(ImageError) as caught:
        read_header(tmp_path / "a.dcm")
    assert str(caught.value).count("must be") == 1


@pytest.mark.parametrize("content", [b"", b"no picture at all", b"\x89PNG\r\n\x1a\n"])
def test_no_picture_has_no_header(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad.png").write_bytes(content)
    with pytest.raises(ImageError, match=r"bad\.png: must be a PNG, JPEG or DICOM"):
        read_header(tmp_path / "bad.png")
    with pytest.raises(ImageError, match=r"absent\.png: .*No such file"):
        read_header(tmp_path / "absent.png")


def test_exact_pairs_are_with_the_first() -> None:
    assert pair_exact([b"a", b"b", b"a", b"c", b"a"]).tolist() == [[0, 2], [0, 4]]
    assert pair_exact([]).shape == (0, 2)


@pytest.mark.parametrize("block", [2, 3, 100])
def test_candidates_are_all_pairs_whatever_the_blocks(
    monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    monkeypatch.setattr("dualnet.explore.duplicates.BLOCK", block)
    rng = np.random.default_rng(0)
    patterns = rng.normal(size=(9, 40)).astype("float32")
    patterns[7] = patterns[1] + 0.05 * patterns[2]
    patterns[4] = patterns[3]
    patterns /= np.linalg.norm(patterns, axis=1, keepdims=True)
    pairs, left_out = find_candidates(patterns)
    assert sorted(map(tuple, pairs.tolist())) == [(1, 7), (3, 4)]
    assert left_out == 0


def test_candidates_beyond_the_limit_are_counted() -> None:
    pairs, left_out = find_candidates(np.ones((5, 1), "float32"), max_pairs=3)
    assert len(pairs) == 3
    assert left_out == 7  # of 10 pairs


def test_exact_and_near_duplicates_are_found(tmp_path: Path) -> None:
    one, other = draw(0), draw(1)
    small = Image.fromarray(other).resize((96, 96), Image.Resampling.BOX)
    table, cache = make_cache(
        tmp_path,
        {
            "a.png": one,
            "b.png": other,
            "c.png": one,
            "d.png": draw(2),
            "e.png": np.asarray(small.resize((SIDE, SIDE), Image.Resampling.BILINEAR)),
            "f.png": (255 * (one / 255) ** 0.7).astype(np.uint8),
        },
    )
    found = search(table, cache)
    pairs = {(r["first"], r["second"]): r for r in found.pairs.to_dict("records")}
    assert set(pairs) == {("a.png", "c.png"), ("b.png", "e.png"), ("a.png", "f.png")}
    assert pairs["a.png", "c.png"]["kind"] == "exact"
    assert pairs["b.png", "e.png"]["correlation"] > 0.9
    assert not pairs["b.png", "e.png"]["same_patient"]
    assert pairs["a.png", "c.png"]["same_findings"]  # both even
    assert not pairs["a.png", "f.png"]["same_findings"]  # even and odd
    assert (found.count("exact"), found.count("near")) == (1, 2)
    assert found.count("near", same_findings=False) == 2


def test_a_dataset_without_duplicates(tmp_path: Path) -> None:
    table, cache = make_cache(tmp_path, {f"{n}.png": draw(n) for n in range(4)})
    found = search(table, cache)
    assert found.pairs.empty
    assert found.num_pictures == 4


def test_pairs_say_whether_the_folder_is_the_same(tmp_path: Path) -> None:
    table, cache = make_cache(tmp_path, {"a.png": draw(0), "b.png": draw(0)})
    found = search(table.assign(folder_part=["train", "test"]), cache)
    assert found.pairs["same_folder"].tolist() == [False]


def test_files_are_measured_in_the_tables_order(tmp_path: Path) -> None:
    pictures = {"b.png": draw(0), "a.png": np.full((SIDE, 2 * SIDE), 9, np.uint8)}
    table, cache = make_cache(tmp_path, pictures)
    measures = measure_pictures(table.iloc[::-1], cache).table
    assert measures["image_id"].tolist() == ["a.png", "b.png"]
    assert measures["width"].tolist() == [2 * SIDE, SIDE]
    assert measures["brightness"].iloc[0] == 9
    sizes = [(tmp_path / "images" / name).stat().st_size for name in ("a.png", "b.png")]
    assert measures["num_bytes"].tolist() == sizes


def test_distributions_by_group() -> None:
    masks = {
        "x": np.array([True, True, True, False]),
        "y": np.array([False] * 3 + [True]),
    }
    rows = describe_distribution(np.array([1.0, 2.0, 6.0, 8.0]), masks)
    assert rows["pictures"].tolist() == [3, 1]
    assert rows["mean"].tolist() == [3, 8]
    assert rows["median"].tolist() == [2, 8]
    assert rows["q25"].tolist() == [1.5, 8]


def test_groups_are_classes_and_several_sources() -> None:
    rows = [("p", "A", 1, "F", "PA", 0)] * 6 + [("q", "N", 1, "F", "PA", 0)] * 4
    table = make_rows(*rows)
    groups = group_pictures(table, LETTERS)
    assert set(groups) == {"class"}
    assert set(groups["class"]) == {"A"}  # N has fewer than five
    groups = group_pictures(table.assign(source=["s", "t"] * 5), LETTERS)
    assert {name: mask.sum() for name, mask in groups["source"].items()} == {
        "s": 5,
        "t": 5,
    }


def test_sizes_are_counted_by_group() -> None:
    measures = pd.DataFrame(
        {"width": [10, 20, 20], "height": [10, 10, 10], "mode": ["L", "L", "L"]}
    )
    counts = count_sizes(measures, {"A": np.array([True, True, False])})
    assert counts.to_dict("list") == {
        "width": [20, 10],
        "height": [10, 10],
        "mode": ["L", "L"],
        "pictures": [2, 1],
        "A": [1, 1],
    }
