"""A tree of DICOM files, any names, any depth; and `labels.csv` where there is one.

Who is who comes from the headers: `PatientID`, age, sex, view, and the order of a
patient's study dates as follow-up, from 0. `image_id` is the `SOPInstanceUID`, which is
the radiograph's own, wherever the file lies. What is no projection radiograph for
presentation (CT, a report, a film of several frames) is set aside with its reason.

DICOM files carry no findings. `labels.csv` in the folder gives them: `findings` joined by
`|`, and `image_id` or `SOPInstanceUID` (or the file's name, where no two files share it)
or `path` below the folder. Without it the tree can be prepared, but not trained on.

Reference:
    DICOM PS3.3 C.7.1.1 (patient), C.7.2 (study), C.8.1 and C.8.11 (CR and DX).
"""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd

from dualnet.data.dicom_file import PREFIX_END, check_extra, is_dicom
from dualnet.data.readers.dicom_header import SUFFIXES, Header, read_header
from dualnet.data.readers.folders import walk_files
from dualnet.data.readers.label_table import (
    LABEL_TABLE,
    UNLABELLED,
    LabelTable,
    describe_labels,
    read_label_table,
)
from dualnet.data.record_parsing import check_on_bad_row, parse_findings
from dualnet.data.records import REJECT_COLUMNS, TEXT, RecordSet, make_table
from dualnet.errors import RecordError
from dualnet.wording import describe_more, number_of

SOURCE = "dicom"
NEEDS = f"files {' or '.join(SUFFIXES)}, or with the prefix DICM"
# What never is DICOM, and is not opened to look: 112,120 PNG files take their time.
OTHER_SUFFIXES = (".png", ".jpg", ".jpeg", ".csv", ".txt", ".json", ".xlsx", ".npy")
logger = logging.getLogger(__name__)


@dataclass(kw_only=True)
class Scan:
    """What lies in a tree.

    Args:
        headers: Of the radiographs, in the order of their files.
        aside: Why a DICOM file is no radiograph, by its path below the root.
        bad: Why a radiograph's row is bad, by its path or its line in `labels.csv`.
        others: How many files are no DICOM files.
    """

    headers: list[Header] = field(default_factory=list)
    aside: dict[str, str] = field(default_factory=dict)
    bad: dict[str | int, str] = field(default_factory=dict)
    others: int = 0


def read_dicom(folder: Path, *, on_bad_row: str = "error") -> RecordSet:
    """Reads the headers of a tree of DICOM files.

    Args:
        folder: Holds them, at any depth, and `labels.csv` if there are labels.
        on_bad_row: `error`, or `set_aside` to put radiographs with an impossible age,
            and bad rows of `labels.csv`, into the rejects. DICOM files that are no
            radiographs, or copies of one, are set aside in either case.

    Returns:
        The records, by the files' paths. Where there is no `labels.csv`, `findings`
        are empty, and the vocabulary is `UNLABELLED`.

    Raises:
        RecordError: If there is no radiograph, or `labels.csv` names none of them.
    """
    check_on_bad_row(on_bad_row)
    check_extra(str(folder))
    scan = _drop_copies(_scan(folder))
    labels = None
    if (folder / LABEL_TABLE).is_file():
        labels = read_label_table(folder / LABEL_TABLE)
    findings = _find_findings(scan, labels, folder)
    _check_bad(scan, folder, on_bad_row)
    kept = [header for header in scan.headers if header.file in findings]
    if not kept:
        raise RecordError(
            f"{folder}: must hold at least one radiograph. Received: "
            f"{_describe(scan) or 'no DICOM files'}. Name a folder of CR or DX files."
        )
    records = RecordSet(
        table=_make_table(folder, kept, findings),
        vocabulary=labels.vocabulary if labels else UNLABELLED,
        folder=folder,
        digests={LABEL_TABLE: labels.digest} if labels else {},
        rejects=_make_rejects(scan),
        details=_make_details(kept),
        notes=_count_unknown(kept),
    )
    _log(records, scan)
    return records


def find_dicom(folder: Path) -> Path | None:
    """Returns a DICOM file of a tree; none if there is none."""
    return next(
        (
            folder / file
            for file in walk_files(folder, lenient=True)
            if is_dicom_file(folder / file)
        ),
        None,
    )


def is_dicom_file(path: Path) -> bool:
    """Whether a file is called a DICOM file, or begins as one (PS3.10, section 7.1).

    Args:
        path: The file.

    Returns:
        False too where it cannot be read.
    """
    return path.name.lower().endswith(SUFFIXES) or _has_prefix(path)


def _has_prefix(path: Path) -> bool:
    if path.name.lower().endswith(OTHER_SUFFIXES) or not path.is_file():
        return False
    try:
        with path.open("rb") as stream:
            return is_dicom(stream.read(PREFIX_END))
    except OSError:
        return False


def _scan(root: Path) -> Scan:
    scan = Scan()
    files = [file for file in walk_files(root) if file != LABEL_TABLE]
    looked_at = [file for file in files if not file.lower().endswith(OTHER_SUFFIXES)]
    scan.others = len(files) - len(looked_at)
    looked = number_of(len(looked_at), "file")
    logger.info("%s: reading the headers of %s", root, looked)
    for file in looked_at:
        header = read_header(root, file)
        if header is None:
            scan.others += 1
        elif isinstance(header, str):
            scan.aside[file] = header
        elif header.problem:
            scan.bad[file] = header.problem
        else:
            scan.headers.append(header)
    return scan


def _drop_copies(scan: Scan) -> Scan:
    """Sets aside radiographs that lie there before under another name."""
    first: dict[str, str] = {}
    for header in scan.headers:
        earlier = first.setdefault(header.image_id, header.file)
        if earlier != header.file:
            scan.aside[header.file] = (
                "must be another radiograph than the one before. "
                f"Received: the SOPInstanceUID of {earlier}."
            )
    kept = [header for header in scan.headers if header.file not in scan.aside]
    return replace(scan, headers=kept)


def _find_findings(
    scan: Scan, labels: LabelTable | None, folder: Path
) -> dict[str, tuple[str, ...]]:
    """Returns the findings of the radiographs that are used, by file."""
    if labels is None:
        return {header.file: () for header in scan.headers}
    scan.bad |= dict[str | int, str](labels.problems.items())
    names = _name_files(scan.headers)
    found: dict[str, tuple[str, ...]] = {}
    for name, label in labels.labels.items():
        try:
            if name in names:
                findings = parse_findings(label, vocabulary=labels.vocabulary)
                found[names[name]] = findings
        except RecordError as error:
            scan.bad[labels.lines[name]] = str(error)
    _check_found(folder, found, labels, scan)
    return found


def _check_found(
    folder: Path, found: Mapping[str, Any], labels: LabelTable, scan: Scan
) -> None:
    num_rows = len(labels.labels)
    if not found and not scan.bad:
        raise RecordError(
            f"{folder}: {LABEL_TABLE} must name at least one of its radiographs. "
            f"Received: {num_rows:,} rows that name none of {len(scan.headers):,}. "
            "Give each its SOPInstanceUID as image_id, or its path below the folder."
        )
    for header in scan.headers:
        if header.file not in found:
            scan.aside[header.file] = (
                f"must have findings in {LABEL_TABLE}. Received: no row."
            )
    logger.info(
        "%s: %s rows, %s of them name no radiograph here; %s vocabulary: %s",
        LABEL_TABLE,
        f"{num_rows + len(labels.problems):,}",
        f"{num_rows - len(found):,}",
        labels.vocabulary.name,
        describe_labels(labels.labels.values()),
    )


def _name_files(headers: Sequence[Header]) -> dict[str, str]:
    """Returns the file by all that `labels.csv` may call it."""
    paths = {header.file: PurePosixPath(header.file) for header in headers}
    names = Counter(name for p in paths.values() for name in {p.name, p.stem})
    called = {
        name: file
        for file, path in paths.items()
        for name in (path.name, path.stem)
        if names[name] == 1  # IM0001 lies in every patient's folder
    }
    called |= {header.image_id: header.file for header in headers}
    return called | {file: file for file in paths}


def _check_bad(scan: Scan, folder: Path, on_bad_row: str) -> None:
    if not scan.bad or on_bad_row != "error":
        return
    where, reason = next(iter(scan.bad.items()))
    place = f"{LABEL_TABLE} line {where}" if isinstance(where, int) else where
    raise RecordError(
        f"{folder}: {place}: {reason} {describe_more(len(scan.bad) - 1, 'row')}"
        "Correct it, or set bad ones aside with data.on_bad_row=set_aside."
    )


def _describe(scan: Scan) -> str:
    """Returns how many DICOM files are set aside for each reason."""
    reasons = Counter(
        "a copy of another" if "SOPInstanceUID of" in reason else reason[:-1]
        for reason in (*scan.aside.values(), *scan.bad.values())
    )
    return "; ".join(f"{count:,} {reason}" for reason, count in reasons.items())


def _log(records: RecordSet, scan: Scan) -> None:
    notes = records.notes
    logger.info(
        "%s: %s of %s; %s without age, %s without sex, %s without view, %s without "
        "study date, %s without PatientID (each study counts as a patient); of another "
        "body part than CHEST: %s; no DICOM: %s",
        records.folder,
        number_of(len(records.table), "radiograph"),
        number_of(records.table["patient_id"].nunique(), "patient"),
        *(f"{count:,}" for count in notes.values()),
        number_of(scan.others, "file"),
    )
    if len(records.rejects):
        logger.info(
            "%s: %s set aside: %s",
            records.folder,
            f"{len(records.rejects):,}",
            _describe(scan),
        )


def _count_unknown(headers: Sequence[Header]) -> dict[str, int]:
    return {
        "without_age": sum(header.age_years != header.age_years for header in headers),
        "without_sex": sum(header.sex is None for header in headers),
        "without_view": sum(header.view_position is None for header in headers),
        "without_study_date": sum(header.study_day is None for header in headers),
        "without_patient": sum(not header.patient_id for header in headers),
        "of_another_body_part": sum(
            header.body_part not in ("", "CHEST") for header in headers
        ),
    }


def _make_table(
    root: Path, headers: Sequence[Header], findings: Mapping[str, tuple[str, ...]]
) -> pd.DataFrame:
    patients = [one.patient_id or one.study or one.image_id for one in headers]
    table = make_table(
        image_id=[one.image_id for one in headers],
        path=[str(root / one.file) for one in headers],
        patient_id=patients,
        age_years=[one.age_years for one in headers],
        sex=[one.sex for one in headers],
        view_position=[one.view_position for one in headers],
        follow_up=[one.study_day for one in headers],
        findings=[findings[one.file] for one in headers],
        source=[SOURCE] * len(headers),
    )
    days = table["follow_up"].astype("Float64").groupby(table["patient_id"])
    table["follow_up"] = (days.rank(method="dense") - 1).astype("Int64")
    return table


def _make_details(headers: Sequence[Header]) -> pd.DataFrame:
    rows = [
        {
            "image_id": one.image_id,
            "study_instance_uid": one.study or None,
            "modality": one.modality,
            "body_part": one.body_part or None,
        }
        for one in headers
    ]
    return pd.DataFrame(rows, dtype=TEXT)


def _make_rejects(scan: Scan) -> pd.DataFrame:
    rows = [
        ("", place, reason) if isinstance(place, int) else (place, pd.NA, reason)
        for place, reason in (*scan.aside.items(), *scan.bad.items())
    ]
    return pd.DataFrame(rows, columns=list(REJECT_COLUMNS))
