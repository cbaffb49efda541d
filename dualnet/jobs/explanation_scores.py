"""`dualnet explain --score`: how true a run's heat maps are.

Against the boxes of its radiographs, beside what points without looking; against the
model itself, as pixels go in the map's order; and with the weights shuffled.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from dualnet.errors import ConfigError
from dualnet.evaluation.scores.plain_values import plain_values
from dualnet.explain.heat_maps import METHODS
from dualnet.explain.localisation import (
    IOU_THRESHOLD,
    SCORES,
    describe_findings,
    describe_scores,
    resample_scores,
)
from dualnet.explain.score_verdict import format_scores, say_scores
from dualnet.files import write_json, write_text
from dualnet.jobs.boxed import Boxed, read_boxed
from dualnet.jobs.finished import FinishedRun, load_model, read_run
from dualnet.jobs.map_scoring import MapScoring, MethodScores
from dualnet.plots.faithfulness import plot_faithfulness, plot_sanity_check
from dualnet.plots.localisation import (
    ScoredMap,
    plot_examples,
    plot_findings,
    plot_localisation,
)
from dualnet.plots.style import save_figure
from dualnet.runs import write_table

FOLDER = "explanation_scores"
DEFAULT_METHODS = ("hires_cam", "grad_cam")
SAMPLE = 1000  # pictures
NUM_EXAMPLES = 8


def score_explanations(  # noqa: PLR0913 - one argument an option
    path: Path,
    *,
    methods: Sequence[str] = DEFAULT_METHODS,
    sample: int | None = SAMPLE,
    seed: int | None = None,
    out: Path | None = None,
    part: str = "test",
    boxes: Path | None = None,
    layer: str | None = None,
) -> Path:
    """Scores the heat maps of a run.

    Args:
        path: The run folder.
        methods: Of `METHODS`; the verdict is that of the first.
        sample: Draws whole patients until about this many boxed pictures; none: all.
        seed: Decides what is drawn and shuffled; none: the run's.
        out: Folder to write; none: `explanation_scores` in the run folder.
        part: Part of the run's radiographs: `train`, `val` or `test`.
        boxes: The boxes, if not those of the dataset's folder.
        layer: Where class activation maps are taken; none: the method's own choice.

    Returns:
        The folder with `scores.json`, `scores.txt` (the verdict in its first line, then
        the tables), `localisation.csv` (a row a boxed finding and method) and
        `figures/`.

    Raises:
        ConfigError: If a method is not known, the model sees no pictures, or there are
            no boxes.
    """
    check_methods(methods)
    run = read_run(path)
    modality = run.config.model.modality
    if modality == "metadata":
        raise ConfigError(
            f"--score: needs a model that sees pictures. Received: modality={modality}. "
            "Name another run."
        )
    seed = run.config.seed if seed is None else seed
    boxed = read_boxed(run, part=part, sample=sample, seed=seed, file=boxes)
    scoring = MapScoring(
        load_model(run),
        boxed,
        seed=seed,
        num_resamples=run.config.evaluation.resamples,
        layer=layer,
        batch_size=run.config.evaluation.batch_size,
    )
    scored = {method: scoring.score(method) for method in methods}
    values = {
        **_describe_run(run, boxed, part=part, seed=seed),
        **_collect(scoring, scored, boxed),
    }
    values = plain_values(values)
    values["verdict"] = say_scores(values)
    folder = out or run.folder.path / FOLDER
    examples = _choose_examples(scoring, scored, boxed, seed=seed)
    _write(folder, values, list_rows(boxed, scored, scoring.baselines), examples)
    return folder


def check_methods(methods: Sequence[str]) -> None:
    """Checks the names of methods.

    Args:
        methods: Names.

    Raises:
        ConfigError: If one is not of `METHODS`, stands twice, or there is none.
    """
    known = [name for name in dict.fromkeys(methods) if name in METHODS]
    if not known or len(known) < len(methods):
        raise ConfigError(
            f"--method: must be of {', '.join(METHODS)}, each once. "
            f"Received: {', '.join(methods) or 'none'}. Name one or several of them."
        )


def list_rows(
    boxed: Boxed,
    scored: Mapping[str, MethodScores],
    baselines: Mapping[str, np.ndarray],
) -> pd.DataFrame:
    """Lists the scores of each boxed finding.

    Args:
        boxed: The boxed findings.
        scored: The methods, by name.
        baselines: Scores of what points without looking, by name, shape (n, 3).

    Returns:
        One row a method or baseline and boxed finding: `image_id`, `finding`, `map`,
        and `SCORES`.
    """
    every = {name: one.rows.scores for name, one in scored.items()} | dict(baselines)
    pairs = boxed.pairs[["image_id", "finding"]]
    return pd.concat(
        [
            pairs.assign(map=name, **dict(zip(SCORES, values.T, strict=True)))
            for name, values in every.items()
        ],
        ignore_index=True,
    )


def draw_figures(
    values: Mapping[str, Any], examples: Sequence[ScoredMap]
) -> dict[str, Figure]:
    """Draws all figures.

    Args:
        values: Plain values of the scores.
        examples: Maps to show.

    Returns:
        The figures by their file name, without suffix.
    """
    return {
        "localisation": plot_localisation(values),
        "findings": plot_findings(values),
        "faithfulness": plot_faithfulness(values),
        "sanity_check": plot_sanity_check(values),
        "examples": plot_examples(values, examples),
    }


def _describe_run(
    run: FinishedRun, boxed: Boxed, *, part: str, seed: int
) -> dict[str, Any]:
    return {
        "run": run.folder.path.name,
        "data": run.dataset["name"],
        "phantom": run.dataset["phantom"],
        "part": part,
        "num_part": boxed.num_part,
        **boxed.counts,
        "num_boxed": len(boxed),
        "image_size": int(boxed.masks.shape[1]),
        "iou_threshold": IOU_THRESHOLD,
        "seed": seed,
        "resamples": run.config.evaluation.resamples,
    }


def _collect(
    scoring: MapScoring, scored: Mapping[str, MethodScores], boxed: Boxed
) -> dict[str, Any]:
    rows = {name: one.rows.scores for name, one in scored.items()}
    return {
        "methods": {name: one.block for name, one in scored.items()},
        "baselines": {
            name: describe_scores(resample_scores(scoring.draws, values))
            for name, values in scoring.baselines.items()
        },
        "findings": describe_findings(
            scoring.draws, boxed.findings, {**rows, **scoring.baselines}
        ),
    }


def _choose_examples(
    scoring: MapScoring,
    scored: Mapping[str, MethodScores],
    boxed: Boxed,
    *,
    seed: int,
) -> list[ScoredMap]:
    """Draws examples by chance, of as many findings as there are; none is picked."""
    first = next(iter(scored.values()))
    order = np.random.default_rng((seed, 8)).permutation(len(boxed))
    turns = pd.Series(boxed.findings[order]).groupby(boxed.findings[order]).cumcount()
    rows = order[np.argsort(turns.to_numpy(), kind="stable")][:NUM_EXAMPLES]
    images = boxed.inputs(rows)["image"][..., 0]
    maps = scoring.enlarge(first.maps[rows])
    return [
        ScoredMap(
            image=image.astype(np.uint8),
            heat=heat,
            mask=boxed.masks[row],
            finding=str(boxed.findings[row]),
            scores=dict(zip(SCORES, first.rows.scores[row].tolist(), strict=True)),
        )
        for row, image, heat in zip(rows, images, maps, strict=True)
    ]


def _write(
    folder: Path,
    values: Mapping[str, Any],
    rows: pd.DataFrame,
    examples: Sequence[ScoredMap],
) -> None:
    """Writes figures and tables, and last the scores."""
    figures = draw_figures(values, examples)
    for name, figure in figures.items():
        save_figure(figure, folder / "figures" / f"{name}.png")
    write_table(folder / "localisation.csv", rows)
    write_text(folder / "scores.txt", format_scores(values))
    write_json(folder / "scores.json", dict(values))
