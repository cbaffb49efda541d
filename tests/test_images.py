"""Pictures: exact means, every odd kind handled right, every bad file refused by name."""

import io
import struct
import tracemalloc
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile

from dualnet.data import images
from dualnet.data.images import read_image
from dualnet.data.limits import MAX_BYTES, MAX_PIXELS
from dualnet.errors import ImageError

ADAM7 = (
    (0, 0, 8, 8),
    (0, 4, 8, 8),
    (4, 0, 8, 4),
    (0, 2, 4, 4),
    (2, 0, 4, 2),
    (0, 1, 2, 2),
    (1, 0, 2, 1),
)


def chunk(kind: bytes, body: bytes) -> bytes:
    checksum = zlib.crc32(kind + body)
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", checksum)


def png(
    raw: bytes,
    size: tuple[int, int],
    *,
    depth: int = 8,
    colour: int = 0,
    interlaced: bool = False,
    extra: bytes = b"",
) -> bytes:
    header = struct.pack(">IIBBBBB", *size, depth, colour, 0, 0, interlaced)
    body = chunk(b"IHDR", header) + extra + chunk(b"IDAT", zlib.compress(raw))
    return b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b"")


def gray_png(pixels: np.ndarray, **options: object) -> bytes:
    """A PNG of 8- or 16-bit gray values, without row filters."""
    depth = 8 * pixels.dtype.itemsize
    rows = pixels.astype(f">u{pixels.dtype.itemsize}")
    raw = b"".join(b"\0" + row.tobytes() for row in rows)
    return png(raw, pixels.shape[::-1], depth=depth, **options)  # pyright: ignore


def pattern(height: int = 32, width: int = 32, seed: int = 0) -> np.ndarray:
    values = np.random.default_rng(seed).integers(0, 256, (height, width))
    return values.astype(np.uint8)


def smooth(side: int = 32) -> np.ndarray:
    """A ramp that JPEG keeps nearly: dark at the top left, bright at the bottom."""
    y, x = np.mgrid[:side, :side]
    return ((6 * y + x) * 255 // (7 * (side - 1))).astype(np.uint8)


def save(path: Path, picture: Image.Image, **options: object) -> Path:
    picture.save(path, **options)  # pyright: ignore
    return path


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


# --- what becomes of the pixels


@pytest.fixture(params=["imagecodecs", "pillow"], autouse=True)
def _decoder(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test holds with and without the faster decoder of plain PNGs."""
    if request.param == "pillow":
        monkeypatch.setattr(images, "_is_plain", lambda *_: False)


def test_read_image_keeps_a_picture_of_the_same_size(tmp_path: Path) -> None:
    pixels = pattern()
    path = save(tmp_path / "a.png", Image.fromarray(pixels))
    image = read_image(path, image_size=32)
    assert image.dtype == np.uint8
    assert image.flags.c_contiguous
    np.testing.assert_array_equal(image, pixels)


def test_read_image_takes_the_mean_of_each_block_half_rounded_up(
    tmp_path: Path,
) -> None:
    pixels = np.zeros((32, 32), np.uint8)
    pixels[0, :2], pixels[1, :2] = (0, 0), (0, 1)  # 1/4 → 0
    pixels[0, 2:4], pixels[1, 2:4] = (0, 1), (0, 1)  # 2/4 → 1
    pixels[0, 4:6], pixels[1, 4:6] = (255, 255), (255, 254)  # 254.75 → 255
    pixels[2, :2], pixels[3, :2] = (10, 20), (30, 41)  # 25.25 → 25
    path = save(tmp_path / "a.png", Image.fromarray(pixels))
    image = read_image(path, image_size=16)
    assert image[0, :4].tolist() == [0, 1, 255, 0]
    assert image[1, 0] == 25
    assert image.sum() == 281


@pytest.mark.parametrize(
    "factors", [(1, 1), (4, 4), (3, 3), (2, 5), (16, 16), (17, 16)]
)
def test_read_image_means_are_exact(tmp_path: Path, factors: tuple[int, int]) -> None:
    rows, columns = factors
    pixels = pattern(16 * rows, 16 * columns)
    blocks = pixels.reshape(16, rows, 16, columns).sum(axis=(1, 3), dtype=np.int64)
    area = rows * columns
    path = save(tmp_path / "a.png", Image.fromarray(pixels))
    image = read_image(path, image_size=16)
    np.testing.assert_array_equal(image, (2 * blocks + area) // (2 * area))


def test_read_image_keeps_white_white(tmp_path: Path) -> None:
    white = Image.new("L", (16 * 17, 16 * 16), 255)
    path = save(tmp_path / "a.png", white)
    assert (read_image(path, image_size=16) == 255).all()


def test_read_image_takes_the_mean_of_fractional_areas(tmp_path: Path) -> None:
    # 24 to 16: each result covers one pixel and a half.
    pixels = np.zeros((24, 24), np.uint8)
    pixels[:, 0] = 240  # whole in the first column: 240 / 1.5 = 160
    pixels[:, 4] = 243  # half in the third and fourth: 243 / 2 / 1.5 = 81
    pixels[:, 7] = 99  # half in the fifth and sixth: 99 / 2 / 1.5 = 33
    path = save(tmp_path / "a.png", Image.fromarray(pixels))
    image = read_image(path, image_size=16)
    assert (image == image[0]).all()
    assert image[0].tolist() == [160, 0, 81, 81, 33, 33] + [0] * 10
    turned = save(tmp_path / "b.png", Image.fromarray(pixels.T))
    np.testing.assert_array_equal(read_image(turned, image_size=16), image.T)


@pytest.mark.parametrize("shape", [(17, 16), (33, 47), (100, 16), (250, 31)])
def test_read_image_means_of_fractional_areas_are_exact(
    tmp_path: Path, shape: tuple[int, int]
) -> None:
    # Repeating each pixel 16 times in both directions makes every area whole.
    pixels = pattern(*shape)
    fine = pixels.repeat(16, axis=0).repeat(16, axis=1).astype(np.int64)
    sums = fine.reshape(16, shape[0], 16, shape[1]).sum(axis=(1, 3))
    area = shape[0] * shape[1]
    path = save(tmp_path / "a.png", Image.fromarray(pixels))
    image = read_image(path, image_size=16)
    np.testing.assert_array_equal(image, (2 * sums + area) // (2 * area))


def test_read_image_stretches_to_the_square(tmp_path: Path) -> None:
    pixels = np.repeat(pattern(16, 16), 3, axis=1)  # three times as wide as high
    path = save(tmp_path / "a.png", Image.fromarray(pixels))
    np.testing.assert_array_equal(read_image(path, image_size=16), pixels[:, ::3])


def test_read_image_enlarges_a_smaller_picture(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", Image.fromarray(smooth(16)))
    image = read_image(path, image_size=64)
    assert image.shape == (64, 64)
    assert image[0, 0] == 0
    assert image[-1, -1] == 255
    assert (np.diff(image.astype(int), axis=0) >= 0).all()


def test_read_image_defaults_to_256_pixels(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", Image.new("L", (20, 20), 7))
    image = read_image(path)
    assert image.shape == (256, 256)
    assert (image == 7).all()


# --- odd kinds, each made gray


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


# --- what is refused


def encoded(kind: str) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pattern()).save(stream, kind)
    return stream.getvalue()


REFUSED = {
    "empty": (b"", "an empty file"),
    "text": (b"Image Index,Finding Labels\n" * 9, "another kind of file"),
    "gif": (encoded("GIF"), "another kind of file"),
    "truncated": (encoded("PNG")[:-400], "a truncated PNG"),
    "without its end": (encoded("PNG")[:-12], "a truncated PNG"),
    "signature alone": (encoded("PNG")[:8], "a truncated PNG"),
    "truncated jpeg": (encoded("JPEG")[:-300], "truncated"),
    "jpeg header alone": (encoded("JPEG")[:20], "decodable"),
    "too short": (
        png(zlib.compress(b""), (32, 32)),
        "decodable to its end",
    ),
    "huge": (png(b"\0", (30_000, 30_000)), r"30,000 by 30,000"),
    "narrow": (gray_png(pattern(15, 900)), "900 by 15"),
    "unknown colour": (png(b"\0" * 99, (32, 32), colour=5), "decodable"),
    "no header": (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IDAT", b"") + chunk(b"IEND", b""),
        "decodable",
    ),
    "zero": (png(b"\0", (0, 0)), "decodable"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_read_image_refuses_a_bad_file_by_name(tmp_path: Path, kind: str) -> None:
    data, reason = REFUSED[kind]
    path = write(tmp_path / "00000042_000.png", data)
    with pytest.raises(ImageError, match=reason) as caught:
        read_image(path)
    message = str(caught.value)
    assert message.startswith("00000042_000.png: must be ")
    assert message.endswith("Replace the file, or leave its image out.")
    assert "\n" not in message
    assert str(tmp_path) not in message


def test_read_image_refuses_an_absent_file_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"^gone\.png: .*No such file"):
        read_image(tmp_path / "gone.png")
    with pytest.raises(ImageError, match="a folder"):
        read_image(tmp_path)


def test_read_image_refuses_an_animated_png(tmp_path: Path) -> None:
    frames = [Image.fromarray(pattern(seed=seed)) for seed in range(3)]
    path = save(tmp_path / "a.png", frames[0], save_all=True, append_images=frames[1:])
    with pytest.raises(ImageError, match=r"a\.png: must be one picture.*animated"):
        read_image(path)


def test_read_image_refuses_a_file_of_too_many_bytes(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    with path.open("wb") as stream:
        stream.truncate(MAX_BYTES + 1)
    with pytest.raises(
        ImageError, match=f"at most {MAX_BYTES:,} bytes. Received: {MAX_BYTES + 1:,}"
    ):
        read_image(path)


@pytest.mark.parametrize("colour", [0, 6])
def test_read_image_refuses_a_bomb_before_it_is_decoded(
    tmp_path: Path, colour: int
) -> None:
    side = int(MAX_PIXELS**0.5) + 1
    path = write(tmp_path / "a.png", png(b"\0" * 10_000, (side, side), colour=colour))
    tracemalloc.start()
    with warnings.catch_warnings(), pytest.raises(ImageError, match=f"{side:,} by"):
        warnings.simplefilter("error")
        read_image(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20


def test_read_image_refuses_a_bomb_of_text(tmp_path: Path) -> None:
    text = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(2**22)))
    path = write(tmp_path / "a.png", gray_png(pattern(), extra=text))
    with pytest.raises(ImageError, match="Decompressed data too large"):
        read_image(path)


def test_read_image_refuses_every_flipped_bit(tmp_path: Path) -> None:
    data = encoded("PNG")
    random = np.random.default_rng(0)
    path = tmp_path / "a.png"
    for place in random.integers(0, len(data), 200):
        damaged = bytearray(data)
        damaged[place] ^= 1 << random.integers(8)
        path.write_bytes(damaged)
        with pytest.raises(ImageError, match=r"^a\.png: must be "):
            read_image(path)


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_read_image_survives_garbage(tmp_path: Path, kind: str) -> None:
    """Damage that keeps PNG's checksums right reaches the decoder, as in JPEG."""
    random = np.random.default_rng(1)
    path = tmp_path / "a"
    for _ in range(150):
        data = bytearray(encoded(kind))
        for place in random.integers(2, len(data), 4):
            data[place] = random.integers(256)
        path.write_bytes(repaired(bytes(data)) if kind == "PNG" else data)
        try:
            image = read_image(path, image_size=32)
        except ImageError as error:
            assert str(error).startswith("a: must be ")
        else:
            assert image.shape == (32, 32)


def repaired(data: bytes) -> bytes:
    """Gives each chunk of a damaged PNG its right checksum again."""
    whole, start = data[:8], 8
    while start + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, start)
        body = data[start + 8 : start + 8 + min(length, len(data))]
        whole += chunk(data[start + 4 : start + 8], body)
        start += 12 + length
    return whole


def test_read_image_does_not_ask_pillow_to_complete_truncated_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ImageFile.LOAD_TRUNCATED_IMAGES is False
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)  # by someone else
    path = write(tmp_path / "a.png", encoded("PNG")[:-400])
    with pytest.raises(ImageError, match="truncated"):
        read_image(path)


@pytest.mark.real_data
def test_read_image_is_the_exact_mean_of_a_real_radiograph(real_data: Path) -> None:
    path = min((real_data / "nih-1024" / "images").glob("*.png"))
    with Image.open(path) as picture:
        blocks = np.asarray(picture, np.int64).reshape(256, 4, 256, 4).sum((1, 3))
    np.testing.assert_array_equal(read_image(path), (blocks + 8) // 16)
