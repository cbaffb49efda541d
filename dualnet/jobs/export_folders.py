"""`dualnet export-folders`: one folder a class, for code that reads folders.

OUT/Pneumothorax/00000013_005.png     or, with `--split`, by patient:
OUT/train/No_Finding/00000001_000.png
OUT/folders.csv                       image_id, patient_id, class, part, file
"""

import logging
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from dualnet.config import Config
from dualnet.data.membership import Membership, select_members
from dualnet.data.readers.dicom import is_dicom_file
from dualnet.data.readers.dicom_header import SUFFIXES
from dualnet.data.records import RecordSet
from dualnet.errors import ConfigError, RecordError
from dualnet.files import atomic_folder
from dualnet.jobs.sources import read_source, split_patients
from dualnet.wording import number_of

TABLE = "folders.csv"

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class ExportedFolders:
    """What went into the folders, and what did not.

    Args:
        folder: Where they lie.
        table: One row a picture, as in `folders.csv`: `image_id`, `patient_id`,
            `class`, `part` (empty if not split), `file` (below `folder`).
        num_neither: Radiographs left out, having neither label.
        num_both: Pictures with both labels, which went to the finding.
        num_without_picture: Radiographs of the two classes with no picture on disk.
    """

    folder: Path
    table: pd.DataFrame
    num_neither: int
    num_both: int
    num_without_picture: int

    def lines(self) -> list[str]:
        """Returns what to tell a person, one line a folder, then what was left out."""
        folders = [str(Path(file).parent) for file in self.table["file"]]
        counts = self.table.groupby(folders)["patient_id"]
        return [
            *(
                f"{name}: {number_of(len(rows), 'picture')} of "
                f"{number_of(rows.nunique(), 'patient')}"
                for name, rows in counts
            ),
            f"left out: {number_of(self.num_neither, 'radiograph')} with neither label, "
            f"{self.num_without_picture:,} without a picture",
            f"with both labels, so in the folder of the finding: {self.num_both:,}",
        ]


def export_folders(
    config: Config,
    folder: Path,
    *,
    finding: str,
    against: str,
    copy: bool = False,
    split: bool = False,
) -> ExportedFolders:
    """Sorts the pictures of a two-class task into one folder a class.

    The folders are made beside their place and renamed when they are whole. Pictures
    are linked by their absolute path, so that the folders may be moved and renamed;
    the dataset itself has to stay where it is.

    Args:
        config: Names the dataset, and with `split` its ratios and the seed.
        folder: The folder to write; absent or empty.
        finding: The class of radiographs with this among their labels.
        against: The class of the others, such as `No Finding`.
        copy: Whether to copy the pictures, so that nothing refers to the dataset.
        split: Whether to make `train`, `val` and `test` folders that share no patient.

    Returns:
        What went where.
    """
    _check_vacant(folder)
    records = read_source(config)
    records.check_labelled()
    members = select_members(
        records.table["findings"], records.vocabulary, finding=finding, against=against
    )
    chosen = records.table.assign(both=members.both)[members.selected]
    chosen = chosen.assign(**{"class": members.class_names()})
    pictured = chosen[chosen["path"].notna()].reset_index(drop=True)
    _check_classes(pictured, records, members)
    table = _name_files(pictured, _divide(pictured, records, config) if split else None)
    with atomic_folder(folder) as unfinished:
        _place(pictured["path"].tolist(), table["file"].tolist(), unfinished, copy=copy)
        table.to_csv(unfinished / TABLE, index=False)
    return ExportedFolders(
        folder=folder,
        table=table,
        num_neither=members.num_neither,
        num_both=int(pictured["both"].sum()),
        num_without_picture=len(chosen) - len(pictured),
    )


def name_folder(class_name: str) -> str:
    """Names the folder of a class: what a shell would have to quote becomes `_`.

    Args:
        class_name: The class.

    Returns:
        The folder's name.

    Example:
        >>> name_folder("No Finding")
        'No_Finding'
    """
    return re.sub(r"[^\w.-]", "_", class_name)


def _check_vacant(folder: Path) -> None:
    if folder.is_dir() and not any(folder.iterdir()):
        return
    if folder.exists() or folder.is_symlink():
        received = "a folder with files in it" if folder.is_dir() else "a file"
        raise ConfigError(
            f"{folder}: must be absent or empty. Received: {received}. "
            "Name another folder."
        )


def _check_classes(
    pictured: pd.DataFrame, records: RecordSet, members: Membership
) -> None:
    for name in (members.finding, members.against):
        if name not in set(pictured["class"]):
            labelled = members.positive if name == members.finding else members.negative
            raise RecordError(
                f"{records.folder}: at least one radiograph of each class must have "
                f"its picture. Received: {name!r} with "
                f"{number_of(labelled.sum(), 'row')}, "
                "0 pictures. Unpack more pictures, or name another class."
            )


def _divide(pictured: pd.DataFrame, records: RecordSet, config: Config) -> pd.Series:
    """Deals patients to parts, stratified by the two classes alone."""
    one_label = pictured["class"].map(lambda name: (name,))
    two = pictured.assign(findings=one_label)
    return split_patients(two, records, config)["part"]


def _name_files(pictured: pd.DataFrame, parts: pd.Series | None) -> pd.DataFrame:
    table = pictured[["image_id", "patient_id", "class"]].assign(
        part="" if parts is None else parts
    )
    folders = table["class"].map(name_folder)
    if parts is not None:
        folders = table["part"] + "/" + folders
    names = map(_name_file, table["image_id"], pictured["path"])
    return table.assign(
        file=[f"{folder}/{name}" for folder, name in zip(folders, names, strict=True)]
    )


def _name_file(image_id: str, source: str) -> str:
    """A radiograph's name; of DICOM, where it is an identifier, with `.dcm` behind."""
    if image_id.lower().endswith(SUFFIXES) or not is_dicom_file(Path(source)):
        return image_id
    return f"{image_id}.dcm"


def _place(sources: list[str], files: list[str], folder: Path, *, copy: bool) -> None:
    for name in sorted({Path(file).parent for file in files}):
        (folder / name).mkdir(parents=True)
    for source, file in zip(sources, files, strict=True):
        if copy:
            shutil.copyfile(source, folder / file)
        else:
            # not resolved: a dataset that is reached by a link may move behind it
            (folder / file).symlink_to(Path(source).absolute())
