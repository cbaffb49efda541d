"""Pictures of every odd kind become the gray that one would compute by hand."""

import struct
import warnings
from pathlib import Path

import numpy as np
import pytest
from picture_cases import ADAM7, chunk, gray_png, pattern, png, save, smooth, write
from PIL import Image

from dualnet.data import images
from dualnet.data.images import read_image
from dualnet.errors import ImageError


@pytest.fixture(params=["imagecodecs", "pillow"], autouse=True)
def _decoder(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test holds with and without the faster decoder of plain PNGs."""
    if request.param == "pillow":
        monkeypatch.setattr(images, "_is_plain", lambda *_: False)


def test_read_image_scales_16_bits_by_their_full_range(tmp_path: Path) -> None:
    values = np.linspace(0, 65535, 32 * 32).astype(np.uint16).reshape(32, 32)
    values[0, :4] = (0, 128, 129, 65535)  # 128/257 rounds to 0, 129/257 to 1
    path = write(tmp_path / "a.png", gray_png(values))
    expected = np.round(values / 257).astype(np.uint8)
    np.testing.assert_array_equal(read_image(path, image_size=32), expected)
    assert expected[0, :4].tolist() == [0, 0, 1, 255]


def test_read_image_refuses_12_bits_in_a_16_bit_file(tmp_path: Path) -> None:
    values = np.full((32, 32), 4095, np.uint16)
    path = write(tmp_path / "00000007_001.png", gray_png(values))
    with pytest.raises(ImageError, match=r"^00000007_001\.png: .*4095.*12 bits"):
        read_image(path)


@pytest.mark.parametrize("kind", ["1", "P", "RGB", "RGBA", "LA"])
def test_read_image_makes_every_kind_gray(tmp_path: Path, kind: str) -> None:
    gray = Image.fromarray(pattern() if kind != "1" else (pattern() // 128) * 255)
    path = save(tmp_path / "a.png", gray.convert(kind))
    np.testing.assert_array_equal(read_image(path, image_size=32), np.asarray(gray))


def test_read_image_weighs_colours_by_their_luma(tmp_path: Path) -> None:
    colours = np.zeros((32, 32, 3), np.uint8)
    colours[:8, :, 0] = colours[8:16, :, 1] = colours[16:24, :, 2] = 255
    path = save(tmp_path / "a.png", Image.fromarray(colours))
    image = read_image(path, image_size=32)
    assert image[::8, 0].tolist() == [76, 150, 29, 0]  # 255 times .299, .587, .114


def test_read_image_lays_transparent_pixels_over_black(tmp_path: Path) -> None:
    rgba = np.full((32, 32, 4), 200, np.uint8)
    rgba[:16, :, 3], rgba[16:, :, 3] = 255, 0
    rgba[0, 0, 3] = 51  # a fifth of 200
    image = read_image(save(tmp_path / "a.png", Image.fromarray(rgba)), image_size=32)
    assert image[0, 0] == 40
    assert (image[1:16] == 200).all()
    assert (image[16:] == 0).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_read_image_lays_a_transparent_gray_over_black(
    tmp_path: Path, dtype: type
) -> None:
    top = np.iinfo(dtype).max
    pixels = np.full((32, 32), top, dtype)
    pixels[:16] = 80
    transparent = chunk(b"tRNS", struct.pack(">H", top))
    path = write(tmp_path / "a.png", gray_png(pixels, extra=transparent))
    image = read_image(path, image_size=32)
    assert (image[16:] == 0).all()
    assert (image[:16] == (80 if dtype == np.uint8 else 0)).all()


def test_read_image_lays_a_transparent_palette_entry_over_black(
    tmp_path: Path,
) -> None:
    pixels = np.zeros((32, 32), np.uint8)
    pixels[16:] = 1
    picture = Image.fromarray(pixels, mode="L").convert("P")
    picture.putpalette([90, 90, 90, 250, 250, 250] + [0] * 762)
    picture.putdata(pixels.ravel().tolist())
    path = save(tmp_path / "a.png", picture, transparency=1)
    image = read_image(path, image_size=32)
    assert (image[:16] == 90).all()
    assert (image[16:] == 0).all()


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_read_image_reads_few_bits_as_their_full_range(
    tmp_path: Path, depth: int
) -> None:
    per_byte = 8 // depth
    highest = 2**depth - 1
    byte = sum(highest << depth * k for k in range(per_byte))
    rows = [b"\0" + bytes([byte if y < 8 else 0] * (32 // per_byte)) for y in range(32)]
    path = write(tmp_path / "a.png", png(b"".join(rows), (32, 32), depth=depth))
    image = read_image(path, image_size=32)
    assert (image[:8] == 255).all()
    assert (image[8:] == 0).all()


def test_read_image_reads_an_interlaced_png(tmp_path: Path) -> None:
    pixels = pattern()
    raw = b"".join(
        b"\0" + row.tobytes()
        for y, x, step_y, step_x in ADAM7
        for row in pixels[y::step_y, x::step_x]
    )
    path = write(tmp_path / "a.png", png(raw, (32, 32), interlaced=True))
    np.testing.assert_array_equal(read_image(path, image_size=32), pixels)


def test_read_image_reads_a_jpeg(tmp_path: Path) -> None:
    path = save(tmp_path / "a.jpeg", Image.fromarray(smooth()), quality=95)
    difference = read_image(path, image_size=32).astype(int) - smooth()
    assert abs(difference).max() <= 4


def test_read_image_reads_a_cmyk_jpeg(tmp_path: Path) -> None:
    gray = Image.fromarray(smooth())
    path = save(tmp_path / "a.jpg", gray.convert("CMYK"), quality=95)
    difference = read_image(path, image_size=32).astype(int) - smooth()
    assert abs(difference).max() <= 6


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_read_image_turns_a_rotated_picture_upright(
    tmp_path: Path, orientation: int, suffix: str
) -> None:
    # What a camera would store for each orientation so that it shows `smooth()`.
    stored = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.T,
        6: lambda a: np.rot90(a),
        7: lambda a: a[::-1, ::-1].T,
        8: lambda a: np.rot90(a, -1),
    }[orientation](smooth())
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = Image.fromarray(np.ascontiguousarray(stored))
    path = save(tmp_path / f"a.{suffix}", picture, exif=exif, quality=95)
    difference = read_image(path, image_size=32).astype(int) - smooth()
    assert abs(difference).max() <= 4


@pytest.mark.parametrize(
    "exif",
    [
        b"Exif\0\0",
        b"Exif\0\0II*\0\xff\xff\xff\xff",
        b"Exif\0\0MM\0*\0\0\0\x08\xff\xff\x01\x12",
        b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x63\0\0\0",
        b"Exif\0\0garbage that is no TIFF header",
    ],
)
def test_read_image_takes_damaged_exif_for_upright(tmp_path: Path, exif: bytes) -> None:
    picture = Image.fromarray(smooth())
    path = save(tmp_path / "a.jpg", picture, exif=exif, quality=95)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        image = read_image(path, image_size=32)
    assert abs(image.astype(int) - smooth()).max() <= 4


# --- several things at once


def rows_of(pixel: bytes, size: int = 32) -> bytes:
    return (b"\0" + pixel * size) * size


@pytest.mark.parametrize(
    ("colour", "depth", "pixel", "gray"),
    [
        (0, 16, (51400,), 200),  # 51,400 is 200 times 257
        (4, 8, (200, 51), 40),  # a fifth of 200
        (4, 16, (51400, 13107), 40),
        (2, 16, (25700, 51400, 51400), 170),  # .299 of 100 and .701 of 200
        (6, 8, (100, 200, 200, 255), 170),
        (6, 16, (25700, 51400, 51400, 13107), 34),  # a fifth of 170
    ],
)
def test_read_image_reads_every_depth_with_and_without_alpha(
    tmp_path: Path, colour: int, depth: int, pixel: tuple[int, ...], gray: int
) -> None:
    values = np.array(pixel, f">u{depth // 8}").tobytes()
    data = png(rows_of(values), (32, 32), depth=depth, colour=colour)
    assert (read_image(write(tmp_path / "a.png", data), image_size=32) == gray).all()


@pytest.mark.parametrize("colour", [2, 4, 6])
def test_read_image_refuses_12_bits_in_16_bits_of_colour(
    tmp_path: Path, colour: int
) -> None:
    samples = {2: 3, 4: 2, 6: 4}[colour]
    data = png(rows_of(b"\x0f\xff" * samples), (32, 32), depth=16, colour=colour)
    with pytest.raises(ImageError, match=r"below 4,096, as of 12 bits"):
        read_image(write(tmp_path / "a.png", data))


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_read_image_looks_values_up_in_the_palette(tmp_path: Path, depth: int) -> None:
    # Entry 0 is light, entry 1 dark and half transparent: 100 times 128 / 255.
    palette = chunk(b"PLTE", bytes([240] * 3 + [100] * 3))
    palette += chunk(b"tRNS", bytes([255, 128]))
    one = sum(1 << depth * k for k in range(8 // depth))
    rows = [bytes([0, *[one if y < 8 else 0] * (32 * depth // 8)]) for y in range(32)]
    data = png(b"".join(rows), (32, 32), depth=depth, colour=3, extra=palette)
    image = read_image(write(tmp_path / "a.png", data), image_size=32)
    assert (image[:8] == 50).all()
    assert (image[8:] == 240).all()


def test_read_image_reads_an_interlaced_png_of_16_bits(tmp_path: Path) -> None:
    pixels = pattern()
    pixels[0, 0] = 255  # 12 bits at the most would be refused
    wide = (pixels.astype(np.uint16) * 257).astype(">u2")
    raw = b"".join(
        b"\0" + row.tobytes()
        for y, x, step_y, step_x in ADAM7
        for row in wide[y::step_y, x::step_x]
    )
    data = png(raw, (32, 32), depth=16, interlaced=True)
    image = read_image(write(tmp_path / "a.png", data), image_size=32)
    np.testing.assert_array_equal(image, pixels)


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_read_image_reads_a_progressive_jpeg_as_a_sequential_one(
    tmp_path: Path, mode: str
) -> None:
    # Both hold the same coefficients: ITU-T T.81, section G.
    picture = Image.fromarray(smooth()).convert(mode)
    plain = save(tmp_path / "a.jpg", picture, quality=95)
    progressive = save(tmp_path / "b.jpg", picture, quality=95, progressive=True)
    assert b"\xff\xc2" in progressive.read_bytes()
    image = read_image(progressive, image_size=32)
    np.testing.assert_array_equal(image, read_image(plain, image_size=32))
    assert abs(image.astype(int) - smooth()).max() <= 6


@pytest.mark.parametrize(
    ("ink", "gray"),
    [
        ((0, 0, 0, 0), 255),
        ((255, 0, 0, 0), 179),  # cyan takes the red: 255 times .587 + .114
        ((0, 255, 0, 0), 105),  # magenta takes the green
        ((0, 0, 255, 0), 226),  # yellow takes the blue
        ((0, 0, 0, 255), 0),
    ],
)
def test_read_image_takes_the_inks_of_a_cmyk_jpeg_from_white(
    tmp_path: Path, ink: tuple[int, int, int, int], gray: int
) -> None:
    path = save(tmp_path / "a.jpg", Image.new("CMYK", (32, 32), ink), quality=95)
    assert abs(read_image(path, image_size=32).astype(int) - gray).max() <= 1
