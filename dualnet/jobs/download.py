"""`dualnet download`: a public dataset in a folder, or how a person gets it there."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from dualnet.data.download.dataset import download_release
from dualnet.data.download.release import Release, read_nih_release
from dualnet.data.download.transfer import Patience
from dualnet.data.readers import READERS, read_records
from dualnet.errors import ConfigError
from dualnet.progress import show_progress


@dataclass(frozen=True, kw_only=True)
class ByHand:
    """A dataset that only a person can download, after a login.

    Args:
        page: Where.
        archive: What the page's download is called.
        layout: What the folder looks like when the archive lies unpacked in it.
        train: The options of `dualnet train` for it.
    """

    page: str
    archive: str
    layout: tuple[str, ...]
    train: str


BY_HAND = {
    "chest_xray": ByHand(
        page="https://www.kaggle.com/datasets/paultimothymooney/chest-xray-pneumonia",
        archive="archive.zip",
        layout=(
            "chest_xray/train/NORMAL/IM-0115-0001.jpeg …",
            "chest_xray/train/PNEUMONIA/person1_bacteria_1.jpeg …",
            "chest_xray/val/…, chest_xray/test/…",
        ),
        train="--preset xnet --set model.modality=image",
    ),
    "covid_radiography": ByHand(
        page="https://www.kaggle.com/datasets/tawsifurrahman/"
        "covid19-radiography-database",
        archive="archive.zip",
        layout=(
            "COVID-19_Radiography_Dataset/COVID/images/COVID-1.png …",
            "COVID-19_Radiography_Dataset/Lung_Opacity/images/…",
            "COVID-19_Radiography_Dataset/Normal/images/…",
            "COVID-19_Radiography_Dataset/Viral Pneumonia/images/…",
            "COVID-19_Radiography_Dataset/COVID.metadata.xlsx …",
        ),
        train="--preset covid",
    ),
}


@dataclass(frozen=True, kw_only=True)
class DownloadedDataset:
    """How far a dataset is.

    Args:
        complete: Whether it lies in the folder.
        lines: What to tell a person: what lies there or what to do, then the next
            command.
    """

    complete: bool
    lines: tuple[str, ...]


def download_dataset(
    name: str,
    folder: Path,
    *,
    only: str | None = None,
    keep_archives: bool = False,
    workers: int = 4,
    release: Release | None = None,
    patience: Patience | None = None,
) -> DownloadedDataset:
    """Downloads a dataset, goes on where it was stopped, or says how a person does it.

    Args:
        name: `nih`, or one of `BY_HAND`.
        folder: The dataset's folder.
        only: Numbers of NIH's archives with commas between; none: all.
        keep_archives: Whether archives stay after they were unpacked.
        workers: How many files come at once.
        release: What NIH publishes; none: as it is known.
        patience: How long to go on with a server that fails; none: minutes.

    Returns:
        What lies there, or what to do.

    Raises:
        ConfigError: If the name or a number is not known.
    """
    if name in BY_HAND:
        if only is not None:
            raise ConfigError(
                f"--only: must be left out for {name}, which is one archive. "
                f"Received: {only!r}. Leave it out."
            )
        return _explain(name, folder)
    if name != "nih":
        raise ConfigError(
            f"dataset: must be one of nih, {', '.join(BY_HAND)}. Received: {name!r}. "
            "Other sets are read from any folder: `dualnet train --data FOLDER`."
        )
    release = release or read_nih_release()
    numbers = parse_numbers(only, last=len(release.archives))
    with show_progress("downloading", in_bytes=True) as progress:
        done = download_release(
            release,
            folder,
            numbers=numbers,
            keep_archives=keep_archives,
            workers=workers,
            patience=patience,
            progress=progress,
        )
    table = read_records(folder, format="nih").table
    return DownloadedDataset(
        complete=True,
        lines=(
            f"{done.num_tables} tables and lists, {done.num_archives} archives with "
            f"{done.num_pictures:,} pictures; came now: {done.num_new} files; left out "
            f"of archives: {done.num_others:,} files that are no pictures",
            f"radiographs in the table: {len(table):,}; without a picture here: "
            f"{int(table['path'].isna().sum()):,}",
            _next(folder, "--preset xnet", "nih"),
        ),
    )


def parse_numbers(text: str | None, *, last: int) -> tuple[int, ...] | None:
    """Reads which archives are asked for.

    Args:
        text: Numbers with commas between; none: all.
        last: The highest number.

    Returns:
        The numbers, in order; none: all.

    Raises:
        ConfigError: If they are not numbers of archives.

    Example:
        >>> parse_numbers("2, 1", last=12)
        (1, 2)
    """
    if text is None:
        return None
    words = [word.strip() for word in text.split(",")]
    if not all(re.fullmatch(r"[0-9]{1,3}", word) for word in words) or not all(
        1 <= int(word) <= last for word in words
    ):
        raise ConfigError(
            f"--only: must be numbers of archives from 1 to {last}, such as 1,2. "
            f"Received: {text!r}. Leave it out for all."
        )
    return tuple(sorted({int(word) for word in words}))


def _explain(name: str, folder: Path) -> DownloadedDataset:
    how = BY_HAND[name]
    following = _next(folder, how.train, name)
    if folder.is_dir() and READERS[name].fits(folder):
        return DownloadedDataset(
            complete=True, lines=(f"{folder}: holds {name} already", following)
        )
    place = shlex.quote(str(folder))
    return DownloadedDataset(
        complete=False,
        lines=(
            f"{name} lies behind a login, so nothing was downloaded. By hand:",
            f"1. Log in and press Download at {how.page}",
            f"2. unzip -n {how.archive} -d {place}",
            f"3. See that {folder} looks like this:",
            *(f"     {line}" for line in how.layout),
            following,
        ),
    )


def _next(folder: Path, options: str, run: str) -> str:
    return f"next: dualnet train {options} --data {shlex.quote(str(folder))} --run runs/{run}"
