"""`dualnet visualize`: what each stage of a model makes of one radiograph."""

import logging
import math
import re
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dualnet.data.images import read_image
from dualnet.data.metadata import FIELD_COLUMNS
from dualnet.data.record_parsing import MAX_AGE_YEARS
from dualnet.data.records import SEXES, TEXT, VIEW_POSITIONS
from dualnet.errors import ConfigError
from dualnet.explain.activations import (
    activation_layers,
    compute_activations,
    first_filters,
    fusion_parts,
)
from dualnet.jobs.finished import FinishedRun, load_model, read_run
from dualnet.plots.pages import ActivationPage, write_activation_pages

logger = logging.getLogger(__name__)


def visualize_run(
    path: Path,
    *,
    image: Path | None = None,
    image_id: str | None = None,
    metadata: str | None = None,
    layers: Sequence[str] | None = None,
    out: Path | None = None,
) -> Path:
    """Draws the intermediate activations for one radiograph.

    Args:
        path: The run folder.
        image: A picture file; its record is unknown but for `metadata`, unless it is
            one of the run's own files.
        image_id: A radiograph of the run's records; with neither, the first one of
            the test part that has a finding.
        metadata: Fields that replace the record's, such as `age=57,view=AP`.
        layers: Layer names or patterns; none: all stages.
        out: Folder to write; none: `activations/<image_id>` in the run folder.

    Returns:
        The folder with one PNG a stage and `index.html`.
    """
    run = read_run(path)
    row = _choose_row(run, image=image, image_id=image_id)
    said = parse_metadata(metadata or "")
    row |= said
    _say_unread(run, said)
    page = make_page(run, row, layers)
    name = Path(row["image_id"].replace("/", "-")).stem  # a path in some datasets
    folder = out or run.folder.activations / name
    write_activation_pages(folder, page)
    return folder


def make_page(
    run: FinishedRun, row: dict[str, Any], layers: Sequence[str] | None = None
) -> ActivationPage:
    """Computes what one page of activations shows.

    Args:
        run: Whose model to look into.
        row: One record: `image_id`, `path` and the metadata columns.
        layers: Layer names or patterns; none: all stages.

    Returns:
        The arrays and names to draw.
    """
    model = load_model(run)
    modality = run.config.model.modality
    inputs: dict[str, np.ndarray] = {}
    if modality != "metadata":
        size = run.config.data.image_size
        picture = read_image(Path(row["path"]), image_size=size)
        inputs["image"] = picture[np.newaxis, :, :, np.newaxis].astype("float32")
    if modality != "image":
        inputs["metadata"] = run.encoder.transform(_as_table(row))
    activations = compute_activations(model, inputs, layers)
    probabilities = compute_activations(model, inputs, ["probabilities"])
    return ActivationPage(
        image_id=row["image_id"],
        class_names=run.answered,
        probabilities=probabilities["probabilities"][0],
        layers=activation_layers(model, layers),
        activations={name: values[0] for name, values in activations.items()},
        image=inputs["image"][0, :, :, 0].astype("uint8")
        if "image" in inputs
        else None,
        record=_describe(row, run),
        feature_names=run.encoder.feature_names if "metadata" in inputs else (),
        feature_values=inputs.get("metadata", np.zeros((1, 0), "float32"))[0],
        filters=first_filters(model) if "image" in inputs else None,
        fusion_parts=fusion_parts(model),
        findings=row.get("findings"),
        model=f"{run.config.model.image_branch}, {modality}, run {run.folder.path.name}",
        activation=run.activation,
    )


def parse_metadata(text: str) -> dict[str, Any]:
    """Parses fields such as `age=57,view=AP,follow_up=0,sex=F`; empty is unknown.

    Args:
        text: Fields, parted by commas.

    Returns:
        Values under the names of the records table's columns.

    Raises:
        ConfigError: If a field or its value is not allowed.

    Example:
        >>> parse_metadata("age=57,view=AP")
        {'age_years': 57.0, 'view_position': 'AP'}
    """
    values: dict[str, Any] = {}
    for item in filter(None, text.split(",")):
        name, equals, value = (part.strip() for part in item.partition("="))
        if not equals:
            raise ConfigError(
                _line("must be field=value", item, "Write for instance age=57.")
            )
        if name not in FIELD_COLUMNS:
            known = ", ".join(FIELD_COLUMNS)
            raise ConfigError(
                _line(f"fields must be {known}", name, "Name one of them.")
            )
        if FIELD_COLUMNS[name] in values:
            raise ConfigError(
                _line("each field must stand once", item, "Name it once.")
            )
        values[FIELD_COLUMNS[name]] = _PARSERS[name](value) if value else None
    return values


def _parse_age(value: str) -> float:
    try:
        age = float(value)
    except ValueError:
        age = math.nan
    if not 0 <= age <= MAX_AGE_YEARS:
        rule = f"`age` must be a number from 0 to {MAX_AGE_YEARS}"
        raise ConfigError(_line(rule, value, "Leave it out if it is unknown."))
    return age


def _parse_follow_up(value: str) -> int:
    if not re.fullmatch(r"\d{1,4}", value, re.ASCII):  # as in a table
        rule = "`follow_up` must be a whole number from 0 to 9999"
        raise ConfigError(_line(rule, value, "Leave it out if it is unknown."))
    return int(value)


def _parse_choice(name: str, choices: Sequence[str]) -> Callable[[str], str]:
    def parse(value: str) -> str:
        if value not in choices:
            rule = f"`{name}` must be one of {', '.join(choices)}"
            raise ConfigError(_line(rule, value, "Leave it out if it is unknown."))
        return value

    return parse


def _line(rule: str, received: str, advice: str) -> str:
    return f"--metadata: {rule}. Received: {received!r}. {advice}"


_PARSERS: dict[str, Callable[[str], Any]] = {
    "age": _parse_age,
    "follow_up": _parse_follow_up,
    "view": _parse_choice("view", VIEW_POSITIONS),
    "sex": _parse_choice("sex", SEXES),
}


def _choose_row(
    run: FinishedRun, *, image: Path | None, image_id: str | None
) -> dict[str, Any]:
    records = run.records
    if image is not None and image_id is not None:
        raise ConfigError(
            "--image, --image-id: must be one of the two. Received: both. "
            "Leave one of them out."
        )
    if image is not None:
        own = _find_file(records, image)
        return _row(own) if len(own) else _unknown_row(image)
    if image_id is not None:
        return _row(_find(records, image_id))
    test = records[records["part"] == "test"]
    negative = run.vocabulary.negative
    positive = test[[negative not in names for names in test["findings"]]]
    row = _row(positive if len(positive) else test)
    logger.info("no picture named: showing %s of the test part", row["image_id"])
    return row


def _find(records: pd.DataFrame, image_id: str) -> pd.DataFrame:
    found = records[records["image_id"] == image_id]
    if found.empty:
        raise ConfigError(
            f"--image-id: must be a radiograph of the run. Received: {image_id!r}. "
            "Take one of split.csv, or name the file with --image."
        )
    return found


def _find_file(records: pd.DataFrame, image: Path) -> pd.DataFrame:
    """Returns the row whose picture is this very file, linked or not; or no row."""
    file = image.resolve()
    names = (image.name, file.name)
    # names first: to resolve 112,120 paths takes seconds
    near = records[records["path"].str.endswith(names)]
    same = [Path(path).resolve() == file for path in near["path"]]
    return near.loc[same]


def _row(rows: pd.DataFrame) -> dict[str, Any]:
    return {str(key): value for key, value in rows.iloc[0].items()}


def _unknown_row(image: Path) -> dict[str, Any]:
    logger.info("%s is not of the run: what --metadata leaves out is unknown", image)
    unknown = dict.fromkeys(FIELD_COLUMNS.values())
    return {"image_id": image.name, "path": str(image), **unknown}


def _say_unread(run: FinishedRun, said: Collection[str]) -> None:
    image_only = run.config.model.modality == "image"
    read = () if image_only else run.encoder.fields
    unread = [
        name
        for name, column in FIELD_COLUMNS.items()
        if column in said and name not in read
    ]
    if unread:
        logger.info("--metadata: the model does not read %s", ", ".join(unread))


def _as_table(row: dict[str, Any]) -> pd.DataFrame:
    table = pd.DataFrame([row])
    return table.astype(
        {
            "age_years": "float64",
            "follow_up": "Int64",
            "view_position": TEXT,
            "sex": TEXT,
        }
    )


def _describe(row: dict[str, Any], run: FinishedRun) -> dict[str, str]:
    shown = {}
    for name in run.encoder.fields:
        value = row[FIELD_COLUMNS[name]]
        unknown = value is None or pd.isna(value)
        shown[name] = "unknown" if unknown else str(value)
    return shown
