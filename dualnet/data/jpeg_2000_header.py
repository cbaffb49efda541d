"""What a JPEG 2000 codestream is made of, checked before anything in it is decoded.

OpenJPEG makes an object of each tile, precinct and code-block before it looks whether there
are bytes for them: 700 bytes of 5,000 by 5,000 pixels in precincts of one pixel took it more
than a minute, and 62,500 tiles 710 MiB. The limits are many times what radiographs have.

Reference:
    ITU-T T.800 annex A (markers) and B (tiles, precincts, code-blocks).
"""

import struct
from collections.abc import Iterator

MAX_TILES = 4_096  # 25 million pixels in tiles of 78 by 78
MAX_TILE_PARTS = 10_000
MAX_PRECINCTS = 100_000
MAX_BLOCKS = (
    500_000  # 25 million pixels in blocks of 8 by 8, and a third for the levels
)
MAX_LAYERS = 256
MAX_LEVELS = 32  # table A.15

_START_OF_TILE_PART = 0x90
_START_OF_DATA = 0x93
_END = 0xD9
_COD, _COC = 0x52, 0x53


def check_codestream(frame: bytes, start: int) -> None:
    """Checks how many parts a codestream has.

    Args:
        frame: Holds it.
        start: Where its markers SOC and SIZ are.

    Raises:
        ValueError: If it has more than a radiograph's.
        struct.error: If it ends within its header.
    """
    right, bottom, _, _, width, height, left, top = struct.unpack_from(
        ">8I", frame, start + 8
    )
    (samples,) = struct.unpack_from(">H", frame, start + 40)
    if not (width and height):
        raise ValueError("JPEG 2000 of tiles without a size")
    tiles = -(-(right - left) // width) * -(-(bottom - top) // height)
    _check("tiles", tiles, MAX_TILES)
    tile = (min(width, right - left), min(height, bottom - top))
    for marker, segment in _segments(frame, start):
        if marker == _COD:
            _check("layers", int.from_bytes(segment[2:4], "big"), MAX_LAYERS)
            _check_style(segment[5:], segment[0], tile, tiles * samples)
        elif marker == _COC:
            skip = 1 if samples < 257 else 2
            _check_style(segment[skip + 1 :], segment[skip], tile, tiles * samples)


def _segments(frame: bytes, start: int) -> Iterator[tuple[int, bytes]]:
    """Yields the segments of the main header, then those of each tile-part's."""
    position, parts, part = start + 2, 0, 0
    while position + 4 <= len(frame) and frame[position] == 0xFF:
        marker = frame[position + 1]
        if marker == _END:
            return
        if marker == _START_OF_DATA:  # the tile-part's data; the next one begins behind
            (length,) = struct.unpack_from(">I", frame, part + 6)
            if length == 0:  # up to the end
                return
            position = max(part + length, position + 2)
            continue
        if marker == _START_OF_TILE_PART:
            parts, part = parts + 1, position
            _check("tile-parts", parts, MAX_TILE_PARTS)
        (length,) = struct.unpack_from(">H", frame, position + 2)
        yield marker, frame[position + 4 : position + 2 + length]
        position += 2 + length


def _check_style(style: bytes, flags: int, tile: tuple[int, int], times: int) -> None:
    """Counts the precincts and code-blocks that a coding style makes of the tiles.

    Args:
        style: SPcod or SPcoc: levels, the blocks' sizes, and those of the precincts.
        flags: Scod or Scoc: whether precincts have sizes of their own.
        tile: Width and height of a tile.
        times: How many tiles there are, of all components.
    """
    levels = style[0]
    _check("levels", levels, MAX_LEVELS)
    sizes = style[5 : 6 + levels] if flags & 1 else b"\xff" * (levels + 1)
    precincts = blocks = 0
    for level, size in enumerate(sizes):  # from the smallest resolution
        sides = [-(-side // 2 ** (levels - level)) for side in tile]
        exponents = (size & 15, size >> 4)
        precincts += _count(sides, exponents)
        most = (style[1] + 2, style[2] + 2)
        inner = [max(e - (level > 0), 0) for e in exponents]
        blocks += _count(sides, [min(pair) for pair in zip(most, inner, strict=True)])
    _check("precincts", precincts * times, MAX_PRECINCTS)
    _check("code-blocks", blocks * times, MAX_BLOCKS)


def _count(sides: list[int], exponents: "list[int] | tuple[int, int]") -> int:
    across, down = (
        -(-side // 2**exponent) for side, exponent in zip(sides, exponents, strict=True)
    )
    return across * down


def _check(what: str, number: int, most: int) -> None:
    if number > most:
        raise ValueError(f"JPEG 2000 of {number:,} {what}, more than {most:,}")
