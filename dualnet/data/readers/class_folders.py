"""Pictures that lie in a folder of their class: what the readers of such sets share."""

import logging
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import pandas as pd

from dualnet.data.readers.folders import walk_files
from dualnet.data.record_parsing import check_on_bad_row
from dualnet.data.records import REJECT_COLUMNS, TEXT, RecordSet, make_table
from dualnet.errors import RecordError
from dualnet.findings import Vocabulary
from dualnet.wording import describe_more, number_of

SUFFIXES = (".jpeg", ".jpg", ".png")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Radiograph:
    """What a picture's place and name say of it.

    Args:
        patient_id: Whose it is.
        finding: Its class, under the vocabulary's name.
        source: Where it comes from.
        details: What the dataset says besides, by column.
    """

    patient_id: str
    finding: str
    source: str
    details: Mapping[str, str | None] = field(default_factory=dict)


def scan_pictures(root: Path, *, skip: Collection[str] = ()) -> list[str]:
    """Finds the pictures below a folder.

    Args:
        root: The dataset's root.
        skip: Names of folders to leave out; hidden files and folders, and what
            macOS packs into a zip, are left out too.

    Returns:
        Their paths below `root`, parted by `/`, sorted. How many other files lie
        there is said.

    Raises:
        RecordError: If a folder cannot be listed.
    """
    files = list(walk_files(root, skip=skip))
    found = [file for file in files if file.lower().endswith(SUFFIXES)]
    others = len(files) - len(found)
    if others:
        logger.info("%s: %s left out, no picture", root, number_of(others, "file"))
    return sorted(found)


def check_class_folders(
    root: Path, folders: Sequence[str], pictures: Sequence[str]
) -> None:
    """Checks that there are pictures, and some in each class folder that is there.

    Args:
        root: The dataset's root.
        folders: Class folders below it that are there.
        pictures: As `scan_pictures` finds them.

    Raises:
        RecordError: If a class folder is empty, or there is no picture at all.
    """
    for folder in folders:
        if not any(picture.startswith(f"{folder}/") for picture in pictures):
            raise RecordError(
                f"{root}: the class folder {folder} must hold at least one picture "
                f"({', '.join(SUFFIXES)}). Received: 0. "
                "Copy its pictures again, or remove the folder."
            )
    if not pictures:
        raise RecordError(
            f"{root}: must hold pictures ({', '.join(SUFFIXES)}) in class folders. "
            "Received: 0. Unpack the dataset again."
        )


def count_by_folder(pictures: Sequence[str]) -> Counter[str]:
    """Returns how many pictures each folder holds, by its path below the root."""
    return Counter(str(PurePosixPath(picture).parent) for picture in pictures)


def describe_outside(picture: str, sizes: Mapping[str, int], needs: str) -> str:
    """Says why a picture that is in no class folder has no class.

    Args:
        picture: Its path below the root.
        sizes: As `count_by_folder` counts them.
        needs: The class folders, for the error.

    Returns:
        The reason, with the folder and how many pictures it holds.
    """
    folder = str(PurePosixPath(picture).parent)
    return (
        f"must lie in a class folder ({needs}). "
        f"Received: {folder!r}, which holds {number_of(sizes[folder], 'picture')}."
    )


def make_records(
    root: Path,
    pictures: Sequence[str],
    parse: Callable[[str], Radiograph],
    *,
    vocabulary: Vocabulary,
    on_bad_row: str,
) -> RecordSet:
    """Makes records of pictures; age, sex, view and follow-up are unknown.

    Args:
        root: The dataset's root.
        pictures: Their paths below it, which become the `image_id`.
        parse: What such a path says; `RecordError` with the reason if nothing.
        vocabulary: Of the findings.
        on_bad_row: `error`, or `set_aside` to put bad pictures into the rejects.

    Returns:
        The records, in the order of `pictures`.

    Raises:
        RecordError: If a picture is bad and not to be set aside, or none is good.
    """
    check_on_bad_row(on_bad_row)
    good: dict[str, Radiograph] = {}
    reasons: dict[str, str] = {}
    for picture in pictures:
        try:
            good[picture] = parse(picture)
        except RecordError as error:
            reasons[picture] = str(error)
    _check_reasons(root, reasons, num_good=len(good), on_bad_row=on_bad_row)
    details = [{"image_id": name, **one.details} for name, one in good.items()]
    return RecordSet(
        table=_make_table(root, good),
        vocabulary=vocabulary,
        folder=root,
        rejects=_make_rejects(reasons),
        details=pd.DataFrame(details, dtype=TEXT),
    )


def _check_reasons(
    root: Path, reasons: Mapping[str, str], *, num_good: int, on_bad_row: str
) -> None:
    if not reasons:
        return
    if on_bad_row == "error":
        picture, reason = next(iter(reasons.items()))
        raise RecordError(
            f"{root}: {picture}: {reason} "
            f"{describe_more(len(reasons) - 1, 'picture')}"
            "Move it away, or set bad ones aside with data.on_bad_row=set_aside."
        )
    if not num_good:
        raise RecordError(
            f"{root}: must hold at least one good picture. "
            f"Received: {number_of(len(reasons), 'bad one')}. "
            "Use the dataset's own folders."
        )
    folders = count_by_folder(list(reasons))
    listed = ", ".join(f"{count:,} of {name}" for name, count in folders.items())
    logger.info("%s: pictures set aside: %s", root, listed)


def _make_table(root: Path, radiographs: Mapping[str, Radiograph]) -> pd.DataFrame:
    rows = list(radiographs.values())
    return make_table(
        image_id=list(radiographs),
        path=[str(root / name) for name in radiographs],
        patient_id=[row.patient_id for row in rows],
        findings=[(row.finding,) for row in rows],
        source=[row.source for row in rows],
    )


def _make_rejects(reasons: Mapping[str, str]) -> pd.DataFrame:
    rejects = pd.DataFrame(
        {"image_id": list(reasons), "line": pd.NA, "reason": list(reasons.values())}
    )
    return rejects.loc[:, list(REJECT_COLUMNS)]
