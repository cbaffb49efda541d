"""Kermany's paediatric radiographs: `chest_xray/{train,val,test}/{NORMAL,PNEUMONIA}`.

There is no table. The class is the folder; the patient, and of a pneumonia the cause,
stand in the file's name. Age, sex and view are not told: all are children of one to
five years, all pictures anterior-posterior.

**Who is one patient.** `person12_virus_35.jpeg` is picture 35 of patient 12. The number
of the patient is counted anew for each cause: within one cause it grows with the
picture's number, without exception, and of the copy with 1,285 bacterial and 1,057 viral
numbers 765 stand under both, where 768 would if the two were counted apart. So
`person12` of both causes is most likely two children; but nothing proves it, and as one
patient they cost nothing but a little freedom in the split. They are taken as one.
`IM-0115-0001.jpeg` is series 1 of study 115, a further `-0002` one more picture of it:
the study's number is the patient. Numbers of `NORMAL2-IM-…` are counted apart too (247
stand under both, 242 expected) and are taken as one patient for the same reason. A
healthy child who is also a `personN` cannot be told.

The folders that the set comes in share patients. They are kept only as a detail: the
records are to be split anew, by patient.

Reference:
    Kermany et al., Identifying medical diagnoses and treatable diseases by image-based
    deep learning, Cell 172(5), 2018; https://data.mendeley.com/datasets/rscbjbr9sj
"""

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from dualnet.data.readers.class_folders import (
    Radiograph,
    check_class_folders,
    count_by_folder,
    describe_outside,
    make_records,
    scan_pictures,
)
from dualnet.data.records import RecordSet, relabel
from dualnet.errors import RecordError
from dualnet.findings import CHEST_XRAY, CHEST_XRAY_CAUSES
from dualnet.wording import number_of

PARTS = ("train", "val", "test")
CLASSES = {"NORMAL": "Normal", "PNEUMONIA": "Pneumonia"}
CAUSES = {"bacteria": "Bacterial_Pneumonia", "virus": "Viral_Pneumonia"}
# Kaggle's zip holds the set in `chest_xray`, and once more in `chest_xray/chest_xray`
COPY = "chest_xray"
PLACES = (".", COPY, f"{COPY}/{COPY}")
NEEDS = "train, val or test with NORMAL and PNEUMONIA"

logger = logging.getLogger(__name__)

_NAMES = {
    "PNEUMONIA": re.compile(
        r"(?P<series>person(?P<person>\d+)_(?P<cause>bacteria|virus))_\d+(_\d+)?"
    ),
    "NORMAL": re.compile(r"(?P<series>(NORMAL2-)?IM-(?P<study>\d+))(-\d+)+"),
}
_FORMS = {
    "PNEUMONIA": "person1_bacteria_2.jpeg or person1_virus_2.jpeg",
    "NORMAL": "IM-0115-0001.jpeg or NORMAL2-IM-0531-0001.jpeg",
}


@dataclass(frozen=True, kw_only=True)
class PictureName:
    """What a file's name says.

    Args:
        patient_id: `person12` or `IM-0115`, without the cause or a `NORMAL2`.
        series: The same with them, as it stands in the name.
        cause: `bacteria`, `virus`, or None of a normal radiograph.
    """

    patient_id: str
    series: str
    cause: str | None


def read_chest_xray(folder: Path, *, on_bad_row: str = "error") -> RecordSet:
    """Reads Kermany's class folders.

    Args:
        folder: Holds `train`, `val` and `test`, or some of them, or `chest_xray` which
            does.
        on_bad_row: `error`, or `set_aside` to put pictures of an unknown class folder
            or name into the rejects.

    Returns:
        The records; `image_id` is the path below the folder that holds the parts.
        `details` tells the part it came in, the cause and the series; `notes` count
        the patients, and the series, that stand in several of those parts.

    Raises:
        RecordError: If there is no such folder, a class folder is empty, or a picture
            has no known class or name.
    """
    root = find_chest_xray(folder)
    if root is None:
        raise RecordError(
            f"{folder}: must hold Kermany's folders, {NEEDS}. "
            "Received: none of them. Name the folder that holds them."
        )
    _say_copy(root)
    pictures = scan_pictures(root, skip=(COPY,))
    check_class_folders(root, _class_folders(root), pictures)
    sizes = count_by_folder(pictures)
    records = make_records(
        root,
        pictures,
        lambda picture: _parse(picture, sizes),
        vocabulary=CHEST_XRAY,
        on_bad_row=on_bad_row,
    )
    return _note_recurring(records)


def name_causes(records: RecordSet) -> RecordSet:
    """Makes classes of the causes: normal, bacterial and viral.

    Each radiograph has the cause in its own file's name. Who stands under both causes
    is one patient, as above, whose radiographs of both kinds stay in one part of a
    split; how many there are is counted.

    Args:
        records: As `read_chest_xray` returns them.

    Returns:
        The same radiographs, labelled with `CHEST_XRAY_CAUSES`.

    Raises:
        RecordError: If the records tell no cause.
    """
    if records.vocabulary != CHEST_XRAY:
        raise RecordError(
            f"{records.folder}: must be Kermany's chest_xray folders for "
            f"data.classes=cause. Received: {records.vocabulary.name} classes. "
            "Leave data.classes out."
        )
    causes = records.details["cause"]
    negative = CHEST_XRAY_CAUSES.negative
    names = [CAUSES.get(str(cause), negative) for cause in causes]
    patients = records.table["patient_id"]
    different = causes.groupby(patients.to_numpy()).nunique()
    both = int((different > 1).sum())
    logger.info(
        "%s: %s under both causes, kept together in a split",
        records.folder,
        number_of(both, "patient"),
    )
    return replace(
        records,
        table=relabel(records.table, names),
        vocabulary=CHEST_XRAY_CAUSES,
        notes={**records.notes, "patients_under_both_causes": both},
    )


def find_chest_xray(folder: Path) -> Path | None:
    """Returns the folder that holds the parts, the outermost; none if there is none."""
    places = [folder / place for place in PLACES]
    return next((place for place in places if _class_folders(place)), None)


def parse_picture_name(name: str) -> PictureName | None:
    """Parses a file's name, without its suffix.

    Args:
        name: Such as `person12_virus_35`.

    Returns:
        What it says; None if it is of neither form.

    Example:
        >>> parse_picture_name("person12_virus_35")
        PictureName(patient_id='person12', series='person12_virus', cause='virus')
    """
    for form in _NAMES.values():
        match = form.fullmatch(name)
        if match:
            found = match.groupdict()
            person, study = found.get("person"), found.get("study")
            return PictureName(
                patient_id=f"person{int(person)}"
                if person
                else f"IM-{int(study or 0):04d}",
                series=found["series"],
                cause=found.get("cause"),
            )
    return None


def _class_folders(root: Path) -> list[str]:
    names = [f"{part}/{name}" for part in PARTS for name in CLASSES]
    return [name for name in names if (root / name).is_dir()]


def _say_copy(root: Path) -> None:
    copy = root / COPY
    if _class_folders(copy):
        logger.info("%s: a second copy of the set, left out", copy)


def _parse(picture: str, sizes: Mapping[str, int]) -> Radiograph:
    *folders, file = picture.split("/")
    if len(folders) != 2 or folders[0] not in PARTS or folders[1] not in CLASSES:
        raise RecordError(describe_outside(picture, sizes, NEEDS))
    part, folder = folders
    name = Path(file).stem
    known = parse_picture_name(name)
    if known is None or not _NAMES[folder].fullmatch(name):
        raise RecordError(
            f"the name must be as {_FORMS[folder]}. Received: {file[:40]!r}."
        )
    return Radiograph(
        patient_id=known.patient_id,
        finding=CLASSES[folder],
        source=CHEST_XRAY.name,
        details={"folder_part": part, "cause": known.cause, "series": known.series},
    )


def _note_recurring(records: RecordSet) -> RecordSet:
    patients, details = records.table["patient_id"], records.details
    notes = {
        "patients_in_several_folders": _count_recurring(patients, details),
        "series_in_several_folders": _count_recurring(details["series"], details),
    }
    logger.info(
        "%s: %s of %s; %s of the patients lie in more than one of %s "
        "(%s if causes and prefixes tell patients apart) and are kept together; "
        "no age, sex or view is known",
        records.folder,
        number_of(len(records.table), "picture"),
        number_of(patients.nunique(), "patient"),
        f"{notes['patients_in_several_folders']:,}",
        ", ".join(part for part in PARTS if (records.folder / part).is_dir()),
        f"{notes['series_in_several_folders']:,}",
    )
    return replace(records, notes=notes)


def _count_recurring(names: pd.Series, details: pd.DataFrame) -> int:
    parts = details["folder_part"].groupby(names.to_numpy()).nunique()
    return int((parts > 1).sum())
