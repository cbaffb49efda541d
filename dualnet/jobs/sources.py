"""What every job starts from: the configured records, their parts and their cache."""

import hashlib
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from dualnet.config import Config
from dualnet.data.cache import Cache, prepare_cache
from dualnet.data.membership import select_members
from dualnet.data.phantom import is_phantom, make_phantom
from dualnet.data.readers import read_official_lists, read_records
from dualnet.data.readers.chest_xray import name_causes
from dualnet.data.records import RecordSet, relabel
from dualnet.data.split import PARTS, check_split, split_by_ratios, split_official
from dualnet.errors import RecordError
from dualnet.findings import Vocabulary
from dualnet.progress import show_progress
from dualnet.wording import number_of

logger = logging.getLogger(__name__)

PHANTOM_FOLDER = Path("data")
CACHE_FOLDER = Path("cache")


def read_source(config: Config) -> RecordSet:
    """Reads the configured dataset; where none is named, makes and reads the phantom.

    Args:
        config: The whole configuration.

    Returns:
        The records, with rows whose picture is not on disk, without the findings
        that are excluded, or of the two classes that are asked for; paths are absolute.
    """
    data = config.data
    folder = data.path or _make_phantom(config)
    records = read_records(
        folder.absolute(),  # a run keeps the paths, and is read from any folder
        format=data.format,
        on_bad_row=data.on_bad_row,
        mapping=data.mapping,
        pictures=data.pictures and data.pictures.absolute(),
    )
    if data.classes == "cause":
        records = name_causes(records)
    if data.exclude_findings:
        records = exclude_findings(records, data.exclude_findings)
    if data.finding is not None:
        records = select_two_classes(records, data.finding, data.against)
    counts = records.counts
    logger.info(
        "%s: %s read, %s set aside, %s without a picture, %s used",
        records.folder,
        number_of(counts["read"], "row"),
        f"{counts['set_aside']:,}",
        f"{counts['without_picture']:,}",
        f"{len(records.table) - counts['without_picture']:,}",
    )
    return records


def describe_dataset(folder: Path) -> dict[str, Any]:
    """Says which dataset a folder is.

    Args:
        folder: The dataset's folder.

    Returns:
        `name`, and whether it is a `phantom`, whose radiographs are drawn.
    """
    return {"name": folder.resolve().name, "phantom": is_phantom(folder)}


def read_dataset(config: Config, certificate: Mapping[str, Any]) -> dict[str, Any]:
    """Says which dataset a run was trained on, as its certificate does.

    Args:
        config: The run's configuration.
        certificate: Its split certificate; one of before does not say, and the
            configured folder is looked at.

    Returns:
        `name`, and whether it is a `phantom`, whose radiographs are drawn.
    """
    told = certificate.get("dataset")
    if told is not None:
        return told
    if config.data.path is None:
        return {"name": "phantom", "phantom": True}
    return describe_dataset(config.data.path)


def exclude_findings(records: RecordSet, findings: Sequence[str]) -> RecordSet:
    """Leaves out, and says, the radiographs with any of some findings.

    Args:
        records: The records.
        findings: Findings of their vocabulary, which loses them too.

    Returns:
        The other records.
    """
    left = records.without(findings)
    logger.info(
        "%s of %s left out: %s",
        f"{left.num_excluded:,}",
        number_of(len(records.table), "row"),
        " or ".join(findings),
    )
    return left


def select_two_classes(
    records: RecordSet, finding: str, against: str | None
) -> RecordSet:
    """Takes the radiographs of two classes, by membership among the labels.

    Args:
        records: The records.
        finding: Every radiograph with this among its labels is of the first class.
        against: Every other radiograph with this is of the second; none: the class
            without any finding.

    Returns:
        These radiographs, each with its class as its one label. How many are of
        neither class is counted and said.

    Raises:
        RecordError: If there is no radiograph of a class.
    """
    other = records.vocabulary.negative if against is None else against
    members = select_members(
        records.table["findings"],
        records.vocabulary,
        finding=finding,
        against=other,
        options=("data.finding", "data.against"),
    )
    for name, present in ((finding, members.positive), (other, members.negative)):
        if not present.any():
            raise RecordError(
                f"{records.folder}: at least one radiograph of each class must be there. "
                f"Received: {name!r} with 0 of {number_of(len(present), 'row')}. "
                "Name another class."
            )
    logger.info(
        "%s of %s left out: neither %s nor %s; %s with both labels taken as %s",
        f"{members.num_neither:,}",
        number_of(len(records.table), "row"),
        finding,
        other,
        f"{members.both.sum():,}",
        finding,
    )
    left = records.keep(members.selected)
    whole = records.vocabulary
    return replace(
        left,
        table=relabel(left.table, members.class_names().tolist()),
        vocabulary=Vocabulary(
            name=f"{whole.name}: {finding} against {other}",
            findings=(finding,),
            negative=other,
            source=f"membership among the labels of {whole.name}: {whole.source}",
        ),
        notes={**records.notes, "of_both_classes": int(members.both.sum())},
        num_neither=members.num_neither,
    )


def split_patients(
    table: pd.DataFrame, records: RecordSet, config: Config
) -> pd.DataFrame:
    """Divides the patients as the configuration says.

    Args:
        table: The rows to divide.
        records: The dataset they are of.
        config: The whole configuration.

    Returns:
        `image_id`, `patient_id`, `part`, in the order of `table`, checked.
    """
    split = config.split
    if split.method == "official":
        parts = split_official(
            table,
            read_official_lists(records.folder),
            val=split.val,
            seed=config.seed,
            rare_findings=split.rare_findings,
        )
    else:
        parts = split_by_ratios(
            table,
            ratios={"train": split.train, "val": split.val, "test": split.test},
            seed=config.seed,
            rare_findings=split.rare_findings,
        )
    check_split(parts)
    sizes = parts["part"].value_counts()
    logger.info(
        "split by patient: %s; no patient in two parts",
        ", ".join(f"{part} {sizes[part]:,}" for part in PARTS),
    )
    return parts


def prepare(table: pd.DataFrame, config: Config, folder: Path | None) -> Cache:
    """Prepares, reuses or goes on with the cache of a records table.

    Args:
        table: Records whose picture is on disk.
        config: The whole configuration.
        folder: The dataset's folder; the cache is named after it where
            `data.cache` names none.

    Returns:
        The cache, which holds every picture of `table` that could be read.
    """
    with show_progress("preparing pictures") as progress:
        return prepare_cache(
            table,
            locate_cache(config, folder),
            image_size=config.data.image_size,
            workers=count_workers(config),
            progress=progress,
        )


def count_workers(config: Config) -> int:
    """Returns how many pictures are worked on at once: as configured, or one a core."""
    return config.data.workers or count_cores()


def count_cores() -> int:
    """Returns how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))  # a scheduler may give a process few
    return os.cpu_count() or 1


def locate_cache(config: Config, folder: Path | None) -> Path:
    """Returns where a dataset's cache lies.

    Args:
        config: The whole configuration.
        folder: The dataset's folder.

    Returns:
        `data.cache`, or a place named after the folder of the pictures.
    """
    data = config.data
    return data.cache or cache_folder(
        data.pictures or folder or Path(), data.image_size
    )


def cache_folder(folder: Path, image_size: int) -> Path:
    """Returns where the cache of a dataset lies if nobody names a place.

    Args:
        folder: The dataset's folder.
        image_size: Side of the cached pictures, in pixels.

    Returns:
        `cache/<folder's name>-<digest of its path>-<side>px`.
    """
    path = folder.resolve()
    digest = hashlib.sha256(str(path).encode()).hexdigest()[:8]
    return CACHE_FOLDER / f"{path.name}-{digest}-{image_size}px"


def keep_cached(table: pd.DataFrame, cache: Cache) -> pd.DataFrame:
    """Leaves out, and says, the rows whose picture could not be read.

    Args:
        table: Records.
        cache: Their cache.

    Returns:
        The rows whose picture the cache holds.
    """
    cached = table["image_id"].isin(cache.image_ids)
    refused = int((~cached).sum())
    if refused:
        logger.info(
            "%s of %s refused: see %s",
            f"{refused:,}",
            number_of(len(table), "picture"),
            cache.folder / "rejects.csv",
        )
    return table[cached].reset_index(drop=True)


def _make_phantom(config: Config) -> Path:
    phantom, size = config.phantom, config.data.image_size
    name = f"phantom-{phantom.images}-of-{phantom.patients}-{size}px-{phantom.seed}"
    if not phantom.record_tells:
        name += "-no-record-tells"
    if phantom.shortcut != "none":
        name += f"-{phantom.shortcut}-shortcut"
    folder = PHANTOM_FOLDER / name
    logger.info("no dataset named: using the phantom in %s", folder)
    with show_progress("drawing the phantom") as progress:
        make_phantom(
            folder,
            num_images=phantom.images,
            num_patients=phantom.patients,
            seed=phantom.seed,
            size=size,
            workers=count_workers(config),
            progress=progress,
            dependence=phantom.record_tells,
            shortcut=phantom.shortcut,
        )
    return folder
