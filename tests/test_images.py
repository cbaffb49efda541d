"""Pictures: exact means, every bad file refused by name."""

import subprocess
import sys
import tracemalloc
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from picture_cases import (
    chunk,
    encoded,
    gray_png,
    pattern,
    png,
    repaired,
    save,
    smooth,
    write,
)
from PIL import Image, ImageFile

from dualnet.data import images
from dualnet.data.images import read_image
from dualnet.data.limits import MAX_BYTES, MAX_PIXELS
from dualnet.errors import ImageError

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


# --- what is refused


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


def test_what_libraries_warn_of_is_not_printed(tmp_path: Path) -> None:
    data = gray_png(pattern())
    method = bytearray(data[16:29])
    method[10] = 5  # a compression method that is none
    write(tmp_path / "a.png", data[:8] + chunk(b"IHDR", bytes(method)) + data[33:])
    write(tmp_path / "b.png", data[:33] + chunk(b"acTL", bytes(8)) + data[33:])
    script = """
import pathlib, sys
from dualnet.data.images import read_header, read_image
for read in (read_header, read_image):
    for path in pathlib.Path(sys.argv[1]).iterdir():
        try:
            read(path)
        except ValueError:
            pass
"""
    done = subprocess.run(  # alone: pytest's handlers would take what is logged
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, check=True
    )
    assert (done.stdout, done.stderr) == (b"", b"")
