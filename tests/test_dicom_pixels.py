"""DICOM pixels: each step of PS3.3 by hand, the same as PNG, bad files by name."""

import struct
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
from dicom_cases import RAMP8, encode, gray, make_dataset, make_lut
from PIL import Image
from pydicom import uid

from dualnet.data import dicom_file
from dualnet.data.dicom_pixels import read_gray
from dualnet.data.images import read_header, read_image
from dualnet.errors import ConfigError, ImageError


def row(values: list[int], dtype: str = "u2") -> np.ndarray:
    """A picture whose first row begins with the values; the rest repeats the first."""
    pixels = np.full((16, 16), values[0], dtype)
    pixels[0, : len(values)] = values
    return pixels


def gray_row(values: list[int], dtype: str = "u2", **attributes: object) -> list[int]:
    return gray(row(values, dtype), **attributes)[0, : len(values)].tolist()


# --- the steps of PS3.3


def test_eight_bits_without_a_window_stay_as_they_are() -> None:
    np.testing.assert_array_equal(gray(RAMP8 // 2), RAMP8 // 2)


def test_twelve_bits_without_a_window_are_stretched_from_least_to_greatest() -> None:
    # (1000 - 500) / (2500 - 500) · 255 = 63.75
    assert gray_row([500, 1000, 2500], BitsStored=12) == [0, 64, 255]


def test_monochrome1_is_turned_round() -> None:
    picture = gray(RAMP8, PhotometricInterpretation="MONOCHROME1")
    np.testing.assert_array_equal(picture, 255 - RAMP8)


def test_monochrome1_is_turned_round_once_and_after_the_window() -> None:
    # LINEAR 1000, 200: 899.5 + 199 · share; 950 → (950 - 999.5) / 199 + .5 = .2513
    grays = gray_row(
        [0, 950, 4000],
        BitsStored=12,
        WindowCenter=1000,
        WindowWidth=200,
        PhotometricInterpretation="MONOCHROME1",
        PresentationLUTShape="INVERSE",
    )
    assert grays == [255, 191, 0]


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        # PS3.3 C.11.2.1.2.1: (x - 99.5) / 99 + .5 → 50: 0, 100: .50505, 149: 1
        ("LINEAR", [0, 0, 129, 255, 255]),
        # C.11.2.1.3.2: (x - 100) / 100 + .5 → 50: 0, 100: .5, 149: .99, 150: 1
        ("LINEAR_EXACT", [0, 0, 128, 252, 255]),
        # C.11.2.1.3.1: 1 / (1 + exp(-4 (x - 100) / 100)) → .0180, .1192, .5, .8765, .8808
        ("SIGMOID", [5, 30, 128, 224, 225]),
    ],
)
def test_window_shapes(shape: str, expected: list[int]) -> None:
    grays = gray_row(
        [0, 50, 100, 149, 150],
        BitsStored=12,
        WindowCenter=100,
        WindowWidth=100,
        VOILUTFunction=shape,
    )
    assert grays == expected


def test_the_first_of_several_windows_counts() -> None:
    grays = gray_row(
        [0, 100, 200, 300],
        WindowCenter=[100, 3000],
        WindowWidth=[201, 10],
        WindowCenterWidthExplanation=["LUNG", "BONE"],
    )
    assert grays == [1, 128, 255, 255]  # (0 - 99.5) / 200 + .5 = .0025


def test_an_empty_window_is_none() -> None:
    grays = gray_row([0, 50, 100], WindowCenter="", WindowWidth="", VOILUTFunction="")
    assert grays == [0, 128, 255]


def test_the_window_is_of_rescaled_values() -> None:
    # 0, 10, 20 → -1000, -500, 0; window -500.5 to 0.5 wide open: 501 values
    grays = gray_row(
        [0, 10, 20],
        BitsStored=12,
        RescaleSlope=50,
        RescaleIntercept=-1000,
        WindowCenter=-500,
        WindowWidth=1002,
    )
    # (x + 500.5) / 1001 + .5 → .00105, .5005, .9995
    assert grays == [0, 128, 255]


def test_a_negative_slope_turns_the_values_round_once() -> None:
    assert gray_row([0, 10, 20], RescaleSlope=-1, RescaleIntercept=20) == [255, 128, 0]
    windowed = gray_row(
        [0, 10, 20],
        RescaleSlope=-1,
        RescaleIntercept=20,
        WindowCenter=10,
        WindowWidth=20,
        VOILUTFunction="LINEAR_EXACT",
    )
    assert windowed == [255, 128, 0]


def test_a_modality_lut_of_twelve_bits() -> None:
    # below the first value: the first entry; beyond the last: the last
    lut = make_lut([0, 1000, 4095], first=100, bits=12)
    grays = gray_row([99, 100, 101, 102, 999], ModalityLUTSequence=[lut])
    assert grays == [0, 0, 62, 255, 255]


def test_a_voi_lut_of_eight_bits_and_many_entries() -> None:
    # pydicom cuts the index to the 8 bits of the entries: 300 would become 44
    entries = [0] * 300 + [100] + [255] * 211
    lut = make_lut(entries, first=0, bits=8)
    grays = gray_row([0, 300, 301, 500], BitsStored=12, VOILUTSequence=[lut])
    assert grays == [0, 100, 255, 255]


def test_a_voi_lut_of_eight_bits_packed_two_to_a_word() -> None:
    lut = make_lut(bytes([0, 85, 170, 255]), first=0, bits=8)
    assert gray_row([0, 1, 2, 3], VOILUTSequence=[lut]) == [0, 85, 170, 255]


def test_a_voi_lut_comes_before_the_window() -> None:
    lut = make_lut([0, 65535], first=0, bits=16)
    grays = gray_row(
        [0, 1], VOILUTSequence=[lut], WindowCenter=4000, WindowWidth=10, BitsStored=12
    )
    assert grays == [0, 255]


def test_a_voi_lut_of_negative_values_called_unsigned() -> None:
    # first value -1000, written as 64536: values after rescaling are signed
    lut = make_lut([0, 51, 255], first=64536, bits=8)
    grays = gray_row(
        [0, 1, 2], RescaleSlope=1, RescaleIntercept=-1000, VOILUTSequence=[lut]
    )
    assert grays == [0, 51, 255]


def test_a_lut_of_65536_entries_tells_none() -> None:
    # PS3.3 C.11.1.1: the number does not fit 16 bits, and is written as 0
    lut = make_lut(b"", first=0, bits=8)
    words = np.array([0] * 40000 + [100] + [255] * 25535, dtype="<u2")
    lut.LUTData = words.tobytes()
    grays = gray_row([0, 40000, 40001], VOILUTSequence=[lut])
    assert grays == [0, 100, 255]


def test_a_lut_with_more_bits_than_it_tells() -> None:
    lut = make_lut([0, 2048, 4095], first=0, bits=8)
    assert gray_row([0, 1, 2], VOILUTSequence=[lut]) == [0, 128, 255]


def test_signed_pixels() -> None:
    assert gray_row([-100, 0, 100], "i2", BitsStored=12) == [0, 128, 255]


def test_signed_pixels_whose_unused_bits_are_not_filled() -> None:
    # -100 in 12 bits is 0xF9C; written as 0x0F9C, it is still -100
    pixels = row([0x0F9C, 0, 100])
    grays = gray(pixels, BitsStored=12, PixelRepresentation=1)[0, :3]
    assert grays.tolist() == [0, 128, 255]


def test_unused_bits_are_no_part_of_the_value() -> None:
    assert gray_row([0, 0x1000 | 100, 0x8000 | 200], BitsStored=12) == [0, 128, 255]


def test_padding_is_black_and_counts_for_no_range() -> None:
    grays = gray_row([60000, 1000, 1500, 2000], PixelPaddingValue=60000)
    assert grays == [0, 0, 128, 255]
    turned = gray_row(
        [0, 1000, 1500, 2000],
        PixelPaddingValue=0,
        PhotometricInterpretation="MONOCHROME1",
    )
    assert turned == [0, 255, 128, 0]


def test_a_range_of_padding() -> None:
    grays = gray_row(
        [-2000, -1990, 0, 50, 100],
        "i2",
        PixelPaddingValue=-2000,
        PixelPaddingRangeLimit=-1990,
    )
    assert grays == [0, 0, 0, 128, 255]


@pytest.mark.parametrize("photometric", ["RGB", "YBR_FULL"])
def test_colours_become_luma(photometric: str) -> None:
    pixels = np.zeros((16, 16, 3), np.uint8)
    pixels[...] = (200, 100, 50) if photometric == "RGB" else (124, 86, 182)
    # .299 · 200 + .587 · 100 + .114 · 50 = 124.2, which is Y
    picture = gray(pixels, PhotometricInterpretation=photometric)
    np.testing.assert_allclose(picture, 124, atol=1)


def test_bytes_after_the_last_pixel_are_passed_over() -> None:
    data = RAMP8.tobytes() + b"\xff" * 256
    np.testing.assert_array_equal(gray(RAMP8, PixelData=data), RAMP8)


# --- the same as PNG


def picture8(height: int = 300, width: int = 200) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width)).astype(np.uint8)


def assert_like_png(folder: Path, pixels: np.ndarray, data: bytes) -> None:
    """The square of a DICOM file is that of a PNG of the same gray values."""
    Image.fromarray(pixels).save(folder / "a.png")
    (folder / "a.dcm").write_bytes(data)
    for size in (32, 64, 256):
        expected = read_image(folder / "a.png", image_size=size).astype(int)
        found = read_image(folder / "a.dcm", image_size=size).astype(int)
        assert np.abs(found - expected).max() <= 1


def test_monochrome2_is_like_its_png(tmp_path: Path) -> None:
    pixels = picture8()
    assert_like_png(tmp_path, pixels, encode(make_dataset(pixels)))


def test_monochrome1_is_like_its_png(tmp_path: Path) -> None:
    pixels = picture8()
    values = {"PhotometricInterpretation": "MONOCHROME1"}
    assert_like_png(tmp_path, pixels, encode(make_dataset(255 - pixels, **values)))


def test_twelve_bits_under_a_window_are_like_their_png(tmp_path: Path) -> None:
    pixels = picture8()
    stored = (pixels.astype(np.uint16) * 4 + 1000).astype(np.uint16)
    values = {
        "BitsStored": 12,
        "WindowCenter": 1510.5,  # 1000 to 2020: (x - 1510) / 1020 + .5
        "WindowWidth": 1021,
    }
    assert_like_png(tmp_path, pixels, encode(make_dataset(stored, **values)))


# --- refused


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"NumberOfFrames": 3}, "must be one picture. Received: 3 frames"),
        ({"PixelData": None}, "Received: DICOM without pixel data"),
        ({"Columns": 9}, "at least 16 pixels on each side. Received: 9 by 16"),
        ({"Rows": 60000, "Columns": 60000}, "Received: 60,000 by 60,000"),
        (
            {"PhotometricInterpretation": "PALETTE COLOR"},
            "Received: 'PALETTE COLOR' of 1 samples a pixel",
        ),
        ({"BitsStored": 12, "HighBit": 11}, "Received: 12 stored of 8"),
        ({"HighBit": 6}, "in the lowest 8 bits. Received: bits up to the 7th"),
        ({"PixelData": b"\0" * 100}, r"less than expected \(100 vs 256 bytes\)"),
        ({"Rows": None}, "decodable DICOM. Received: .*'Rows'"),
        (
            {"WindowCenter": 100, "WindowWidth": 0},
            "of some width. Received: center 100, width 0",
        ),
        (
            {"WindowCenter": 100, "WindowWidth": 5, "VOILUTFunction": "CUBIC"},
            "SIGMOID. Received: 'CUBIC'",
        ),
        (
            {"WindowCenter": 40000, "WindowWidth": 100},
            "leaves some contrast. Received: all pixels of gray 0",
        ),
    ],
)
def test_what_no_radiograph_is_is_refused(
    values: dict[str, object], reason: str
) -> None:
    with pytest.raises(ImageError, match=rf"a\.dcm: .*{reason}"):
        gray(RAMP8, **values)


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    data = encode(make_dataset(RAMP8))
    for length in (132, 140, 200, 400, len(data) - 40):
        path = tmp_path / "a.dcm"
        path.write_bytes(data[:length])
        with pytest.raises(ImageError, match=r"a\.dcm: must be "):
            read_image(path, image_size=32)


def test_a_lut_cut_short_is_refused() -> None:
    lut = make_lut([0, 1, 2], first=0, bits=8)
    lut.LUTDescriptor = [9, 0, 8]
    with pytest.raises(ImageError, match="a LUT of 6 entries, not 9"):
        gray(RAMP8, VOILUTSequence=[lut])


def deflate(data: bytes, body: bytes) -> bytes:
    """Puts a deflated body behind the file meta information of another file."""
    length = struct.unpack_from("<I", data, 140)[0]
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return data[: 144 + length] + packer.compress(body) + packer.flush()


def test_a_deflated_bomb_is_inflated_no_further_than_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dicom_file, "MAX_BYTES", 2**20)
    start = encode(make_dataset(RAMP8), uid.DeflatedExplicitVRLittleEndian)
    path = tmp_path / "a.dcm"
    path.write_bytes(deflate(start, b"\0" * 200 * 2**20))
    tracemalloc.start()
    try:
        with pytest.raises(
            ImageError, match=r"at most 1,048,576 bytes when inflated\. Received: more"
        ):
            read_image(path, image_size=32)
        assert tracemalloc.get_traced_memory()[1] < 20e6
    finally:
        tracemalloc.stop()


def test_a_damaged_file_says_nothing_of_the_patient() -> None:
    data = encode(make_dataset(RAMP8, PixelRepresentation=None))
    with pytest.raises(ImageError) as refused:
        read_gray(data, "a.dcm")
    assert "SECRET" not in str(refused.value)
    assert "P1" not in str(refused.value)


def test_without_pydicom_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dicom_file.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=r'a.dcm: pydicom .* "dualnet\[dicom\]"'):
        read_gray(encode(make_dataset(RAMP8)), "a.dcm")


# --- the header alone


def test_the_size_is_told_by_the_header_alone(tmp_path: Path) -> None:
    path = tmp_path / "one.dcm"
    whole = encode(make_dataset(np.zeros((20, 30), np.uint8)))
    path.write_bytes(whole[: -20 * 30 // 2])  # half the pixels are gone
    assert read_header(path) == (30, 20, "MONOCHROME2")


def test_a_header_without_a_size_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "one.dcm"
    dataset = make_dataset(np.zeros((20, 30), np.uint8))
    del dataset.Rows
    path.write_bytes(encode(dataset))
    with pytest.raises(ImageError, match=r"one\.dcm: must be a DICOM picture"):
        read_header(path)
