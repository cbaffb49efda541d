"""One radiograph, or several, named by who wants to look: its record and its picture."""

import logging
import math
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dualnet.data.images import read_image
from dualnet.data.metadata import FIELD_COLUMNS
from dualnet.data.record_parsing import MAX_AGE_YEARS
from dualnet.data.records import SEXES, TEXT, VIEW_POSITIONS
from dualnet.errors import ConfigError
from dualnet.jobs.finished import FinishedRun

Row = dict[str, Any]
"""One record: `image_id`, `path` and the metadata columns; `findings` if they are known."""

logger = logging.getLogger(__name__)


def choose_rows(
    run: FinishedRun,
    *,
    images: Sequence[Path] = (),
    image_ids: Sequence[str] = (),
    metadata: str | None = None,
) -> list[Row]:
    """Finds the records of the radiographs that somebody names.

    Args:
        run: The run.
        images: Picture files; their record is unknown but for `metadata`, unless they
            are the run's own files.
        image_ids: Radiographs of the run's records; with neither, the first one of the
            test part that has a finding.
        metadata: Fields that replace the records', such as `age=57,view=AP`.

    Returns:
        One row each, in the order of `images`, then of `image_ids`.
    """
    rows = [_choose_file(run, image) for image in images]
    rows += [_row(_find(run.records, image_id)) for image_id in image_ids]
    said = parse_metadata(metadata or "")
    _say_unread(run, said)
    return [row | said for row in rows or [_choose_first(run)]]


def make_inputs(
    run: FinishedRun, rows: Sequence[Mapping[str, Any]]
) -> dict[str, np.ndarray]:
    """Makes what the run's model is given for some records.

    Args:
        run: The run.
        rows: The records.

    Returns:
        Of the model's inputs, by name: `image`, gray values 0-255, float32, shape
        (rows, size, size, 1), and `metadata`, float32, shape (rows, features).
    """
    modality, inputs = run.config.model.modality, {}
    if modality != "metadata":
        size = run.config.data.image_size
        pictures = [read_image(Path(row["path"]), image_size=size) for row in rows]
        inputs["image"] = np.stack(pictures)[..., np.newaxis].astype("float32")
    if modality != "image":
        inputs["metadata"] = run.encoder.transform(as_table(rows))
    return inputs


def as_table(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Makes a records table of rows.

    Args:
        rows: The records.

    Returns:
        One row each, the metadata columns of the types that a records table has.
    """
    table = pd.DataFrame(list(rows))
    return table.astype(
        {
            "age_years": "float64",
            "follow_up": "Int64",
            "view_position": TEXT,
            "sex": TEXT,
        }
    )


def describe_record(run: FinishedRun, row: Mapping[str, Any]) -> dict[str, str]:
    """Says what a record tells of the fields that the run's model reads.

    Args:
        run: The run.
        row: The record.

    Returns:
        Name of each field to its value in words; `unknown` where it is missing.
    """
    shown = {}
    for name in run.encoder.fields:
        value = row[FIELD_COLUMNS[name]]
        unknown = value is None or pd.isna(value)
        shown[name] = "unknown" if unknown else str(value)
    return shown


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


def _choose_file(run: FinishedRun, image: Path) -> Row:
    own = _find_file(run.records, image)
    return _row(own) if len(own) else _unknown_row(image)


def _choose_first(run: FinishedRun) -> Row:
    test = run.records[run.records["part"] == "test"]
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


def _row(rows: pd.DataFrame) -> Row:
    return {str(key): value for key, value in rows.iloc[0].items()}


def _unknown_row(image: Path) -> Row:
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
