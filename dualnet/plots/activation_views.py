"""What the pages of activations show: plain values for their templates."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from markupsafe import Markup
from PIL import Image

from dualnet.explain.channels import ChannelStatistics, compute_statistics
from dualnet.plots.activation_patches import StagePatches
from dualnet.plots.activation_rows import StageRows, name_channel
from dualnet.plots.activations import (
    FEATURE_MAP,
    SIGNED,
    arrange_filters,
    describe_scale,
    format_shape,
    symmetric_limit,
)
from dualnet.plots.embed import (
    Script,
    draw_bars,
    embed_gray,
    embed_map,
    embed_patch,
    embed_scale,
    open_template,
    span_bars,
)
from dualnet.wording import format_number

FINE = 96  # a map of more pixels is drawn smaller than it is: smoothly, not by pixels
MAX_SIDE = 640  # pixels of a file's picture in a page; a larger one is drawn smaller
KINDS = {  # what each kind of stage is, in plain words
    "convolution": "convolution",
    "pooling": "pooling",
    "sum": "sum of a residual block",
    "concatenation": "concatenation of several paths",
    "dense": "dense layer of the image branch",
    "metadata dense": "dense layer of the metadata branch",
    "fusion": "fusion of the branches",
    "logits": "logits, before the {activation}",
    "probabilities": "probabilities",
}


def render_stage_page(template: str, **values: Any) -> str:
    """Returns a page of activations as one HTML text.

    Args:
        template: The file's name in `templates`; it extends `activation_base.html.j2`.
        **values: What it shows.

    Returns:
        The HTML; nothing is fetched, and only its own script may run.
    """
    return open_template(template).render(
        script=_read_script(), blank=_blank_picture(), **values
    )


def say_kind(kind: str, activation: str) -> str:
    """Returns what a stage is, in words.

    Args:
        kind: As `activation_layers` has it.
        activation: What makes probabilities of the logits.
    """
    return KINDS.get(kind, kind).format(activation=activation)


def as_maps(values: np.ndarray) -> np.ndarray:
    """Returns any stage as (height, width, channels): a sequence is one row.

    Args:
        values: Activations, shape (..., channels).
    """
    return values.reshape(-1, *values.shape[-2:])


def view_stage(
    name: str,
    kind: str,
    values: np.ndarray,
    *,
    max_channels: int,
    parts: Mapping[str, int] | None = None,
) -> dict[str, Any]:
    """Returns what a page shows of one stage for one input.

    Args:
        name: Name of the stage.
        kind: What it is, in words.
        values: Activations, shape (height, width, channels) or (units,).
        max_channels: How many maps are shown, the most active ones.
        parts: Name of each part of a vector to its length; none: it is one.
    """
    stage = {"name": name, "kind": kind, "shape": format_shape(values)}
    if values.ndim == 1:
        return {**stage, "maps": None, **draw_bars(values, parts or {})}
    return {**stage, **_view_maps(name, as_maps(values), max_channels)}


def view_filters(filters: np.ndarray) -> dict[str, Any]:
    """Returns what a page shows of the kernels of the first convolution.

    Args:
        filters: Kernels, shape (height, width, inputs, filters).
    """
    limit = symmetric_limit(filters)
    maps = [
        {
            "title": f"filter {number}",
            "label": str(number),
            "details": f"weights from {tile.min():.3g} to {tile.max():.3g}",
            "picture": embed_map(tile, -limit, limit, SIGNED),
        }
        for number, tile in enumerate(arrange_filters(filters))
    ]
    return {
        "shape": format_shape(filters),
        "maps": maps,
        "ends": (-limit, limit),
        "scale": embed_scale(SIGNED),
    }


def view_rows(stage: StageRows) -> dict[str, Any]:
    """Returns what a page shows of one stage for several inputs.

    Args:
        stage: The stage.
    """
    view = {
        "name": stage.name,
        "kind": stage.kind,
        "note": stage.note,
        "shape": format_shape(stage.activations[0]),
    }
    if stage.activations.ndim == 2:
        same = stage.activations[:-1] if stage.difference else stage.activations
        bars = [
            draw_bars(values, {}, None if stage.is_difference(row) else span_bars(same))
            for row, values in enumerate(stage.activations)
        ]
        rows = [
            {"label": label, "bars": {**one, "name": f"{stage.name}, {label}"}}
            for label, one in zip(stage.labels, bars, strict=True)
        ]
        return {**view, "maps": False, "rows": rows}
    rows = [_view_row(stage, row) for row in range(stage.num_rows)]
    return {
        **view,
        "maps": True,
        "rows": rows,
        "heads": [name_channel(stage, channel) for channel in stage.channels],
        "scales": _view_scales(stage),
        "fine": max(stage.activations.shape[1:3]) > FINE,
    }


def view_patches(stage: StagePatches) -> dict[str, Any]:
    """Returns what a page shows of the strongest patches of one stage.

    Args:
        stage: The stage.
    """
    rows = [
        {
            "label": f"channel {one.channel}",
            "maps": [
                {
                    "title": f"{stage.name}, channel {one.channel}, patch {rank}",
                    "label": f"{answer:.3g}",
                    "details": f"the channel answers {answer:.4g} at its centre",
                    "picture": embed_patch(patch),
                }
                for rank, (patch, answer) in enumerate(
                    zip(one.patches, one.answers, strict=True), start=1
                )
            ],
        }
        for one in stage.channels
    ]
    return {
        "name": stage.name,
        "kind": stage.kind,
        "note": stage.note,
        "rows": rows,
        "columns": max((len(row["maps"]) for row in rows), default=1),
        "fine": stage.size > FINE,
    }


def view_prepared(prepared: np.ndarray) -> list[dict[str, Any]]:
    """Returns what a page shows of the picture as the first convolution reads it.

    Args:
        prepared: Shape (size, size, 1 or 3).
    """
    views = []
    for channel in range(prepared.shape[-1]):
        values = prepared[..., channel]
        ends = float(values.min()), float(values.max())
        name = "" if prepared.shape[-1] == 1 else f", channel {channel}"
        views.append(
            {
                "picture": embed_map(values, *ends, "gray"),
                "text": f"as the first convolution reads it{name}: "
                f"{format_shape(values)}, {ends[0]:.3g} to {ends[1]:.3g}, mean "
                f"{values.mean():.3g}, standard deviation {values.std():.3g}",
            }
        )
    return views


def view_file(picture: np.ndarray) -> dict[str, str]:
    """Returns what a page shows of a picture as its file holds it.

    Args:
        picture: Gray values, uint8, shape (height, width).
    """
    drawn, shown = Image.fromarray(picture), ""
    if max(drawn.size) > MAX_SIDE:
        drawn = drawn.copy()
        drawn.thumbnail((MAX_SIDE, MAX_SIDE))
        shown = f", drawn with {format_shape(np.asarray(drawn))}"
    text = f"the file: {format_shape(picture)}, gray values {picture.min()} to {picture.max()}{shown}"
    return {"picture": embed_gray(np.asarray(drawn)), "text": text}


def _view_maps(name: str, values: np.ndarray, max_channels: int) -> dict[str, Any]:
    statistics = compute_statistics(values)
    ends = statistics.low, statistics.high
    maps = [
        {
            "title": f"{name}, channel {channel}",
            "label": f"{channel} dead" if statistics.dead[channel] else str(channel),
            "details": _describe_channel(statistics, int(channel)),
            "picture": embed_map(values[..., channel], *ends, FEATURE_MAP),
        }
        for channel in statistics.order[:max_channels]
    ]
    return {
        "note": describe_scale(statistics, max_channels),
        "maps": maps,
        "fine": max(values.shape[:2]) > FINE,
        "ends": ends,
        "scale": embed_scale(FEATURE_MAP),
    }


def _describe_channel(statistics: ChannelStatistics, channel: int) -> str:
    dead = "dead; " if statistics.dead[channel] else ""
    return (
        f"{dead}mean {statistics.mean[channel]:.3g}, standard deviation "
        f"{statistics.deviation[channel]:.3g}, greatest "
        f"{statistics.maximum[channel]:.3g}, "
        f"{format_number(float(statistics.positive[channel]), digits=2)} "
        "of its values above 0"
    )


def _view_row(stage: StageRows, row: int) -> dict[str, Any]:
    label, difference = stage.labels[row], stage.is_difference(row)
    colours = SIGNED if difference else FEATURE_MAP
    ends = stage.scale(row)
    maps = [
        {
            "title": f"{stage.name}, channel {channel}, {label}",
            "label": name_channel(stage, channel),
            "details": f"from {values.min():.3g} to {values.max():.3g}, "
            f"mean {values.mean():.3g}",
            "picture": embed_map(values, *ends, colours),
        }
        for channel in stage.channels
        for values in [stage.activations[row, ..., channel]]
    ]
    scale = f"scale-{stage.name}-{1 if difference else 0}"
    one_for_all = stage.images is not None and len(stage.images) == 1
    radiograph = f"row-{0 if one_for_all else row}"
    return {"label": label, "maps": maps, "scale": scale, "radiograph": radiograph}


def _view_scales(stage: StageRows) -> list[dict[str, Any]]:
    rows: Sequence[int] = (0, stage.num_rows - 1) if stage.difference else (0,)
    return [
        {
            "name": "difference" if stage.is_difference(row) else "activation",
            "ends": stage.scale(row),
            "scale": embed_scale(SIGNED if stage.is_difference(row) else FEATURE_MAP),
        }
        for row in rows
    ]


@lru_cache(maxsize=1)
def _read_script() -> Script:
    return Script(Markup(open_template("activations.js.j2").render()))


@lru_cache(maxsize=1)
def _blank_picture() -> str:
    return embed_gray(np.zeros((1, 1), np.uint8))
