"""NIH ChestX-ray14: the tables of 2020 and 2017, and Kaggle's sample of them.

The table's header is broken (`OriginalImage[Width,Height]` is two columns), rows
are not in file-name order within a patient, and ages differ between the two
releases in two fifths of the rows: the table's digest says which one was read.

Reference:
    Wang et al., ChestX-ray8, CVPR 2017; https://nihcc.app.box.com/v/ChestXray-NIHCC
"""

import logging
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from dualnet.data.readers.text_lines import read_lines
from dualnet.data.readers.text_table import read_text_table
from dualnet.data.record_parsing import parse_records
from dualnet.data.records import COLUMNS, TEXT, RecordSet
from dualnet.errors import RecordError
from dualnet.findings import NIH
from dualnet.wording import number_of

TABLES = ("Data_Entry_2017_v2020.csv", "Data_Entry_2017.csv", "sample_labels.csv")
OFFICIAL_LISTS = {"train_val": "train_val_list.txt", "test": "test_list.txt"}
HEADERS = {
    "Image Index": "image_id",
    "Finding Labels": "findings",
    "Follow-up #": "follow_up",
    "Patient ID": "patient_id",
    "Patient Age": "age_years",
    "Patient Gender": "sex",  # or `Patient Sex`
    "View Position": "view_position",
}
# NIH's own table of 2020 says `Patient Sex`; that of 2017 and most copies say Gender
SYNONYMS = {"patient_sex": "patient_gender"}
# as the twelve archives unpack, as Kaggle's copies do, and pictures beside the table
PICTURE_FOLDERS = ("images", "images_*/images", "images_*", "sample/images", ".")

logger = logging.getLogger(__name__)


def read_nih(
    folder: Path,
    *,
    on_bad_row: str = "error",
    pictures: Path | None = None,
    file: Path | None = None,
) -> RecordSet:
    """Reads NIH's table and finds its pictures.

    Args:
        folder: Holds one of `TABLES`; pictures lie in `images`, in
            `images_001/images` … `images_012/images`, or beside the table.
        on_bad_row: `error`, or `set_aside` to put bad rows into the rejects.
        pictures: Another folder that the pictures lie in, in the same ways; none:
            `folder`.
        file: The table, under whatever name; none: that of the folder.

    Returns:
        The records, in the table's order; `path` is NA where the picture is not on
        disk.

    Raises:
        RecordError: If there is no table.
    """
    file = file or find_nih_table(folder)
    if file is None:
        raise RecordError(
            f"{folder}: must hold NIH's table, one of {', '.join(TABLES)}. "
            "Received: none of them. Copy the table beside the pictures."
        )
    text = read_text_table(file, columns=HEADERS, normalize=_normalize)
    table, rejects = parse_records(
        text.rows,
        vocabulary=NIH,
        where=file.name,
        on_bad_row=on_bad_row,
        problems=text.problems,
    )
    found = find_pictures(pictures or folder)
    names = table["image_id"].str.lower()
    table["path"] = names.map(found).astype(TEXT)
    table["source"] = NIH.name
    unnamed = len(set(found).difference(names.tolist()))
    logger.info(
        "%s: %s, %s set aside; %s that no row names",
        file.name,
        number_of(len(table), "row"),
        f"{len(rejects):,}",
        number_of(unnamed, "picture"),
    )
    return RecordSet(
        table=table.loc[:, list(COLUMNS)],
        vocabulary=NIH,
        folder=folder,
        digests={file.name: text.digest},
        rejects=rejects,
    )


def find_nih_table(folder: Path) -> Path | None:
    """Returns the folder's table, the newest release if there are several."""
    return next((folder / name for name in TABLES if (folder / name).is_file()), None)


def has_nih_header(header: Sequence[str]) -> bool:
    """Tells whether a table's columns are those of NIH's table."""
    return {_normalize(name) for name in HEADERS} <= {*map(_normalize, header)}


def find_pictures(folder: Path) -> dict[str, str]:
    """Finds the PNG files of a dataset.

    Args:
        folder: The dataset's folder.

    Returns:
        Each picture's path by its name in lower case; where one name lies in
        several folders, the first of `PICTURE_FOLDERS` counts, and that is said.
    """
    found: dict[str, str] = {}
    repeated = 0
    for pattern in PICTURE_FOLDERS:
        for place in sorted(folder.glob(pattern)) if pattern != "." else [folder]:
            pictures = _scan(place)
            repeated += len(pictures.keys() & found.keys())
            found = {**pictures, **found}
    if repeated:
        logger.info(
            "%s: %s found twice; the first counts",
            folder,
            number_of(repeated, "picture"),
        )
    return found


def read_official_lists(folder: Path) -> dict[str, str]:
    """Reads NIH's official lists.

    Args:
        folder: Holds `train_val_list.txt` and `test_list.txt`.

    Returns:
        `train_val` or `test` by `image_id`.

    Raises:
        RecordError: If a list is absent or ill-formed, or an image is listed twice.
    """
    part_of: dict[str, str] = {}
    for part, name in OFFICIAL_LISTS.items():
        listed = _read_list(folder / name)
        twice = [image for image, count in Counter(listed).items() if count > 1]
        twice += [image for image in listed if image in part_of]
        if twice:
            raise RecordError(
                f"{name}: each image must be listed once, in one list. "
                f"Received: {twice[0]} twice. Use NIH's own lists."
            )
        part_of.update(dict.fromkeys(listed, part))
    return part_of


def _normalize(header: str) -> str:
    name = header.strip().lower().replace(" ", "_").replace("-", "_")
    return SYNONYMS.get(name, name)


def _scan(place: Path) -> dict[str, str]:
    if not place.is_dir():
        return {}
    try:
        with os.scandir(place) as entries:  # Path.iterdir is 4 times slower on 112,120
            return {
                entry.name.lower(): entry.path
                for entry in entries
                if entry.name[-4:].lower() == ".png" and not entry.name.startswith(".")
            }
    except OSError as error:
        raise RecordError(
            f"{place}: the folder of pictures must be readable. "
            f"Received: {error.strerror}. Allow it to be listed, or move it away."
        ) from error


def _read_list(file: Path) -> list[str]:
    lines = read_lines(
        file,
        where=str(file),
        expected="a readable list of file names",
        advice="Copy NIH's lists beside the table, or split by ratios.",
    )
    for number, line in enumerate(lines, start=1):
        if line.strip() and not line.strip().lower().endswith(".png"):
            raise RecordError(
                f"{file.name} line {number}: must be one PNG file's name. "
                f"Received: {line[:40]!r}. Use NIH's own lists."
            )
    listed = [line.strip() for line in lines if line.strip()]
    if not listed:
        raise RecordError(
            f"{file.name}: must name at least one image. Received: an empty list. "
            "Use NIH's own lists."
        )
    return listed
