"""The COVID-19 Radiography Database: a folder a class, from many hospitals.

Each of `COVID`, `Lung_Opacity`, `Normal` and `Viral Pneumonia` holds `images/` (older
releases: the pictures themselves) and `masks/`, which are not read. `COVID.metadata.xlsx`
and its siblings name the web page that each picture was taken from; it becomes `source`.

**The database does not say whose a picture is.** Each counts as a patient of its own, so
that pictures of one patient may lie in two parts of a split, and scores may be too good.
Age, sex and view are not told either, and the class goes with the hospital, the scanner
and the age: `Normal` and `Viral Pneumonia` are children.

A copy may hold `provenance.csv` (`class,file,origin`), the name that each picture had
before. Where that is a name of Kermany's set, it tells the patient.

Reference:
    Chowdhury et al., Can AI help in screening viral and COVID-19 pneumonia?, IEEE Access
    8, 2020; Rahman et al., Computers in Biology and Medicine 132, 2021;
    https://www.kaggle.com/datasets/tawsifurrahman/covid19-radiography-database
"""

import hashlib
import importlib.util
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from dualnet.data.readers.chest_xray import parse_picture_name
from dualnet.data.readers.class_folders import (
    Radiograph,
    check_class_folders,
    count_by_folder,
    describe_outside,
    make_records,
    scan_pictures,
)
from dualnet.data.readers.text_table import read_text_table
from dualnet.data.records import RecordSet
from dualnet.errors import RecordError
from dualnet.findings import COVID_RADIOGRAPHY
from dualnet.wording import describe_more, number_of

CLASSES = {
    "COVID": "COVID",
    "Lung_Opacity": "Lung_Opacity",
    "Normal": "Normal",
    "Viral Pneumonia": "Viral_Pneumonia",
}
TELLING = ("COVID", "Lung_Opacity", "Viral Pneumonia")  # a `Normal` alone tells nothing
PLACES = (".", "COVID-19_Radiography_Dataset")
PROVENANCE = "provenance.csv"
NEEDS = "COVID, Normal, Viral Pneumonia or Lung_Opacity"

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Origins:
    """What the tables beside the pictures say, by class folder and name in lower case.

    Args:
        pages: The web page that a picture was taken from.
        names: The name that a picture had before.
        digests: SHA-256 of each table.
    """

    pages: Mapping[tuple[str, str], str]
    names: Mapping[tuple[str, str], str]
    digests: Mapping[str, str]


def read_covid_radiography(folder: Path, *, on_bad_row: str = "error") -> RecordSet:
    """Reads the database's class folders.

    Args:
        folder: Holds the class folders, or `COVID-19_Radiography_Dataset` which does.
        on_bad_row: `error`, or `set_aside` to put pictures of an unknown class folder
            into the rejects. Names of pictures are not interpreted.

    Returns:
        The records; `image_id` is the path below the folder that holds the classes.
        `notes` count the pictures whose patient is not known.

    Raises:
        RecordError: If there is no such folder, a class folder is empty, a picture has
            no known class, or a table beside them cannot be read.
    """
    root = find_covid_radiography(folder)
    if root is None:
        raise RecordError(
            f"{folder}: must hold the database's class folders, {NEEDS}. "
            "Received: none of them. Name the folder that holds them."
        )
    pictures = scan_pictures(root, skip=("masks",))
    classes = [name for name in CLASSES if (root / name).is_dir()]
    check_class_folders(root, classes, pictures)
    origins, sizes = _read_origins(root), count_by_folder(pictures)
    records = make_records(
        root,
        pictures,
        lambda picture: _parse(picture, sizes, origins),
        vocabulary=COVID_RADIOGRAPHY,
        on_bad_row=on_bad_row,
    )
    return _note_unknown(replace(records, digests=origins.digests))


def find_covid_radiography(folder: Path) -> Path | None:
    """Returns the folder that holds the class folders; none if there is none."""
    places = [folder / place for place in PLACES]
    return next(
        (p for p in places if any((p / name).is_dir() for name in TELLING)), None
    )


def _parse(picture: str, sizes: Mapping[str, int], origins: Origins) -> Radiograph:
    *folders, file = picture.split("/")
    folder = folders[0] if folders else ""
    if folder not in CLASSES or folders[1:] not in ([], ["images"]):
        raise RecordError(describe_outside(picture, sizes, NEEDS))
    key = (folder.lower(), Path(file).stem.lower())
    origin = origins.names.get(key)
    known = parse_picture_name(Path(origin).stem) if origin else None
    return Radiograph(
        patient_id=known.patient_id if known else picture,
        finding=CLASSES[folder],
        source=origins.pages.get(key, COVID_RADIOGRAPHY.name),
        details={"origin": origin} if origins.names else {},
    )


def _note_unknown(records: RecordSet) -> RecordSet:
    table = records.table
    unknown = int((table["patient_id"] == table["image_id"]).sum())
    logger.info(
        "%s: %s; the patient of %s is not known: each counts as a patient of "
        "its own, and one patient's pictures may lie in two parts; no age, sex or view "
        "is known",
        records.folder,
        number_of(len(table), "picture"),
        f"{unknown:,}",
    )
    return replace(records, notes={"pictures_without_patient": unknown})


def _read_origins(root: Path) -> Origins:
    pages: dict[tuple[str, str], str] = {}
    digests: dict[str, str] = {}
    for name in CLASSES:
        file = root / f"{name}.metadata.xlsx"
        if file.is_file():
            found = _read_pages(file)
            pages |= {(name.lower(), key): page for key, page in found.items()}
            digests[file.name] = hashlib.sha256(file.read_bytes()).hexdigest()
    names: Mapping[tuple[str, str], str] = {}
    if (root / PROVENANCE).is_file():
        names, digests[PROVENANCE] = _read_provenance(root / PROVENANCE)
    return Origins(pages=pages, names=names, digests=digests)


def _read_provenance(file: Path) -> tuple[dict[tuple[str, str], str], str]:
    """Returns the name that each picture had before, and the table's SHA-256."""
    columns = {"class": "class", "file": "file", "origin": "origin"}
    text = read_text_table(file, columns=columns)
    if text.problems:  # a line that is passed over would hide a patient
        line = min(text.problems)
        more = describe_more(len(text.problems) - 1, "line")
        raise RecordError(
            f"{file.name} line {line}: {text.problems[line]} {more}"
            "Correct the line, or move the table away."
        )
    rows = text.rows.apply(lambda column: column.str.strip())
    keys = zip(rows["class"].str.lower(), rows["file"].str.lower(), strict=True)
    return dict(zip(keys, rows["origin"], strict=True)), text.digest


def _read_pages(file: Path) -> dict[str, str]:
    """Returns the web page of each picture, by its name in lower case."""
    if importlib.util.find_spec("openpyxl") is None:
        raise RecordError(
            f"{file.name}: openpyxl must be there to read it. Received: no such "
            'package. Install "dualnet[excel]", or move the table away.'
        )
    try:
        table = pd.read_excel(file, dtype="str", na_filter=False)
    except Exception as error:  # openpyxl raises what zipfile and its XML parser raise
        raise RecordError(
            f"{file.name}: must be a readable Excel table. "
            f"Received: {type(error).__name__}. Copy it again, or move it away."
        ) from error
    columns = {str(name).strip().upper(): name for name in table.columns}
    missing = [name for name in ("FILE NAME", "URL") if name not in columns]
    if missing:
        raise RecordError(
            f"{file.name}: the header must name the columns FILE NAME and URL. "
            f"Received: no {missing[0]}. Use the database's own table."
        )
    names = table[columns["FILE NAME"]].str.strip().str.lower()
    pages = zip(names, table[columns["URL"]].str.strip(), strict=True)
    return {name: page for name, page in pages if page}
