"""What a picture's file may be, checked before a pixel of it is decoded."""

from dualnet.errors import ImageError

MAX_BYTES = 64 * 2**20
MAX_PIXELS = 25_000_000  # the largest chest detectors make 4,288 by 4,288
MIN_SIDE = 16


def check_size(width: int, height: int, name: str) -> None:
    """Checks a picture's size, as its header tells it.

    Args:
        width: In pixels.
        height: In pixels.
        name: The file's name, for the error.

    Raises:
        ImageError: If it has more than `MAX_PIXELS`, or a side below `MIN_SIDE`.
    """
    received = f"{width:,} by {height:,}"
    if width * height > MAX_PIXELS:
        raise ImageError(explain(name, f"at most {MAX_PIXELS:,} pixels", received))
    if min(width, height) < MIN_SIDE:
        raise ImageError(
            explain(name, f"at least {MIN_SIDE} pixels on each side", received)
        )


def explain(name: str, expected: str, received: str) -> str:
    """Returns the line that says why a picture is refused."""
    return (
        f"{name}: must be {expected}. Received: {received}. "
        "Replace the file, or leave its image out."
    )
