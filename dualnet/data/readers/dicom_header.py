"""What the header of one DICOM file says of a radiograph and its patient.

Names and addresses are never read. The birth date is read where the age is not told, and
only the age is kept; of the study's date, only the order among the patient's is.
"""

import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from dualnet.data.dicom_file import (
    PREFIX_END,
    ExcessError,
    check_values,
    is_dicom,
    read_dataset,
)
from dualnet.data.limits import MAX_BYTES
from dualnet.data.record_parsing import MAX_AGE_YEARS, parse_age
from dualnet.data.records import SEXES
from dualnet.errors import RecordError

if TYPE_CHECKING:
    from pydicom import Dataset

SUFFIXES = (".dcm", ".dicom")
# PS3.3 C.7.3.1.1.1; DR is retired and still written, RG is a scanned film
MODALITIES = ("CR", "DX", "DR", "RG")
KEYWORDS = (
    "SOPInstanceUID",
    "StudyInstanceUID",
    "StudyDate",
    "Modality",
    "PresentationIntentType",
    "BodyPartExamined",
    "ViewPosition",
    "ViewCodeSequence",
    "PatientID",
    "PatientAge",
    "PatientBirthDate",
    "PatientSex",
    "Rows",
    "Columns",
    "NumberOfFrames",
)
VIEWS = {  # PS3.3 C.8.1.1 and C.8.11.5; what is lying or oblique is none of these
    "PA": "PA",
    "AP": "AP",
    "LL": "LATERAL",
    "RL": "LATERAL",
    "LAT": "LATERAL",
    "LATERAL": "LATERAL",
}
VIEW_CODES = {  # PS3.16 CID 4010, SNOMED CT and the SRT codes before it
    "272479007": "PA",
    "R-40888": "PA",
    "R-10214": "PA",
    "399348003": "AP",
    "R-10206": "AP",
    "399067008": "LATERAL",
    "R-102CD": "LATERAL",
    "399173006": "LATERAL",
    "R-10236": "LATERAL",
    "399198007": "LATERAL",
    "R-10232": "LATERAL",
}
_AGE_CHARACTERS = 4  # PS3.5 section 6.2, AS


@dataclass(frozen=True, kw_only=True)
class Header:
    """One radiograph.

    Args:
        file: Its path below the tree's root.
        image_id: `SOPInstanceUID`.
        study: `StudyInstanceUID`; empty if unknown, as all that follow.
        patient_id: `PatientID`.
        study_day: The study's date as a number, which orders it; none: unknown.
        age_years: NaN: unknown.
        sex: M or F; none: unknown or other.
        view_position: PA, AP or LATERAL; none: unknown or other.
        modality: One of `MODALITIES`.
        body_part: `BodyPartExamined`.
        problem: What is wrong with a value.
    """

    file: str
    image_id: str
    study: str
    patient_id: str
    study_day: int | None
    age_years: float
    sex: str | None
    view_position: str | None
    modality: str
    body_part: str
    problem: str = ""


def read_header(root: Path, file: str) -> Header | str | None:
    """Reads the header of a file, if it is a DICOM file.

    Args:
        root: The tree's root.
        file: The file's path below it.

    Returns:
        What it says; or why the file is no radiograph; or none where the file is no
        DICOM file at all.
    """
    path = root / file
    try:
        if not path.is_file() and path.exists():  # opening a pipe would wait for ever
            return _explain_prefix(file)
        with path.open("rb") as stream:
            if not is_dicom(stream.read(PREFIX_END)):
                return _explain_prefix(file)
            size = path.stat().st_size
            if size > MAX_BYTES:
                return f"must be at most {MAX_BYTES:,} bytes. Received: {size:,}."
            dataset = read_dataset(stream, KEYWORDS, name=file, header_only=True)
        return _find_reason(dataset) or _interpret(file, dataset)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        return f"must be readable. Received: {reason}."
    except ExcessError as error:
        return f"must have a readable header. Received: {error}."
    except Exception as error:  # noqa: BLE001 - pydicom's errors have no base class
        return f"must have a readable header. Received: {type(error).__name__}."


def _explain_prefix(file: str) -> str | None:
    if not file.lower().endswith(SUFFIXES):
        return None
    return (
        "must begin as DICOM files do, `DICM` after 128 bytes. Received: other bytes."
    )


def _find_reason(dataset: "Dataset") -> str:
    """Says why a dataset is no projection radiograph; empty if it is one."""
    modality = _text(dataset, "Modality").upper()
    if modality not in MODALITIES:
        wanted = f"a projection radiograph ({', '.join(MODALITIES)})"
        return f"must be {wanted}. Received: modality {_show(modality)}."
    if not (dataset.get("Rows") and dataset.get("Columns")):
        return "must hold a picture. Received: no pixel data."
    if _text(dataset, "PresentationIntentType").upper() == "FOR PROCESSING":
        return "must be FOR PRESENTATION. Received: the detector's own values."
    frames = int(dataset.get("NumberOfFrames") or 1)
    if frames != 1:
        return f"must be one picture. Received: {frames:,} frames."
    if not _text(dataset, "SOPInstanceUID"):
        return "must have a SOPInstanceUID. Received: none."
    return ""


def _show(modality: str) -> str:
    """Returns what looks like a modality; a damaged file may have the name there."""
    if not modality:
        return "not told"
    return modality if re.fullmatch("[A-Z]{2,10}", modality) else "of no such form"


def _interpret(file: str, dataset: "Dataset") -> Header:
    study_date = _parse_date(_text(dataset, "StudyDate"))
    age, problem = float("nan"), ""
    try:
        age = _find_age(dataset, study_date)
    except RecordError as error:
        problem = str(error)
    sex = _text(dataset, "PatientSex").upper()
    return Header(
        file=file,
        image_id=_text(dataset, "SOPInstanceUID"),
        study=_text(dataset, "StudyInstanceUID"),
        patient_id=_text(dataset, "PatientID"),
        study_day=study_date.toordinal() if study_date else None,
        age_years=age,
        sex=sex if sex in SEXES else None,
        view_position=_find_view(dataset),
        modality=_text(dataset, "Modality").upper(),
        body_part=_text(dataset, "BodyPartExamined").upper(),
        problem=problem,
    )


def _text(dataset: "Dataset", keyword: str) -> str:
    """Returns a value as text; of several, the first; empty if there is none."""
    value = dataset.get(keyword)
    if value is None:
        return ""
    if not isinstance(value, str) and hasattr(value, "__len__"):
        value = value[0] if len(value) else ""
    return str(value).strip(" \0")


def _find_age(dataset: "Dataset", study_date: date | None) -> float:
    """Returns the age in years: as told, else from the birth and the study's date."""
    told = _text(dataset, "PatientAge").upper()
    if len(told) > _AGE_CHARACTERS:  # a damaged file may have the name there
        raise RecordError(
            "`age` must be three digits and one of Y, M, W, D. Received: a longer text."
        )
    if told:
        return parse_age(told)
    birth_date = _parse_date(_text(dataset, "PatientBirthDate"))
    if birth_date is None or study_date is None:
        return float("nan")
    age = (study_date - birth_date).days / 365.25
    if not 0 <= age <= MAX_AGE_YEARS:  # the dates themselves are not to be shown
        raise RecordError(
            f"the age from birth to study must be 0 to {MAX_AGE_YEARS} years. "
            f"Received: {age:.0f}."
        )
    return age


def _parse_date(text: str) -> date | None:
    """Returns a date of PS3.5's DA, or of ACR-NEMA with points; none if it is none."""
    match = re.fullmatch(r"(\d{4})\.?(\d{2})\.?(\d{2})", text, re.ASCII)
    if match is None:
        return None
    try:
        return date(*(int(part) for part in match.groups()))
    except ValueError:
        return None


def _find_view(dataset: "Dataset") -> str | None:
    told = _text(dataset, "ViewPosition").upper()
    if told:
        return VIEWS.get(told)
    codes = dataset.get("ViewCodeSequence") or []
    if not codes:
        return None
    check_values(codes[0])
    return VIEW_CODES.get(_text(codes[0], "CodeValue"))
