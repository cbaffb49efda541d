"""One table, named itself instead of its folder: what radiographs are."""

import logging
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from dualnet.data.readers.label_table import find_vocabulary
from dualnet.data.readers.nih import has_nih_header, read_nih
from dualnet.data.readers.parquet import (
    SUFFIXES,
    read_parquet_header,
    read_parquet_table,
)
from dualnet.data.readers.table import find_mapping, read_table
from dualnet.data.readers.text_table import read_header, read_text_table
from dualnet.data.record_parsing import parse_records
from dualnet.data.records import COLUMNS, RecordSet, make_table
from dualnet.errors import ConfigError, RecordError
from dualnet.wording import number_of

FORMATS = ("nih", "table", "records")
NEEDED = ("image_id", "findings")
OPTIONAL = ("patient_id", "age_years", "sex", "view_position", "follow_up", "source")

logger = logging.getLogger(__name__)


def read_records_file(
    file: Path,
    *,
    format: str | None = None,  # noqa: A002, the option's name
    mapping: str | None = None,
) -> RecordSet:
    """Reads one table of radiographs.

    Args:
        file: NIH's table under whatever name; a table that `mapping`, or the
            `dualnet-table.yaml` beside it, explains; or a table with our own columns,
            `image_id` and `findings` (joined by `|`) and any of `patient_id`,
            `age_years`, `sex`, `view_position`, `follow_up` and `source`, such as the
            `records.csv` of a run.
        format: `nih`, `table` or `records`; none: found from the columns.
        mapping: What the columns mean, by name or file.

    Returns:
        The records, checked; with our own columns no picture is looked for.

    Raises:
        ConfigError: If the format is not known, or a mapping stands beside another one.
        RecordError: If the file cannot be read, or is none of these.
    """
    if format is not None and format not in FORMATS:
        raise ConfigError(
            f"--format: must be one of {', '.join(FORMATS)} for a file. "
            f"Received: {format!r}. Leave it out, or name the dataset's folder."
        )
    if mapping is not None and format not in (None, "table"):
        raise ConfigError(
            "--mapping: must be left out, or the format be table. "
            f"Received: --format {format}. Leave one of the two out."
        )
    name = "table" if mapping is not None else format or _find_format(file)
    readers: dict[str, Callable[[], RecordSet]] = {
        "nih": lambda: read_nih(file.parent, file=file),
        "table": lambda: read_table(file.parent, mapping=mapping, file=file),
        "records": lambda: _read_own(file),
    }
    return readers[name]()


def _find_format(file: Path) -> str:
    header = _read_header(file)
    if has_nih_header(header) and not _is_parquet(file):
        return "nih"
    if {*NEEDED} <= {one.strip() for one in header}:
        return "records"
    if find_mapping(file.parent) is not None:
        return "table"
    raise RecordError(
        f"{file.name}: must be NIH's table, have the columns {' and '.join(NEEDED)}, or "
        f"be explained by a mapping. Received: {number_of(len(header), 'column')}, "
        "not those. Name a mapping with --mapping (docs/tables.md)."
    )


def _is_parquet(file: Path) -> bool:
    return file.suffix.lower() in SUFFIXES


def _read_header(file: Path) -> list[str]:
    return read_parquet_header(file) if _is_parquet(file) else read_header(file)


def _read_own(file: Path) -> RecordSet:
    present = {one.strip() for one in _read_header(file)}
    columns = [
        name for name in (*NEEDED, *OPTIONAL) if name in present or name in NEEDED
    ]
    if _is_parquet(file):
        text = read_parquet_table(file, columns=columns, date_format="%Y-%m-%d")
    else:
        text = read_text_table(file, columns={name: name for name in columns})
    rows = text.rows.reindex(columns=[*NEEDED, *OPTIONAL], fill_value="")
    if "patient_id" not in columns:
        rows["patient_id"] = rows["image_id"]
        logger.info(
            "%s: no patient_id; every radiograph counts as its own patient, which makes "
            "intervals too narrow where patients have several",
            file.name,
        )
    vocabulary = find_vocabulary(rows["findings"].unique().tolist())
    table, _ = parse_records(
        rows,
        vocabulary=vocabulary,
        where=file.name,
        problems=text.problems,
        nested=True,
    )
    table["source"] = _name_sources(rows["source"], file)
    typed = make_table(
        **{name: table[name].tolist() for name in COLUMNS if name in table}
    )
    return RecordSet(
        table=typed,
        vocabulary=vocabulary,
        folder=file.parent,
        digests={file.name: text.digest},
    )


def _name_sources(sources: pd.Series, file: Path) -> list[str]:
    return [one.strip() or file.stem for one in sources.tolist()]
