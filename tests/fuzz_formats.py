"""The file formats that are fuzzed: small whole files, and what is done to them.

A format is one entry of `FORMATS`. File number n of a seed is the same on every machine
that has the same libraries.
"""

import importlib.util
import io
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import fuzz_dicom
import numpy as np
from picture_cases import ADAM7, chunk, gray_png, png, repaired
from PIL import Image

Random = np.random.Generator
Mutation = Callable[[bytes, Random], bytes]

SIZE = (40, 48)  # width and height of the whole pictures
TELLING = [0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF]


@dataclass(frozen=True)
class FileFormat:
    """A file format.

    Args:
        name: Of the format.
        suffix: Of its files.
        make_wholes: Makes files that are whole.
        mutations: What is done to one, besides `MUTATIONS`.
        needs: The package that reads them, if it is an extra.
    """

    name: str
    suffix: str
    make_wholes: Callable[[], list[bytes]]
    mutations: Sequence[Mutation]
    needs: str = ""

    @property
    def skipped(self) -> str:
        """Why the format cannot be read here; empty if it can."""
        there = not self.needs or importlib.util.find_spec(self.needs)
        return "" if there else f"skipped: {self.needs} is not installed"


def mutate(kind: FileFormat, wholes: Sequence[bytes], seed: int, number: int) -> bytes:
    """Returns damaged file `number` of a seed: one to three mutations of a whole one."""
    random = np.random.default_rng([seed, number])
    data = wholes[random.integers(len(wholes))]
    every = [*MUTATIONS, *kind.mutations]
    for _ in range(random.integers(1, 4)):
        if len(data) > 1:
            data = every[random.integers(len(every))](data, random)
    return data


# --- any file


def flip_bits(data: bytes, random: Random) -> bytes:
    changed = bytearray(data)
    for place in random.integers(0, len(data), random.integers(1, 9)):
        changed[place] ^= 1 << int(random.integers(8))
    return bytes(changed)


def overwrite(data: bytes, random: Random) -> bytes:
    start, end = _range(data, random)
    return data[:start] + random.bytes(end - start) + data[end:]


def place_telling_value(data: bytes, random: Random) -> bytes:
    value = TELLING[random.integers(len(TELLING))]
    width = max((value.bit_length() + 7) // 8, 1)
    start = int(random.integers(len(data)))
    return data[:start] + value.to_bytes(width, "big") + data[start + width :]


def drop_range(data: bytes, random: Random) -> bytes:
    start, end = _range(data, random)
    return data[:start] + data[end:]


def repeat_range(data: bytes, random: Random) -> bytes:
    start, end = _range(data, random)
    return data[:end] + data[start:end] * int(random.integers(1, 4)) + data[end:]


def truncate(data: bytes, random: Random) -> bytes:
    return data[: random.integers(1, len(data))]


MUTATIONS: list[Mutation] = [
    flip_bits,
    overwrite,
    place_telling_value,
    drop_range,
    repeat_range,
    truncate,
]


def _range(data: bytes, random: Random) -> tuple[int, int]:
    start = int(random.integers(len(data)))
    return start, min(start + int(random.integers(1, 65)), len(data))


# --- PNG


def make_pngs() -> list[bytes]:
    shapes = [(), (2,), (3,), (4,)]  # gray, with alpha, colours, with alpha
    pictures = [Image.fromarray(_values(shape)) for shape in shapes]
    gray = pictures[0]
    files = [_encode(picture, "PNG") for picture in pictures]
    files += [_encode(gray.convert("1"), "PNG")]
    files += [_encode(gray.convert("P"), "PNG", transparency=3)]
    exif = Image.Exif()
    exif[0x0112] = 6
    files += [_encode(gray, "PNG", exif=exif, icc_profile=bytes(200))]
    files += [_encode(gray, "PNG", save_all=True, append_images=[pictures[1]])]
    text = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"text " * 50))
    files += [gray_png(_values(()), extra=text)]
    files += [gray_png(_values(()).astype(np.uint16) * 257)]
    raw = b"".join(  # interlaced: ADAM7 of a plain picture
        b"\0" + bytes([90]) * (-(-(SIZE[0] - x) // dx))
        for y, x, dy, dx in ADAM7
        for _ in range(y, SIZE[1], dy)
    )
    return [*files, png(raw, SIZE, interlaced=True)]


def with_right_checksums(data: bytes, random: Random) -> bytes:
    """Lets the damage through to the decoders."""
    return repaired(data)


def change_chunks(data: bytes, random: Random) -> bytes:
    """Drops, repeats or moves a chunk."""
    chunks = _split_png(data)
    if not chunks:
        return data
    place, to = random.integers(0, len(chunks), 2)
    moved = chunks[place]
    kind = random.integers(3)
    if kind != 1:
        del chunks[place]
    if kind != 0:
        chunks.insert(to, moved)
    return data[:8] + b"".join(chunks)


def change_header(data: bytes, random: Random) -> bytes:
    """Sets one byte of IHDR, and its checksum."""
    changed = bytearray(data)
    if len(data) > 33:
        changed[random.integers(16, 29)] = random.integers(256)
        changed[29:33] = zlib.crc32(changed[12:29]).to_bytes(4, "big")
    return bytes(changed)


def change_rows(data: bytes, random: Random) -> bytes:
    """Damages what is compressed, and compresses it again."""
    for part in _split_png(data):
        if part[4:8] in {b"IDAT", b"zTXt", b"iCCP"}:
            skip = 8 if part[4:8] == b"IDAT" else part.find(b"\0\0", 8) + 2
            try:
                raw = zlib.decompress(part[skip:-4])
            except zlib.error:
                continue
            if raw:
                mutation = MUTATIONS[random.integers(len(MUTATIONS))]
                packed = zlib.compress(mutation(raw, random))
                data = data.replace(part, chunk(part[4:8], part[8:skip] + packed))
    return data


def _split_png(data: bytes) -> list[bytes]:
    chunks, start = [], 8
    while start + 12 <= len(data):
        end = start + 12 + int.from_bytes(data[start : start + 4], "big")
        chunks.append(data[start:end])
        start = end
    return chunks


# --- JPEG


def make_jpegs() -> list[bytes]:
    gray, colours = Image.fromarray(_values(())), Image.fromarray(_values((3,)))
    exif = Image.Exif()
    exif[0x0112] = 8
    files = [_encode(gray, "JPEG"), _encode(gray, "JPEG", progressive=True)]
    files += [_encode(colours, "JPEG", exif=exif, icc_profile=bytes(200))]
    files += [_encode(colours, "JPEG", progressive=True, subsampling=0)]
    files += [_encode(colours, "JPEG", restart_marker_rows=1, comment=b"text")]
    files += [_encode(colours.convert("CMYK"), "JPEG")]
    return [*files, _encode(colours.convert("CMYK"), "JPEG", progressive=True)]


def change_segments(data: bytes, random: Random) -> bytes:
    """Drops, repeats or moves what begins with a marker."""
    segments = data.split(b"\xff")
    place, to = random.integers(1, len(segments), 2) if len(segments) > 1 else (0, 0)
    moved = segments[place]
    kind = random.integers(3)
    if kind != 1:
        del segments[place]
    if kind != 0:
        segments.insert(to, moved)
    return b"\xff".join(segments)


def change_frame(data: bytes, random: Random) -> bytes:
    """Sets one byte of the frame's header: precision, height, width or a component."""
    for marker in (b"\xff\xc0", b"\xff\xc2"):
        place = data.find(marker)
        if 0 <= place < len(data) - 20:
            changed = bytearray(data)
            changed[place + random.integers(2, 20)] = random.integers(256)
            return bytes(changed)
    return data


def change_tables(data: bytes, random: Random) -> bytes:
    """Sets one byte of a quantization or Huffman table."""
    marker = (b"\xff\xdb", b"\xff\xc4")[random.integers(2)]
    place = data.find(marker)
    if not 0 <= place < len(data) - 30:
        return data
    changed = bytearray(data)
    changed[place + random.integers(2, 30)] = random.integers(256)
    return bytes(changed)


FORMATS = [
    FileFormat(
        "png",
        ".png",
        make_pngs,
        [with_right_checksums] * 6 + [change_chunks, change_header, change_rows],
    ),
    FileFormat(
        "jpeg", ".jpg", make_jpegs, [change_segments, change_frame, change_tables]
    ),
    FileFormat(
        "dicom", ".dcm", fuzz_dicom.make_native, fuzz_dicom.MUTATIONS, "pydicom"
    ),
    FileFormat(
        "dicom-compressed",
        ".dcm",
        fuzz_dicom.make_compressed,
        fuzz_dicom.MUTATIONS,
        "pydicom",
    ),
]


def _values(channels: tuple[int, ...]) -> np.ndarray:
    """A ramp with some noise, so that every coefficient occurs."""
    y, x = np.mgrid[: SIZE[1], : SIZE[0]]
    ramp = (3 * y + 2 * x).reshape(*SIZE[::-1], *(1 for _ in channels))
    noise = np.random.default_rng(0).integers(0, 30, (*SIZE[::-1], *channels))
    return np.broadcast_to(ramp + noise, noise.shape).astype(np.uint8)


def _encode(picture: Image.Image, kind: str, **options: object) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, kind, **options)  # pyright: ignore
    return stream.getvalue()
