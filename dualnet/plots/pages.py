"""One picture looked into: a folder of figures and one page that holds them all.

The page is a single HTML file: every picture is inside it, nothing is fetched, and it
reads on a phone, in the dark and on paper. A click on a map, or Enter, enlarges it over
the radiograph.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from dualnet.errors import ConfigError
from dualnet.files import write_text
from dualnet.plots.activation_bars import (
    FLAG,
    plot_metadata_activations,
    plot_probabilities,
    plot_units,
)
from dualnet.plots.activation_input import plot_channels, plot_input
from dualnet.plots.activation_views import (
    as_maps,
    render_stage_page,
    say_kind,
    view_file,
    view_filters,
    view_prepared,
    view_stage,
)
from dualnet.plots.activations import (
    MAX_CHANNELS,
    format_shape,
    plot_feature_maps,
    plot_filters,
)
from dualnet.plots.embed import embed_gray
from dualnet.plots.style import display_name, save_figure

METADATA_DENSE = "metadata dense"


@dataclass(frozen=True, kw_only=True)
class ActivationPage:
    """What one page shows: arrays of one picture, without batch axis.

    Args:
        image_id: The picture's name.
        class_names: Names of the classes, in the order of the outputs.
        probabilities: In [0, 1], shape (classes,).
        layers: Name and kind of each stage, as `activation_layers` lists them.
        activations: Name of each stage to its values, shape (height, width,
            channels) or (units,).
        image: The radiograph as the model is given it, uint8, shape (size, size);
            None for a model of the metadata alone.
        picture: The radiograph as its file holds it, uint8, shape (height, width); None
            leaves it out.
        prepared: The radiograph as the first convolution reads it, shape
            (size, size, 1 or 3); None leaves it out.
        record: What the record says, for display. No patient's name or number.
        feature_names: Names of the encoded metadata features; empty for a model of
            the image alone.
        feature_values: What the model was given, shape (features,).
        filters: Kernels of the first convolution, shape (height, width, inputs,
            filters); None where there is none.
        fusion_parts: Name of each part of the fusion vector to its length.
        logit_parts: Name of each part, and `bias`, to what it adds to the logits, shape
            (classes,); empty leaves it out.
        findings: Names of the labels in the record; None where they are not known.
        model: A line that says which model this is.
        activation: What makes probabilities of the logits.
    """

    image_id: str
    class_names: Sequence[str]
    probabilities: np.ndarray
    layers: Sequence[tuple[str, str]]
    activations: Mapping[str, np.ndarray]
    image: np.ndarray | None = None
    picture: np.ndarray | None = None
    prepared: np.ndarray | None = None
    record: Mapping[str, str] = field(default_factory=dict)
    feature_names: Sequence[str] = ()
    feature_values: np.ndarray = field(default_factory=lambda: np.zeros(0, np.float32))
    filters: np.ndarray | None = None
    fusion_parts: Mapping[str, int] = field(default_factory=dict)
    logit_parts: Mapping[str, np.ndarray] = field(default_factory=dict)
    findings: Sequence[str] | None = None
    model: str = ""
    activation: str = "softmax"


def write_activation_pages(
    folder: Path, page: ActivationPage, *, max_channels: int = MAX_CHANNELS
) -> list[Path]:
    """Writes one figure a stage, `01_image_conv_1.png` …, and `index.html`.

    Numbered figures that an earlier call left in the folder are removed.

    Args:
        folder: Where they go; it is made.
        page: What is shown.
        max_channels: How many maps a stage shows, the most active ones.

    Returns:
        The files, in the order in which they are numbered; `index.html` is last.

    Raises:
        ConfigError: If the arrays do not belong together.
    """
    _check(page)
    text = render_activation_page(page, max_channels=max_channels)
    return write_stage_page(folder, _figures(page, max_channels), text)


def write_stage_page(
    folder: Path, figures: Sequence[tuple[str, Figure]], html: str
) -> list[Path]:
    """Writes numbered figures, and `index.html` last.

    Args:
        folder: Where they go; it is made. Its other numbered figures are removed.
        figures: Name of each and the figure.
        html: The page.

    Returns:
        The files.
    """
    paths = []
    for number, (name, figure) in enumerate(figures, start=1):
        paths.append(folder / f"{number:02d}_{_file_name(name)}.png")
        save_figure(figure, paths[-1])
    _remove_others(folder, paths)
    index = folder / "index.html"
    write_text(index, html)
    return [*paths, index]


def render_activation_page(
    page: ActivationPage, *, max_channels: int = MAX_CHANNELS
) -> str:
    """Returns the page as one HTML text that holds its pictures.

    Args:
        page: What is shown.
        max_channels: How many maps a stage shows, the most active ones.

    Returns:
        The HTML.

    Raises:
        ConfigError: If the arrays do not belong together.
    """
    _check(page)
    groups = _groups(page, max_channels)
    filters = None if page.filters is None else view_filters(page.filters)
    features = _feature_rows(page)
    return render_stage_page(
        "activations.html.j2",
        title=f"Activations of {page.image_id}",
        lead="What each stage of the model makes of one "
        f"{'record' if page.image is None else 'radiograph'}. {page.model}",
        links=_links(groups, has_filters=filters is not None, features=bool(features)),
        page=page,
        radiograph=None if page.image is None else embed_gray(page.image),
        input_shape="" if page.image is None else format_shape(page.image),
        file=None if page.picture is None else view_file(page.picture),
        prepared=[] if page.prepared is None else view_prepared(page.prepared),
        probabilities=_probability_rows(page),
        shares=_share_rows(page),
        features=features,
        filters=filters,
        **groups,
    )


def _check(page: ActivationPage) -> None:
    absent = [name for name, _ in page.layers if name not in page.activations]
    lengths = len(page.probabilities), len(page.class_names)
    if absent:
        received = f"layers without activations: {', '.join(absent)}"
    elif lengths[0] != lengths[1]:
        received = f"{lengths[0]} probabilities for {lengths[1]} class names"
    elif len(page.feature_names) != len(page.feature_values):
        received = (
            f"{len(page.feature_values)} values for "
            f"{len(page.feature_names)} feature names"
        )
    elif page.image is not None and page.image.ndim != 2:
        received = f"an image of shape={page.image.shape}"
    else:
        return
    raise ConfigError(
        f"activation page: arrays of one picture, without batch axis, must belong "
        f"together. Received: {received}. Take them from one compute_activations."
    )


def _figures(page: ActivationPage, max_channels: int) -> list[tuple[str, Figure]]:
    """Makes the figures: image stages, filters, metadata branch, probabilities."""
    kinds = dict(page.layers)
    figures = []
    if page.image is not None and page.picture is not None:
        figure = plot_input(page.picture, page.image, page.prepared)
        figures.append(("input", figure))
    figures += [
        (name, _stage_figure(page, name, kind, max_channels))
        for name, kind in page.layers
        if kind not in {METADATA_DENSE, "fusion", "logits", "probabilities"}
    ]
    if any(values.ndim == 3 for values in page.activations.values()):
        figures.append(("channels", plot_channels(page.layers, page.activations)))
    if page.filters is not None:
        figure = plot_filters("First convolution", page.filters)
        figures.append(("filters", figure))
    if page.feature_names:
        dense = {
            name: page.activations[name]
            for name, kind in page.layers
            if kind == METADATA_DENSE
        }
        fusion = page.activations["fusion"] if "fusion" in kinds else None
        figure = plot_metadata_activations(
            page.feature_names, page.feature_values, dense, fusion, page.fusion_parts
        )
        figures.append(("metadata", figure))
    figure = plot_probabilities(page.class_names, page.probabilities, page.findings)
    return [*figures, ("probabilities", figure)]


def _stage_figure(
    page: ActivationPage, name: str, kind: str, max_channels: int
) -> Figure:
    values = page.activations[name]
    kind = say_kind(kind, page.activation)
    if values.ndim == 1:
        return plot_units(name, values, page.image, kind=kind)
    return plot_feature_maps(
        name, as_maps(values), page.image, kind=kind, max_channels=max_channels
    )


def _file_name(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]", "_", name)


def _remove_others(folder: Path, paths: Sequence[Path]) -> None:
    """Removes numbered figures that do not belong to this page."""
    for path in folder.glob("[0-9][0-9]_*.png"):
        if path not in paths:
            path.unlink()


def _probability_rows(page: ActivationPage) -> list[dict[str, Any]]:
    values = np.asarray(page.probabilities, float)
    logits = page.activations.get("logits")
    return [
        {
            "name": display_name(page.class_names[index]),
            "value": float(values[index]),
            "logit": None if logits is None else float(logits[index]),
            "percent": 100 * float(values[index] / values.max()),
            "labelled": page.class_names[index] in (page.findings or ()),
        }
        for index in sorted(range(len(values)), key=lambda index: -values[index])
    ]


def _feature_rows(page: ActivationPage) -> list[dict[str, Any]]:
    return [
        {"name": name, "value": float(value), "flag": name.endswith(FLAG)}
        for name, value in zip(page.feature_names, page.feature_values, strict=True)
    ]


def _groups(page: ActivationPage, max_channels: int) -> dict[str, list[Any]]:
    """Returns the stages of the image branch, of the metadata branch, of both."""
    groups: dict[str, list[Any]] = {"image": [], "metadata": [], "joint": []}
    for name, kind in page.layers:
        if kind == "probabilities":  # the page has their table
            continue
        joint = "joint" if kind in {"fusion", "logits"} else "image"
        group = "metadata" if kind == METADATA_DENSE else joint
        view = view_stage(
            name,
            say_kind(kind, page.activation),
            page.activations[name],
            max_channels=max_channels,
            parts=page.fusion_parts if kind == "fusion" else None,
        )
        groups[group].append(view)
    return groups


def _share_rows(page: ActivationPage) -> list[dict[str, Any]]:
    """Returns what each half adds to each logit, the highest logit first."""
    if not page.logit_parts:
        return []
    shares = np.stack(list(page.logit_parts.values()))
    total = shares.sum(axis=0)
    order: list[int] = np.argsort(-total, kind="stable").tolist()
    return [
        {
            "name": display_name(page.class_names[index]),
            "parts": [float(share) for share in shares[:, index]],
            "logit": float(total[index]),
        }
        for index in order
    ]


def _links(
    groups: Mapping[str, Sequence[Mapping[str, Any]]],
    *,
    has_filters: bool,
    features: bool,
) -> list[tuple[str, str]]:
    """Returns the page's contents: an anchor and its name."""
    stages = {
        name: [(one["name"], one["name"]) for one in groups[name]] for name in groups
    }
    links = [("input", "input"), ("classes", "classes"), *stages["image"]]
    links += [("filters", "filters")] if has_filters else []
    links += [("metadata-branch", "metadata")] if features else []
    return [*links, *stages["metadata"], *stages["joint"]]
