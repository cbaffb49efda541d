"""Compressed DICOM pixels: every codestream to the same gray, bombs refused unopened."""

import struct
import tracemalloc
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from dicom_cases import RAMP8, RAMP12, compress, gray
from pydicom import uid
from pydicom.data import get_testdata_file

from dualnet.data import jpeg_2000_header
from dualnet.data.dicom_codecs import check_fragments
from dualnet.data.dicom_pixels import read_gray
from dualnet.data.images import read_image
from dualnet.errors import ImageError


def frames() -> list[tuple[uid.UID, np.ndarray, bytes]]:
    eight, twelve = np.kron(RAMP8, np.ones((2, 2), np.uint8)), RAMP12
    return [
        (
            uid.JPEGLossless,
            twelve,
            imagecodecs.jpeg8_encode(
                twelve, lossless=True, predictor=4, bitspersample=12
            ),
        ),
        (
            uid.JPEGLosslessSV1,
            twelve,
            imagecodecs.jpeg8_encode(twelve, lossless=True, bitspersample=12),
        ),
        (
            uid.JPEGLosslessSV1,
            eight,
            imagecodecs.jpeg8_encode(eight, lossless=True, bitspersample=8),
        ),
        (uid.JPEGLSLossless, twelve, imagecodecs.jpegls_encode(twelve)),
        (
            uid.JPEG2000Lossless,
            twelve,
            imagecodecs.jpeg2k_encode(
                twelve, level=0, codecformat="j2k", reversible=True
            ),
        ),
        (
            uid.JPEG2000Lossless,  # a whole JP2 file, as some write it
            twelve,
            imagecodecs.jpeg2k_encode(
                twelve, level=0, codecformat="jp2", reversible=True
            ),
        ),
        (uid.HTJ2KLossless, twelve, imagecodecs.htj2k_encode(twelve)),
    ]


@pytest.mark.parametrize(("syntax", "pixels", "frame"), frames())
def test_lossless_frames_are_decoded_to_the_same_gray(
    syntax: uid.UID, pixels: np.ndarray, frame: bytes
) -> None:
    bits = 12 if pixels.dtype.itemsize == 2 else 8
    data = compress(pixels, frame, syntax, BitsStored=bits)
    expected = gray(pixels, BitsStored=bits)
    np.testing.assert_array_equal(np.asarray(read_gray(data, "a.dcm")), expected)


@pytest.mark.parametrize("lossless", [True, False])
def test_signed_values_in_unsigned_codestreams(lossless: bool) -> None:
    pixels = RAMP12.astype(np.int16) - 2048
    unsigned = pixels.view(np.uint16) & 0x0FFF
    frame = imagecodecs.jpegls_encode(unsigned)
    syntax = uid.JPEGLSLossless
    if lossless:
        frame = imagecodecs.jpeg8_encode(unsigned, lossless=True, bitspersample=12)
        syntax = uid.JPEGLosslessSV1
    data = compress(pixels, frame, syntax, BitsStored=12)
    expected = gray(pixels, BitsStored=12)
    np.testing.assert_array_equal(np.asarray(read_gray(data, "a.dcm")), expected)


def test_baseline_jpeg_is_like_the_jpeg_file(tmp_path: Path) -> None:
    pixels = np.kron(RAMP8, np.ones((4, 4), np.uint8))
    frame = imagecodecs.jpeg8_encode(pixels, level=90)
    (tmp_path / "a.jpg").write_bytes(frame)
    (tmp_path / "a.dcm").write_bytes(compress(pixels, frame, uid.JPEGBaseline8Bit))
    np.testing.assert_array_equal(
        read_image(tmp_path / "a.dcm", image_size=32),
        read_image(tmp_path / "a.jpg", image_size=32),
    )


@pytest.mark.parametrize(
    ("compressed", "raw"),
    [
        ("MR_small_RLE.dcm", "MR_small.dcm"),
        ("MR_small_jpeg_ls_lossless.dcm", "MR_small.dcm"),
        ("MR_small_jp2klossless.dcm", "MR_small.dcm"),
        ("MR_small_bigendian.dcm", "MR_small.dcm"),
        ("MR_small_implicit.dcm", "MR_small.dcm"),
        ("SC_rgb_rle.dcm", "SC_rgb_jpeg_gdcm.dcm"),  # the second: lossless JPEG
        ("SC_rgb_jls_lossy_line.dcm", "SC_rgb_jls_lossy_sample.dcm"),
    ],
)
def test_files_of_other_makers(compressed: str, raw: str) -> None:
    found, expected = (
        np.asarray(read_gray(read_test_file(name), name)) for name in (compressed, raw)
    )
    np.testing.assert_array_equal(found, expected)
    assert found.max() > found.min()


def test_twelve_bit_extended_jpeg_of_another_maker() -> None:
    # of the 1024 by 256 pixels the greatest is 264, as pydicom's own decoders say
    picture = read_gray(read_test_file("JPGExtended.dcm"), "a.dcm")
    assert picture.size == (256, 1024)


def test_a_deflated_file() -> None:
    picture = read_gray(read_test_file("image_dfl.dcm"), "a.dcm")
    assert picture.size == (512, 512)


def read_test_file(name: str) -> bytes:
    path = get_testdata_file(name, download=False)
    return Path(str(path)).read_bytes()


# --- refused


@pytest.mark.parametrize(
    ("syntax", "encode_frame"),
    [
        (uid.JPEGBaseline8Bit, imagecodecs.jpeg8_encode),
        (uid.JPEGLSLossless, imagecodecs.jpegls_encode),
        (uid.JPEG2000Lossless, imagecodecs.jpeg2k_encode),
    ],
)
def test_a_codestream_of_another_size_is_not_decoded(
    syntax: uid.UID, encode_frame: "object"
) -> None:
    frame = encode_frame(np.zeros((64, 48), np.uint8))  # pyright: ignore
    with pytest.raises(
        ImageError, match=r"codestream of 48 by 64 by 1 under a header of 16 by 16 by 1"
    ):
        read_gray(compress(RAMP8, frame, syntax), "a.dcm")


def test_a_codestream_of_many_samples_is_not_decoded() -> None:
    frame = imagecodecs.jpeg2k_encode(RAMP8, codecformat="j2k")
    at = 40  # Csiz, T.800 annex A.5.1
    assert frame[at : at + 2] == b"\0\1"
    frame = frame[:at] + b"\x40\0" + frame[at + 2 :]
    with pytest.raises(
        ImageError, match="16 by 16 by 16384 under a header of 16 by 16"
    ):
        read_gray(compress(RAMP8, frame, uid.JPEG2000Lossless), "a.dcm")


@pytest.mark.parametrize("lossless", [True, False])
@pytest.mark.parametrize("cut", [2, 60])
def test_a_truncated_jpeg_is_not_filled_with_gray(lossless: bool, cut: int) -> None:
    options = {"lossless": lossless, "bitspersample": 12}
    frame = imagecodecs.jpeg8_encode(RAMP12, **options)
    syntax = uid.JPEGLosslessSV1 if lossless else uid.JPEGExtended12Bit
    data = compress(RAMP12, frame[:-cut], syntax, BitsStored=12)
    with pytest.raises(ImageError, match="Received: a codestream without its end"):
        read_gray(data, "a.dcm")


def test_a_reason_is_the_same_each_time() -> None:
    frame = bytearray(imagecodecs.jpeg8_encode(RAMP8))
    frame[frame.index(b"\xff\xc0") + 4] = 9  # bits a value
    data = compress(RAMP8, bytes(frame), uid.JPEGBaseline8Bit)
    with pytest.raises(ImageError) as caught:
        read_gray(data, "a.dcm")
    assert "0x" not in str(caught.value)


def test_bytes_that_pad_a_jpeg_do_no_harm() -> None:
    frame = imagecodecs.jpeg8_encode(RAMP8)
    whole, padded = (
        np.asarray(read_gray(compress(RAMP8, data, uid.JPEGBaseline8Bit), "a.dcm"))
        for data in (frame, frame + b"\xff")
    )
    np.testing.assert_array_equal(whole, padded)


def test_a_truncated_fragment_is_refused() -> None:
    data = compress(RAMP8, imagecodecs.jpeg8_encode(RAMP8), uid.JPEGBaseline8Bit)
    place = data.rindex(b"\xfe\xff\0\xe0") + 4  # the length of the only fragment
    length = int.from_bytes(data[place : place + 4], "little") + 100
    with pytest.raises(ValueError, match="a truncated fragment"):
        check_fragments(
            b"\xfe\xff\0\xe0"
            + bytes(4)
            + data[place - 4 : place]
            + length.to_bytes(4, "little")
            + data[place + 4 :]
        )


@pytest.mark.parametrize(
    ("level_sizes", "count"),
    [
        # 64 by 64 in 2 levels: 16 by 16, 32 by 32 and 64 by 64
        (b"\x44\x44\x44", 1 + 4 + 16),
        (b"\x33\x44\x55", 4 + 4 + 4),
        (b"\x43\x44\x44", 2 + 4 + 16),
    ],
)
def test_precincts_are_counted(
    level_sizes: bytes, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    style = bytes([2, 4, 4, 0, 1]) + level_sizes
    monkeypatch.setattr(jpeg_2000_header, "MAX_PRECINCTS", 3 * count)
    jpeg_2000_header._check_style(style, 1, (64, 64), 3)
    monkeypatch.setattr(jpeg_2000_header, "MAX_PRECINCTS", 3 * count - 1)
    with pytest.raises(ValueError, match=f"{3 * count} precincts"):
        jpeg_2000_header._check_style(style, 1, (64, 64), 3)


def test_a_coding_style_within_a_tile_part_counts_too() -> None:
    plain = {"level": 0, "codecformat": "j2k", "reversible": True}
    frame = imagecodecs.jpeg2k_encode(np.kron(RAMP8, np.ones((4, 4), "u1")), **plain)
    jpeg_2000_header.check_codestream(frame, 0)
    start = frame.index(b"\xff\x52")
    style = bytearray(frame[start : start + 14])
    style[6:8] = b"\xff\xff"
    place = frame.index(b"\xff\x93")
    with pytest.raises(ValueError, match="65,535 layers"):
        jpeg_2000_header.check_codestream(frame[:place] + style + frame[place:], 0)


def test_runs_that_swell_beyond_the_header_are_not_decoded() -> None:
    segment = b"\x81\x00" * 2_000_000  # 128 zeros each: 256 MB
    frame = struct.pack("<16I", 1, 64, *[0] * 14) + segment
    data = compress(RAMP8, frame, uid.RLELossless)
    tracemalloc.start()
    try:
        with pytest.raises(ImageError, match=r"a\.dcm: must be decodable DICOM"):
            read_gray(data, "a.dcm")
        assert tracemalloc.get_traced_memory()[1] < 50e6
    finally:
        tracemalloc.stop()
