"""The report of an exploration: one page that holds its figures, and the figures."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from PIL import Image

from dualnet.explore.duplicates import COARSE_THRESHOLD, THRESHOLD
from dualnet.explore.exploration import Exploration
from dualnet.explore.labels import SHOWN_STRINGS
from dualnet.explore.stand_out import Remark, name, percent
from dualnet.files import write_text
from dualnet.plots import (
    explore as figures,
    explore_captions as captions,
    explore_grids,
)
from dualnet.plots.embed import (
    embed,
    embed_figure,
    keep_together,
    open_template,
    read_figure,
)
from dualnet.plots.style import save_figure

FIGURES = "figures"
REPORT = "report.html"
SAMPLE_SIDE = 144  # pixels: sharp on a phone, 4 KB each


@dataclass(frozen=True, kw_only=True)
class Samples:
    """Pictures that the report shows.

    Args:
        classes: Some of each class, uint8, shape (n, side, side).
        pairs: Some duplicates, as in `Duplicates.pairs`.
        pair_pictures: Theirs, uint8, shape (pairs, 2, side, side).
    """

    classes: Mapping[str, np.ndarray] = field(default_factory=dict)
    pairs: pd.DataFrame = field(default_factory=pd.DataFrame)
    pair_pictures: np.ndarray = field(
        default_factory=lambda: np.zeros((0, 2, 1, 1), np.uint8)
    )


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """One figure of the report.

    Args:
        name: Of its file, without suffix.
        section: The section that shows it.
        title: What it is, for those who cannot see it.
        caption: What it shows and what follows.
        plot: Draws it.
    """

    name: str
    section: str
    title: str
    caption: str
    plot: Callable[[], Figure]


def write_explore_report(
    folder: Path,
    exploration: Exploration,
    remarks: Sequence[Remark],
    samples: Samples,
) -> Path:
    """Writes the figures and, last, the page that holds them.

    Figures that an earlier report left in the folder are removed.

    Args:
        folder: Where they go; it is made.
        exploration: What was found out.
        remarks: What stands out of it.
        samples: Pictures to show.

    Returns:
        The page.
    """
    drawn = list_figures(exploration)
    sources: dict[str, str] = {}
    for one in drawn:
        path = folder / FIGURES / f"{one.name}.png"
        save_figure(one.plot(), path)
        sources[one.name] = embed_figure(read_figure(path))
    extra = _save_samples(folder, samples)
    _remove_others(folder, {*sources, *extra})
    page = folder / REPORT
    write_text(page, render_report(exploration, remarks, samples, drawn, sources))
    return page


def render_report(
    exploration: Exploration,
    remarks: Sequence[Remark],
    samples: Samples,
    drawn: Sequence[Drawn],
    sources: Mapping[str, str],
) -> str:
    """Returns the page as one HTML text that holds its pictures.

    Args:
        exploration: What was found out.
        remarks: What stands out of it.
        samples: Pictures to show.
        drawn: The figures.
        sources: Each figure's picture, embedded, by its name.

    Returns:
        The HTML.
    """
    template = open_template(
        "explore.html.j2", percent=percent, name=name, keep=keep_together
    )
    by_section: dict[str, list[dict[str, str]]] = {}
    for one in drawn:
        by_section.setdefault(one.section, []).append(
            {"title": one.title, "caption": one.caption, "source": sources[one.name]}
        )
    return template.render(
        exploration=exploration,
        facts=exploration.table,
        pictures=exploration.pictures,
        remarks=remarks,
        figures=by_section,
        findings=exploration.table.findings.to_dict("records"),
        strings=exploration.table.strings.head(SHOWN_STRINGS).to_dict("records"),
        samples=[
            {
                "name": name(title),
                "pictures": [_embed_picture(one) for one in pictures],
            }
            for title, pictures in samples.classes.items()
        ],
        pairs=[
            {**row, "pictures": [_embed_picture(one) for one in pictures]}
            for row, pictures in zip(
                samples.pairs.to_dict("records"), samples.pair_pictures, strict=True
            )
        ],
        thresholds=(COARSE_THRESHOLD, THRESHOLD),
    )


def list_figures(exploration: Exploration) -> list[Drawn]:
    """Lists the figures that a dataset has something to show in.

    Args:
        exploration: What was found out.

    Returns:
        The figures, in the order of the report.
    """
    return [
        *_label_figures(exploration),
        *_record_figures(exploration),
        *_part_figures(exploration),
        *_picture_figures(exploration),
    ]


def _label_figures(exploration: Exploration) -> list[Drawn]:
    facts, vocabulary = exploration.table, exploration.vocabulary
    positive = facts.findings[facts.findings["finding"] != vocabulary.negative]
    drawn = [
        Drawn(
            name="findings",
            section="findings",
            title="Radiographs by finding",
            caption=captions.describe_findings(exploration),
            plot=lambda: figures.plot_findings(positive),
        )
    ]
    if set(facts.labels_per_radiograph) != {1}:
        counts, names = facts.cooccurrence, vocabulary.class_names
        drawn += [
            Drawn(
                name="cooccurrence",
                section="together",
                title="Radiographs with both of two labels",
                caption=captions.describe_pairs(exploration),
                plot=lambda: explore_grids.plot_cooccurrence(counts, names),
            ),
            Drawn(
                name="conditional",
                section="together",
                title="Share of each label's radiographs that have another label too",
                caption=captions.describe_conditional(exploration),
                plot=lambda: explore_grids.plot_conditional(counts, names),
            ),
        ]
    return drawn


def _record_figures(exploration: Exploration) -> list[Drawn]:
    facts, drawn = exploration.table, []
    if facts.by_class["age_median"].notna().any():
        drawn.append(
            Drawn(
                name="age",
                section="record",
                title="Age by class",
                caption=captions.describe_ages(facts),
                plot=lambda: figures.plot_ages(facts.by_class),
            )
        )
    shares = facts.by_class[["female_share", "ap_share", "first_visit_share"]]
    if shares.notna().to_numpy().any():
        drawn.append(
            Drawn(
                name="shares",
                section="record",
                title="Sex, view and visit by class",
                caption=captions.describe_shares(facts),
                plot=lambda: figures.plot_shares(facts.by_class),
            )
        )
    if facts.contrasts:
        drawn.append(
            Drawn(
                name="contrasts",
                section="record",
                title="Times as common by view, visit and sex",
                caption=captions.describe_contrasts(facts.contrasts),
                plot=lambda: figures.plot_contrasts(facts.contrasts),
            )
        )
    return drawn


def _part_figures(exploration: Exploration) -> list[Drawn]:
    facts = exploration.table
    patients = Drawn(
        name="patients",
        section="patients",
        title="Radiographs of one patient",
        caption=captions.describe_patients(facts),
        plot=lambda: figures.plot_patients(facts.per_patient),
    )
    shifts = [
        Drawn(
            name=f"shift_{number}",
            section="shift",
            title=shift.parts.name,
            caption=captions.describe_shift(shift),
            plot=lambda shift=shift: figures.plot_shift(shift),
        )
        for number, shift in enumerate(facts.shifts, start=1)
    ]
    if not any(np.isfinite(probe.mean) for probe in exploration.probes):
        return [patients, *shifts]
    probes = Drawn(
        name="shortcuts",
        section="shortcuts",
        title="AUROC of each probe",
        caption=captions.describe_shortcuts(exploration),
        plot=lambda: figures.plot_shortcuts(exploration.probes),
    )
    return [patients, *shifts, probes]


def _picture_figures(exploration: Exploration) -> list[Drawn]:
    pictures = exploration.pictures
    if pictures is None:
        return []
    gray = {"brightness": "Brightness (mean gray)", "contrast": "Contrast (SD of gray)"}
    files = {"kilobytes": "File, kB", "megapixels": "Megapixels"}
    if len(pictures.sizes) == 1:
        del files["megapixels"]
    drawn = []
    for kind, tables in pictures.distributions.items():
        if not len(tables["brightness"]):
            continue
        for file_name, labels, caption in (
            ("gray", gray, captions.describe_levels(pictures, kind)),
            ("files", files, captions.describe_sizes(pictures)),
        ):
            if (file_name, kind) == ("files", "source"):
                continue
            drawn.append(
                Drawn(
                    name=f"{file_name}_by_{kind}",
                    section="pictures",
                    title=f"{' and '.join(labels.values())} by {kind}",
                    caption=caption,
                    plot=lambda tables=tables, labels=labels: (
                        figures.plot_distributions(
                            {name: tables[name] for name in labels}, labels
                        )
                    ),
                )
            )
    return drawn


def _save_samples(folder: Path, samples: Samples) -> list[str]:
    rows = {
        "samples": {name(key): value for key, value in samples.classes.items()},
        "duplicates": {
            f"{Path(row['first']).name}, {Path(row['second']).name}": pictures
            for row, pictures in zip(
                samples.pairs.to_dict("records"), samples.pair_pictures, strict=True
            )
        },
    }
    saved = [file for file, shown in rows.items() if shown]
    for file in saved:
        figure = explore_grids.plot_pictures(rows[file])
        save_figure(figure, folder / FIGURES / f"{file}.png")
    return saved


def _remove_others(folder: Path, names: set[str]) -> None:
    for path in (folder / FIGURES).glob("*.png"):
        if path.stem not in names:
            path.unlink()


def _embed_picture(pixels: np.ndarray) -> str:
    side = min(SAMPLE_SIDE, len(pixels))
    picture = Image.fromarray(pixels).resize((side, side), Image.Resampling.BOX)
    return embed(picture, "JPEG", quality=82)
