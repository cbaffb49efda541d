"""Any CSV or Parquet table, by a mapping of its columns."""

import logging
import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from dualnet.data.readers.mapping import TableMapping
from dualnet.data.readers.mapping_file import (
    MAPPING_FILE,
    NamedMapping,
    mapping_names,
    read_mapping,
)
from dualnet.data.readers.parquet import SUFFIXES, read_parquet_table
from dualnet.data.readers.table_columns import (
    fill_path,
    find_unwanted,
    read_age,
    read_choice,
    read_follow_up,
    read_part,
    read_study_dates,
)
from dualnet.data.readers.table_findings import ToldFindings, tell_findings
from dualnet.data.readers.text_table import TextTable, read_text_table
from dualnet.data.record_parsing import parse_records
from dualnet.data.records import COLUMNS, TEXT, RecordSet
from dualnet.errors import RecordError
from dualnet.findings import Vocabulary
from dualnet.wording import number_of

FILES_PER_FOLDER = 20  # from here on a folder is listed
NEEDS = f"{MAPPING_FILE} beside a table, or --mapping"

logger = logging.getLogger(__name__)


def read_table(
    folder: Path,
    *,
    on_bad_row: str = "error",
    mapping: str | Path | None = None,
    pictures: Path | None = None,
    file: Path | None = None,
) -> RecordSet:
    """Reads a table by the mapping of its columns, and finds its pictures.

    Args:
        folder: Holds the table, and the pictures where the mapping's paths say.
        on_bad_row: `error`, or `set_aside` to put bad rows into the rejects.
        mapping: A mapping that ships with the package, by name, or a YAML file; none:
            `dualnet-table.yaml` in the folder.
        pictures: Another folder that the mapping's paths start from; none: `folder`.
        file: The table, under whatever name; none: the one that the mapping names.

    Returns:
        The records, in the table's order. `notes` count the rows of the table and what
        was left out or decided, and why.

    Raises:
        RecordError: If there is no mapping or no table, or no row is left.
    """
    if mapping is None and find_mapping(folder) is None:
        raise RecordError(
            f"{folder}: must hold {MAPPING_FILE}, which says what the table's columns "
            "mean. Received: no such file. Write it (docs/tables.md), or name a mapping "
            f"with --mapping: {', '.join(mapping_names())}, or a file."
        )
    named = read_mapping(mapping or folder / MAPPING_FILE)
    file = file or _find_table(folder, named)
    text = _read_text(file, named.mapping)
    vocabulary = named.mapping.make_vocabulary()
    rows, problems, notes = _translate(text, named.mapping, vocabulary, where=file.name)
    table, rejects = parse_records(
        rows,
        vocabulary=vocabulary,
        where=file.name,
        on_bad_row=on_bad_row,
        problems=problems,
        nested=True,
    )
    good = rows.index[~rows.index.isin(rejects["line"])]
    table["path"] = _find_pictures(
        pictures or folder, named.mapping, table["image_id"], text.rows.loc[good]
    )
    table["source"] = named.mapping.name
    _log_unfed(named, vocabulary)
    return RecordSet(
        table=table.loc[:, list(COLUMNS)],
        vocabulary=vocabulary,
        folder=folder,
        digests={file.name: text.digest, named.file: named.digest},
        rejects=rejects,
        notes=notes,
    )


def find_mapping(folder: Path) -> Path | None:
    """Returns the mapping that lies in a dataset's folder; none if there is none."""
    file = folder / MAPPING_FILE
    return file if file.is_file() else None


def _find_table(folder: Path, named: NamedMapping) -> Path:
    names = named.mapping.table
    found = next((folder / name for name in names if (folder / name).is_file()), None)
    if found is None:
        raise RecordError(
            f"{folder}: must hold the table that {named.file} names, "
            f"{' or '.join(names)}. Received: no such file. "
            "Copy the table there, or correct the mapping."
        )
    return found


def _read_text(file: Path, mapping: TableMapping) -> TextTable:
    if file.suffix.lower() in SUFFIXES:
        date = mapping.study_date
        return read_parquet_table(
            file,
            columns=mapping.columns,
            date_format=date.format if date else "%Y-%m-%d",
        )
    columns = {name: name for name in mapping.columns}
    return read_text_table(file, columns=columns, line_breaks=True)


def _translate(
    text: TextTable, mapping: TableMapping, vocabulary: Vocabulary, *, where: str
) -> tuple[pd.DataFrame, dict[int, str], dict[str, int]]:
    """Returns the rows for `parse_records`, what is wrong with them, and the counts."""
    # before rows are left out: a visit counts though its radiograph is not kept
    history, bad_history = _read_history(text.rows, mapping)
    rows, told, notes = _choose_rows(text, mapping, vocabulary, where=where)
    dates = history.loc[rows.index, "date"]
    columns = {
        "image_id": read_part(rows, mapping.image.id),
        "age_years": read_age(rows, mapping.age, dates),
        "sex": read_choice(rows, mapping.sex, name="sex"),
        "view_position": read_choice(rows, mapping.view, name="view"),
    }
    problems = {**bad_history, **told.problems}
    for _, bad in columns.values():
        problems = {**bad, **problems}
    used = {*rows.index.tolist()}
    problems = {line: why for line, why in problems.items() if line in used}
    table = pd.DataFrame(
        {
            **{name: column for name, (column, _) in columns.items()},
            "patient_id": history["patient_id"].loc[rows.index],
            "follow_up": history["follow_up"].loc[rows.index],
            "findings": told.text.loc[rows.index],
        }
    )
    return table, {**problems, **text.problems}, notes


def _read_history(
    rows: pd.DataFrame, mapping: TableMapping
) -> tuple[pd.DataFrame, dict[int, str]]:
    patients, bad_patients = read_part(rows, mapping.patient)
    dates, bad_dates = read_study_dates(rows, mapping.study_date)
    visits, bad_visits = read_follow_up(rows, mapping.follow_up, dates, patients)
    history = pd.DataFrame({"patient_id": patients, "date": dates, "follow_up": visits})
    return history, {**bad_visits, **bad_dates, **bad_patients}


def _choose_rows(
    text: TextTable, mapping: TableMapping, vocabulary: Vocabulary, *, where: str
) -> tuple[pd.DataFrame, ToldFindings, dict[str, int]]:
    """Returns the rows that are not left out, their findings, and the counts."""
    left_out = find_unwanted(text.rows, mapping)
    gone = _any_of(left_out.values(), size=len(text.rows))
    rows = text.rows.loc[~gone]
    told = tell_findings(rows, mapping.findings, negative=vocabulary.negative)
    rows = rows.loc[~_any_of(told.left_out.values(), size=len(rows))]
    counts = {f"by {name}": int(some.sum()) for name, some in left_out.items()}
    counts |= {name: int(some.sum()) for name, some in told.left_out.items()}
    counts = {name: count for name, count in counts.items() if count}
    total = len(text.rows) + len(text.problems)
    listed = "".join(f"; {count:,} left out {name}" for name, count in counts.items())
    logger.info("%s: %s%s", where, number_of(total, "row"), listed)
    for name, count in told.notes.items():
        what = name.removeprefix("rows_").replace("_", " ")
        logger.info("%s: %s %s", where, number_of(count, "row"), what)
    if rows.empty and not text.problems:
        raise RecordError(
            f"{where}: at least one row must be kept. Received: 0 of {total:,}{listed}. "
            "Correct `keep` or the findings of the mapping."
        )
    named = {
        f"left_out_{name.replace(' ', '_')}": count for name, count in counts.items()
    }
    return rows, told, {"rows_in_table": total, **named, **told.notes}


def _any_of(masks: Iterable[np.ndarray], *, size: int) -> np.ndarray:
    return np.logical_or.reduce([np.zeros(size, dtype=bool), *masks])


def _find_pictures(
    folder: Path, mapping: TableMapping, image_id: pd.Series, rows: pd.DataFrame
) -> pd.Series:
    """Returns where each picture lies, NA where none of the paths holds it."""
    rows = rows.reset_index(drop=True)
    found = pd.Series(pd.NA, index=image_id.index, dtype=TEXT)
    for template in mapping.image.paths:
        parent = folder / template.partition("{")[0].rpartition("/")[0]
        if not parent.is_dir():
            continue
        missing = found.isna()
        filled = fill_path(template, image_id[missing], rows.loc[missing])
        paths = f"{folder}{os.sep}" + filled
        found.loc[missing] = paths.where(_are_files(paths), pd.NA)
    return found


def _are_files(paths: pd.Series) -> np.ndarray:
    parted = [path.rpartition("/") for path in paths]
    parents = {parent for parent, _, _ in parted}
    # CheXpert has nearly as many folders as pictures: there each file is asked for.
    # PadChest has 54: to list them takes a tenth of the time, less on a network disk.
    if len(parents) * FILES_PER_FOLDER > len(parted):
        return np.array([os.path.isfile(path) for path in paths])  # noqa: PTH113 - speed
    listed = {parent: _list_names(parent) for parent in parents}
    return np.array([name in listed[parent] for parent, _, name in parted], dtype=bool)


def _list_names(folder: str) -> set[str]:
    try:
        return {*os.listdir(folder)}  # noqa: PTH208 - Path objects take ten times as long
    except (FileNotFoundError, NotADirectoryError):
        return set()
    except OSError as error:
        raise RecordError(
            f"{folder}: the folder of pictures must be readable. "
            f"Received: {error.strerror}. Allow it to be listed, or move it away."
        ) from error


def _log_unfed(named: NamedMapping, vocabulary: Vocabulary) -> None:
    fed = {*named.mapping.findings.named_classes}
    unfed = [name for name in vocabulary.class_names if name not in fed]
    if unfed:
        logger.info(
            "%s: nothing tells %s; every radiograph counts as one without",
            named.file,
            ", ".join(unfed),
        )
