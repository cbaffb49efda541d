"""What a page is made of: its template, pictures in base64, bars as paths."""

import base64
import hashlib
import io
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import jinja2
import matplotlib as mpl
import numpy as np
from markupsafe import Markup
from PIL import Image

from dualnet.wording import format_number

# the space before a percent sign, inside [.1, .2], and after the p of `p .04`
_PARTED = re.compile(r" (?=%)|(?<=,) (?=[-+.\d]+\])|(?<=\bp) (?=[<.\d])")
CRISP = 128  # pixels: about the size at which a map is looked at
COLORS = 128  # of a figure inside a page: a third of the bytes of true colour


@dataclass(frozen=True)
class Script:
    """A script inside a page.

    Args:
        text: Its code, trusted.
    """

    text: Markup

    @cached_property
    def digest(self) -> str:
        """SHA-256 in base64, as a Content-Security-Policy names it."""
        digest = hashlib.sha256(self.text.encode()).digest()
        return base64.b64encode(digest).decode()


@lru_cache(maxsize=8)
def open_template(template: str, **filters: Callable[..., str]) -> jinja2.Template:
    """Returns a page's template, which escapes what it shows and refuses gaps.

    Args:
        template: The file's name in `templates`.
        **filters: What the page may do with a value, by name, besides `score`.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("dualnet.plots"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"score": format_number, **filters}
    return environment.get_template(template)


def keep_together(text: str) -> str:
    """Keeps on one line what belongs together, by no-break spaces.

    Args:
        text: Words in which numbers, their percent signs, intervals in brackets or
            p-values may stand.

    Returns:
        The words; in "95 % [.1, .2]" one space is left at which a line may end.
    """
    return _PARTED.sub("\N{NO-BREAK SPACE}", text)


def embed_gray(image: np.ndarray) -> str:
    """Returns a gray picture as an embedded PNG.

    Args:
        image: Gray values, uint8, shape (height, width).
    """
    return embed(Image.fromarray(image))


def embed_patch(patch: np.ma.MaskedArray) -> str:
    """Returns a piece of a picture as an embedded PNG, see-through where it is masked.

    Args:
        patch: Gray values 0-255, shape (height, width).
    """
    gray = _enlarge(np.ma.filled(patch, 0).astype(np.uint8))
    outside = _enlarge(np.ma.getmaskarray(patch).astype(np.uint8))
    if not outside.any():
        return embed_gray(gray)
    seen = np.where(outside, 0, 255).astype(np.uint8)
    return embed(Image.fromarray(np.stack([gray, seen], axis=-1), mode="LA"))


def embed_map(values: np.ndarray, low: float, high: float, colours: str) -> str:
    """Returns one map, in the colours of its scale, as an embedded PNG.

    Args:
        values: The map, shape (height, width).
        low: Value of the scale's first colour; what is below has it too.
        high: Value of the scale's last colour.
        colours: Matplotlib's name of the colour map.
    """
    scaled = (values - low) / ((high - low) or 1.0)
    indices = (255 * scaled.clip(0, 1)).round().astype(np.uint8)
    indices = _enlarge(indices)
    picture = Image.frombytes("P", indices.shape[::-1], indices.tobytes())
    palette = mpl.colormaps[colours](np.arange(256), bytes=True)[:, :3]
    picture.putpalette(palette.tobytes())  # a third of the size of true colour
    return embed(picture)


def read_figure(path: Path) -> Image.Image:
    """Returns a figure that was saved as a picture, in the `COLORS` it needs.

    Args:
        path: The picture's file.
    """
    with Image.open(path) as picture:
        return picture.convert("RGB").quantize(COLORS, dither=Image.Dither.NONE)


def embed_figure(figure: Image.Image) -> str:
    """Returns a figure as an embedded PNG.

    Args:
        figure: As `read_figure` returns it.
    """
    # to search for the smallest file takes eight times as long for a tenth of its bytes
    return embed(figure, optimize=False)


def embed_scale(colours: str) -> str:
    """Returns the colours of a scale, low to high, as an embedded PNG."""
    return embed_map(np.arange(256)[None], 0, 255, colours)


def embed(picture: Image.Image, form: str = "PNG", **options: Any) -> str:
    """Returns a picture as a `data:` address.

    Args:
        picture: What to embed.
        form: `PNG` or `JPEG`.
        **options: As Pillow takes them for that form.
    """
    stream = io.BytesIO()
    picture.save(stream, form, **{"optimize": form == "PNG", **options})
    code = base64.b64encode(stream.getvalue()).decode()
    return f"data:image/{form.lower()};base64,{code}"


def embed_png(png: bytes) -> str:
    """Returns a PNG file as a `data:` address, as it is.

    Args:
        png: The file's bytes.
    """
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def draw_bars(
    values: np.ndarray,
    parts: Mapping[str, int],
    ends: tuple[float, float] | None = None,
) -> dict[str, Any]:
    """Returns a vector as bars in a box of width `units` and height 100.

    Args:
        values: One value a unit, shape (units,).
        parts: Name of each part of the vector to its length; empty for one part.
        ends: What is at the foot and the top of the box, 0 between them; none: the
            lowest and the highest value.

    Returns:
        `parts` (name, first and last unit, SVG path), `units`, `zero` (height of
        the zero line from the top), `ends` (lowest and highest value), `active`
        (units above 0).
    """
    low, high = ends or span_bars(values)
    tops = 100 * (high - values) / ((high - low) or 1.0)
    zero = 100 * high / ((high - low) or 1.0)
    drawn, first = [], 0
    for name, length in (dict(parts) or {"": len(values)}).items():
        path = "".join(
            f"M{unit + 0.1:g} {zero:.1f}V{tops[unit]:.1f}h.8V{zero:.1f}z"
            for unit in range(first, first + length)
        )
        drawn.append({"name": name, "first": first, "length": length, "path": path})
        first += length
    return {
        "parts": drawn,
        "units": len(values),
        "zero": zero,
        "ends": span_bars(values),
        "active": int((values > 0).sum()),
    }


def span_bars(values: np.ndarray) -> tuple[float, float]:
    """Returns the lowest and the highest end of bars that stand on 0.

    Args:
        values: Of any shape.
    """
    return min(0.0, float(values.min())), max(0.0, float(values.max()))


def _enlarge(indices: np.ndarray) -> np.ndarray:
    """Repeats the pixels of a small map: a printer would blur them into each other."""
    times = max(1, CRISP // max(indices.shape))
    return indices.repeat(times, axis=0).repeat(times, axis=1)
