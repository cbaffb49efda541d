"""What a run's layers know of its radiographs: a map, and linear probes."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dualnet.data.batches import Batches
from dualnet.data.cache import Cache
from dualnet.data.metadata import FIELD_COLUMNS
from dualnet.data.split import PARTS, sample_patients
from dualnet.data.thumbnails import read_thumbnails
from dualnet.errors import ConfigError
from dualnet.evaluation.groups.groupings import (
    Grouping,
    group_by_columns,
    group_by_record,
)
from dualnet.evaluation.intervals.bootstrap import resample_patients
from dualnet.evaluation.scores.plain_values import plain_values
from dualnet.explain.embedding import (
    EMBEDDINGS,
    Embedding,
    embed,
    probe_layers,
    read_features,
)
from dualnet.explain.embedding_verdict import THUMBNAIL, format_probes, say_probes
from dualnet.files import write_json, write_text
from dualnet.jobs.finished import FinishedRun, load_model, read_run
from dualnet.jobs.other_tables import check_joins, read_tables
from dualnet.jobs.sources import keep_cached, prepare
from dualnet.plots.embedding import plot_embedding, plot_probes
from dualnet.plots.style import display_name, save_figure
from dualnet.runs import write_table
from dualnet.wording import describe_rows

FOLDER = "embedding"
SAMPLE = 1000  # radiographs
MIN_IMAGES = 10

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class _Seen:
    """What was read of the radiographs.

    Args:
        table: Their records.
        features: Features by layer, shape (n, k).
        thumbnails: Their pictures in 16 by 16 pixels, shape (n, 256).
        groupings: What parts them.
    """

    table: pd.DataFrame
    features: dict[str, np.ndarray]
    thumbnails: np.ndarray
    groupings: list[Grouping]


def map_embedding(
    path: Path,
    *,
    part: str = "test",
    sample: int | None = SAMPLE,
    seed: int | None = None,
    method: str = "tsne",
    joins: Sequence[str] = (),
    out: Path | None = None,
) -> Path:
    """Maps what a run's model makes of radiographs, and asks each layer what it knows.

    Args:
        path: The run folder.
        part: Part of the run's radiographs: `train`, `val` or `test`.
        sample: Draws whole patients until about this many radiographs; none: all.
        seed: Decides what is drawn; none: the run's.
        method: Of the map: `tsne` or `pca`.
        joins: Tables whose columns are asked for too, each `TABLE` or
            `TABLE:column,column`.
        out: Folder to write; none: `embedding` in the run folder.

    Returns:
        The folder with `embedding.csv` (where each radiograph lies), `probes.json`,
        `probes.txt` (what is known stands in its first line) and `figures/`.

    Raises:
        ConfigError: If a word is not known, or there are too few radiographs.
    """
    for option, word, words in (
        ("--part", part, PARTS),
        ("--method", method, EMBEDDINGS),
    ):
        if word not in words:
            raise ConfigError(
                f"{option}: must be one of {', '.join(words)}. Received: {word!r}. "
                "Name one of them."
            )
    tables = check_joins(joins)
    run = read_run(path)
    seed = run.config.seed if seed is None else seed
    table = _choose(run, part=part, sample=sample, seed=seed)
    cache = prepare(table, run.config, run.config.data.path)
    table = keep_cached(table, cache)
    besides = read_tables(table, run.vocabulary, None, tables=tables)
    seen = _read(run, table, cache, besides.columns)
    layer = list(seen.features)[-1]  # the one that the logits are made of
    values = plain_values(
        {
            "run": run.folder.path.name,
            "data": run.dataset["name"],
            "phantom": run.dataset["phantom"],
            "part": part,
            "num_images": len(table),
            "num_patients": int(table["patient_id"].nunique()),
            "seed": seed,
            "layer": layer,
            "method": method,
            "given": _list_given(run),
            "probes": _probe(run, seen, seed=seed),
        }
    )
    values["verdict"] = say_probes(values)
    embedding = embed(seen.features[layer], method=method, seed=seed)
    folder = out or run.folder.path / FOLDER
    _write(folder, values, embedding, seen, negative=run.vocabulary.negative)
    return folder


def _choose(
    run: FinishedRun, *, part: str, sample: int | None, seed: int
) -> pd.DataFrame:
    table = run.records[run.records["part"] == part].reset_index(drop=True)
    if sample is not None:
        table = sample_patients(table, num_images=sample, seed=seed)
    if len(table) < MIN_IMAGES:
        raise ConfigError(
            f"{run.folder.path}: at least {MIN_IMAGES} radiographs are needed for a map. "
            f"Received: {len(table)} of the {part} part. Name another part."
        )
    logger.info("%s of the %s part", describe_rows(_count(table)), part)
    return table


def _count(table: pd.DataFrame) -> dict[str, int]:
    return {
        "num_images": len(table),
        "num_patients": int(table["patient_id"].nunique()),
    }


def _read(
    run: FinishedRun,
    table: pd.DataFrame,
    cache: Cache,
    columns: Mapping[str, Sequence[str]],
) -> _Seen:
    positions = cache.rows(table["image_id"])
    batches = Batches(
        cache,
        positions,
        run.encoder.transform(table),
        None,
        batch_size=run.config.evaluation.batch_size,
        modality=run.config.model.modality,
    )
    source = {"source": table["source"].astype(str).tolist()}
    return _Seen(
        table=table,
        features=read_features(
            load_model(run), (batches[number][0] for number in range(len(batches)))
        ),
        thumbnails=read_thumbnails(cache, positions).reshape(len(table), -1),
        groupings=[
            *group_by_record(table),
            *group_by_columns({**source, **columns}),
        ],
    )


def _list_given(run: FinishedRun) -> list[str]:
    """Lists the groupings that the model is told in its record."""
    if run.config.model.modality == "image":
        return []
    names = {"follow_up": "visit"}
    return [names.get(one, one) for one in run.encoder.fields if one in FIELD_COLUMNS]


def _probe(run: FinishedRun, seen: _Seen, *, seed: int) -> dict[str, Any]:
    draws = resample_patients(
        seen.table["patient_id"].to_numpy(dtype=str),
        num_resamples=run.config.evaluation.resamples,
        seed=seed,
    )
    features = {THUMBNAIL: seen.thumbnails} | seen.features
    groups = {one.name: _name_groups(one) for one in seen.groupings}
    return probe_layers(features, groups, draws, seed=seed)


def _name_groups(grouping: Grouping) -> np.ndarray:
    return np.array([*grouping.groups, ""])[grouping.codes]  # UNKNOWN is the last


def _write(
    folder: Path,
    values: Mapping[str, Any],
    embedding: Embedding,
    seen: _Seen,
    *,
    negative: str,
) -> None:
    groups = {one.name: _name_groups(one) for one in seen.groupings}
    first = [names[0] if names else negative for names in seen.table["findings"]]
    shown = {"first finding": np.array([display_name(name) for name in first])} | groups
    figures = {
        "embedding": plot_embedding(
            values, embedding, shown, negative=display_name(negative)
        )
    }
    if values["probes"]:
        figures["probes"] = plot_probes(values)
    for name, figure in figures.items():
        save_figure(figure, folder / "figures" / f"{name}.png")
    points = pd.DataFrame(
        {
            "image_id": seen.table["image_id"],
            "x": embedding.points[:, 0],
            "y": embedding.points[:, 1],
            "findings": seen.table["findings"].map("|".join),
            **groups,
        }
    )
    write_table(folder / "embedding.csv", points)
    write_text(folder / "probes.txt", format_probes(values))
    write_json(folder / "probes.json", dict(values))
