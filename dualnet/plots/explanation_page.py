"""One radiograph explained: a page that holds its figures, and the figures beside it.

The page is a single HTML file: every picture is inside it, nothing is fetched, and every
number that a figure shows stands in a table too.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from dualnet.files import write_text
from dualnet.plots.embed import embed_png, keep_together, open_template
from dualnet.plots.explanation import describe_map, plot_heat_map
from dualnet.plots.explanation_bars import (
    FIELDS,
    format_share,
    name_player,
    plot_observed,
    plot_shares,
    sort_classes,
    sort_players,
)
from dualnet.plots.explanation_curves import plot_curves
from dualnet.plots.style import display_name, save_figure
from dualnet.wording import format_number, number_of

PAGE = "index.html"
FIGURES = ("heat_map", "probabilities", "shares", "curves")


def write_explanation_page(
    folder: Path,
    values: Mapping[str, Any],
    *,
    image: np.ndarray | None = None,
    heat_map: np.ndarray | None = None,
) -> list[Path]:
    """Writes the figures of an explanation, and last its page.

    Figures that an earlier explanation left in the folder are removed.

    Args:
        folder: Where they go; it is made.
        values: Plain values, as `explanation.json` holds them.
        image: The radiograph as the model is given it, uint8, shape (size, size); None
            for a model of the record alone.
        heat_map: At the same size, float32; None where there is no image.

    Returns:
        The files; `index.html` is last.
    """
    figures = _draw(values, image, heat_map)
    paths = {name: folder / f"{name}.png" for name in figures}
    for name, figure in figures.items():
        save_figure(figure, paths[name])
    for name in set(FIGURES).difference(figures):
        (folder / f"{name}.png").unlink(missing_ok=True)
    sources = {name: embed_png(path.read_bytes()) for name, path in paths.items()}
    page = folder / PAGE
    write_text(page, render_explanation_page(values, sources))
    return [*paths.values(), page]


def render_explanation_page(
    values: Mapping[str, Any], sources: Mapping[str, str]
) -> str:
    """Returns the page as one HTML text.

    Args:
        values: Plain values of an explanation.
        sources: Each figure's picture, embedded, by its name.

    Returns:
        The HTML.
    """
    template = open_template("explanation.html.j2", keep=keep_together)
    shares = values.get("shares")
    return template.render(
        values=values,
        finding=display_name(values["finding"]),
        verdict=say_explanation(values),
        sources=sources,
        classes=_class_rows(values),
        map_note=describe_map(values["picture"]) if "picture" in values else "",
        shares=shares,
        players=[] if shares is None else _player_rows(shares["log_odds"]),
        ends=[] if shares is None else _ends(shares["log_odds"]),
        curves=[_curve_row(one) for one in values["curves"]],
        neighbours=values.get("neighbours"),
    )


def say_explanation(values: Mapping[str, Any]) -> list[str]:
    """Says in sentences what an explanation shows, what matters most first.

    Args:
        values: Plain values of an explanation.

    Returns:
        One sentence or two a line.
    """
    lines = [_say_probability(values)]
    if "shares" in values:
        lines.append(_say_shares(values["shares"]))
    boxes = values.get("picture", {}).get("inside")
    if boxes is not None:
        lines.append(_say_inside(boxes))
    if "neighbours" in values:
        lines.append(_say_neighbours(values["neighbours"], values["finding"]))
    return lines


def _draw(
    values: Mapping[str, Any], image: np.ndarray | None, heat_map: np.ndarray | None
) -> dict[str, Figure]:
    finding = values["finding"]
    figures = {}
    if image is not None and heat_map is not None:
        figures["heat_map"] = plot_heat_map(image, heat_map, values["picture"], finding)
    figures["probabilities"] = plot_observed(values)
    if "shares" in values:
        figures["shares"] = plot_shares(values["shares"], finding)
    if values["curves"]:
        figures["curves"] = plot_curves(values["curves"], finding)
    return figures


def _say_probability(values: Mapping[str, Any]) -> str:
    one = values["probabilities"][values["finding"]]
    sure = "" if values["calibrated"] else ", not calibrated"
    said = f"{display_name(values['finding'])}: probability "
    said += f"{format_number(one['probability'])}{sure}."
    seen = one["observed"]
    if seen is None:
        return said
    beyond = ""
    if not seen["lowest"] <= one["probability"] <= seen["highest"]:
        way = "high" if one["probability"] > seen["highest"] else "low"
        beyond = f" None of them has one as {way}."
    return (
        f"{said} Of the {seen['num_patients']} patients of the test part with the "
        f"nearest probabilities ({format_number(seen['lowest'])} to "
        f"{format_number(seen['highest'])}), {_format_observed(seen)} have it.{beyond}"
    )


def _say_shares(shares: Mapping[str, Any]) -> str:
    told = shares["log_odds"]
    change = told["to"] - told["from"]
    way = "higher" if change >= 0 else "lower"
    parts = ", ".join(
        f"{name_player(one)} {format_number(one['share'], sign=True, digits=2)}"
        for one in sort_players(told["players"])
    )
    return (
        f"Its log-odds are {format_number(abs(change), digits=2)} {way} than the mean "
        f"of {shares['reference']['num_patients']} training patients: {parts}."
    )


def _say_inside(inside: Mapping[str, Any]) -> str:
    hit = "inside" if inside["pointing"] else "outside"
    return (
        f"The highest point of the heat map lies {hit} the box. The box has "
        f"{format_number(inside['energy'])} of what speaks for the finding, and "
        f"{format_number(inside['area'])} of the picture."
    )


def _say_neighbours(neighbours: Mapping[str, Any], finding: str) -> str:
    patients = number_of(len(neighbours["cases"]), "training patient")
    count = neighbours["num_with_finding"]
    return (
        f"Of the nearest {patients}, {count} {'has' if count == 1 else 'have'} "
        f"{display_name(finding)}; of all {neighbours['num_images']:,} radiographs, "
        f"{format_number(neighbours['share_with_finding'])}."
    )


def _format_observed(seen: Mapping[str, Any]) -> str:
    return (
        f"{format_number(seen['share'])} "
        f"[{format_number(seen['low'])}, {format_number(seen['high'])}]"
    )


def _class_rows(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    labels = values["labels"] or ()
    return [
        {
            "name": display_name(name),
            "labelled": name in labels,
            "asked": name == values["finding"],
            "probability": one["probability"],
            "observed": _format_observed(one["observed"]) if one["observed"] else "n/a",
            "counted": _count(one["observed"]),
        }
        for name, one in sort_classes(values)
    ]


def _count(seen: Mapping[str, Any] | None) -> str:
    return f"{seen['num_positive']} of {seen['num_patients']}" if seen else ""


def _player_rows(told: Mapping[str, Any]) -> list[dict[str, str]]:
    return [
        {
            "name": name_player(one),
            "reference": one["reference"],
            "share": format_share(one),
        }
        for one in sort_players(told["players"])
    ]


def _ends(told: Mapping[str, Any]) -> list[str]:
    return [format_number(told[end], sign=True, digits=2) for end in ("from", "to")]


def _curve_row(curve: Mapping[str, Any]) -> dict[str, Any]:
    """Says where a curve is lowest and highest, and how it stands at its own value."""
    pairs = list(zip(curve["values"], curve["probabilities"], strict=True))
    lowest, highest = (end(pairs, key=lambda pair: pair[1]) for end in (min, max))
    return {
        "field": FIELDS[curve["field"]],
        **{
            name: f"{format_number(said)} at {_name_value(value)}"
            for name, (value, said) in (
                ("own", pairs[curve["own"]]),
                ("lowest", lowest),
                ("highest", highest),
            )
        },
    }


def _name_value(value: float | str | None) -> str:
    if value is None:
        return "unknown"
    return value if isinstance(value, str) else f"{value:g}"
