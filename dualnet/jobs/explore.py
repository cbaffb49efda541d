"""`dualnet explore`: what a dataset holds and what it gives away, before training.

OUT/report.html      one page that holds everything; nothing is fetched
OUT/explore.json     its numbers
OUT/duplicates.csv   the pairs of pictures that are the same, or nearly so
OUT/figures/*.png    its figures
"""

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from dualnet.config import Config
from dualnet.data.cache import Cache
from dualnet.data.labels import full_labels
from dualnet.data.readers import read_official_lists
from dualnet.data.readers.nih import OFFICIAL_LISTS
from dualnet.data.records import RecordSet
from dualnet.errors import ConfigError, RecordError
from dualnet.explore.duplicates import find_duplicates
from dualnet.explore.exploration import (
    Exploration,
    Parts,
    PictureFacts,
    describe_pictures,
    explore_table,
    with_folders,
)
from dualnet.explore.pictures import measure_pictures
from dualnet.explore.stand_out import Remark, find_remarks
from dualnet.explore.summary import summarize
from dualnet.files import atomic_path, write_json
from dualnet.jobs.sources import keep_cached, prepare, read_source, split_patients
from dualnet.plots.explore_page import Samples, write_explore_report
from dualnet.progress import show_progress

SAMPLES = 6  # pictures a class
PAIRS = 6  # pairs of duplicates that are shown

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Explored:
    """What `explore_data` did.

    Args:
        report: The page.
        exploration: What was found out.
        remarks: What stands out of it.
    """

    report: Path
    exploration: Exploration
    remarks: list[Remark]


def explore_data(config: Config, folder: Path) -> Explored:
    """Explores the configured dataset and writes the report.

    Args:
        config: Names the dataset, its cache and the split.
        folder: The folder to write; an earlier report there is replaced.

    Returns:
        What was found out and where the report lies.

    Raises:
        ConfigError: If the folder is a file.
        RecordError: If the dataset has no findings.
    """
    if folder.exists() and not folder.is_dir():
        raise ConfigError(
            f"{folder}: must be a folder to write. Received: a file. "
            "Name another folder."
        )
    records = read_source(config)
    records.check_labelled()
    facts = explore_table(
        records,
        find_parts(records, config),
        test_share=config.split.test,
        seed=config.seed,
    )
    pictures, samples = None, Samples()
    if facts.counts["with_picture"]:
        cache = prepare(records.pictured(), config, records.folder)
        pictured = keep_cached(records.pictured(), cache)
        pictures = _explore_pictures(records, pictured, cache, config.seed)
        samples = _take_samples(
            records, pictured, cache, pictures.duplicates.pairs, config.seed
        )
    exploration = Exploration(
        name=_name(records.folder, config.data.pictures),
        vocabulary=records.vocabulary,
        table=facts,
        pictures=pictures,
    )
    remarks = find_remarks(exploration)
    write_json(folder / "explore.json", summarize(exploration, remarks))
    if pictures is not None:
        with atomic_path(folder / "duplicates.csv") as unfinished:
            pictures.duplicates.pairs.to_csv(unfinished, index=False)
    report = write_explore_report(folder, exploration, remarks, samples)
    return Explored(report=report, exploration=exploration, remarks=remarks)


def _name(folder: Path, pictures: Path | None) -> str:
    name = folder.resolve().name
    return f"{name}, pictures of {pictures.resolve().name}" if pictures else name


def find_parts(records: RecordSet, config: Config) -> tuple[Parts, ...]:
    """Finds the parts of a dataset that are worth comparing.

    Args:
        records: The dataset.
        config: Says how dualnet would split it.

    Returns:
        NIH's official lists where they lie beside the table; the set's own folders;
        the rows without and with a picture; the split that training would make.
    """
    found = [
        _official_parts(records),
        _folder_parts(records),
        _picture_parts(records),
        _split_parts(records, config),
    ]
    return tuple(parts for parts in found if parts is not None)


def choose_samples(
    table: pd.DataFrame, present: np.ndarray, *, number: int, seed: int
) -> np.ndarray:
    """Draws radiographs of different patients.

    Args:
        table: Records.
        present: Which rows may be drawn, bool, shape (rows,).
        number: How many at most.
        seed: Decides which.

    Returns:
        Their positions, in the table's order.
    """
    order = np.random.default_rng((seed, 4)).permutation(np.flatnonzero(present))
    patients = table["patient_id"].to_numpy("object")[order]
    _, first = np.unique(patients.astype("str"), return_index=True)
    return np.sort(order[np.sort(first)[:number]])


def _explore_pictures(
    records: RecordSet, pictured: pd.DataFrame, cache: Cache, seed: int
) -> PictureFacts:
    with show_progress("measuring pictures") as progress:
        measured = measure_pictures(pictured, cache, progress)
    with show_progress("comparing pictures") as progress:
        duplicates = find_duplicates(
            with_folders(pictured, records.details),
            measured.digests,
            measured.patterns,
            cache,
            progress,
        )
    return describe_pictures(records, pictured, measured.table, duplicates, seed=seed)


def _official_parts(records: RecordSet) -> Parts | None:
    files = [records.folder / name for name in OFFICIAL_LISTS.values()]
    if not all(file.is_file() for file in files):
        return None
    listed = read_official_lists(records.folder)
    part_of = records.table["image_id"].map(listed).to_numpy("object", na_value="")
    unlisted = int((part_of == "").sum())
    if unlisted:
        logger.info("%s radiographs are on no official list", f"{unlisted:,}")
    return _make_parts(
        "Official lists", part_of, "train_val", "test", ("train_val", "test")
    )


def _folder_parts(records: RecordSet) -> Parts | None:
    if "folder_part" not in records.details:
        return None
    folders = records.details.set_index("image_id")["folder_part"]
    part_of = folders.reindex(records.table["image_id"]).to_numpy("object")
    other = "test" if (part_of == "test").any() else "val"
    return _make_parts("The set's own folders", part_of, "train", other)


def _picture_parts(records: RecordSet) -> Parts | None:
    has = records.table["path"].notna().to_numpy()
    part_of = np.where(has, "with", "without").astype("object")
    return _make_parts(
        "Rows by picture",
        part_of,
        "without",
        "with",
        ("rows without a picture", "rows with a picture"),
    )


def _split_parts(records: RecordSet, config: Config) -> Parts | None:
    ratios = config.split.model_copy(
        update={"method": "ratios", "rare_findings": "train"}
    )
    try:
        split = split_patients(
            records.table, records, config.model_copy(update={"split": ratios})
        )
    except RecordError as error:
        logger.info("no split to compare: %s", error)
        return None
    part_of = split["part"].to_numpy("object")
    return _make_parts("Split by patient, as training would", part_of, "train", "test")


def _make_parts(
    name: str,
    part_of: np.ndarray,
    first: str,
    second: str,
    labels: tuple[str, str] | None = None,
) -> Parts | None:
    masks = part_of == first, part_of == second
    if not (masks[0].any() and masks[1].any()):
        return None
    names = labels or (first, second)
    return Parts(name=name, first=names[0], second=names[1], masks=masks)


def _take_samples(
    records: RecordSet,
    pictured: pd.DataFrame,
    cache: Cache,
    pairs: pd.DataFrame,
    seed: int,
) -> Samples:
    labels = full_labels(pictured["findings"], records.vocabulary)
    rows = cache.rows(pictured["image_id"])
    classes = {
        name: cache.read(
            rows[choose_samples(pictured, present, number=SAMPLES, seed=seed)]
        )[..., 0]
        for name, present in zip(records.vocabulary.class_names, labels.T, strict=True)
        if present.any()
    }
    # what a split by patient would part comes first
    shown = pairs.sort_values(["same_patient", "kind"], kind="stable").head(PAIRS)
    return Samples(
        classes=classes,
        pairs=shown,
        pair_pictures=np.stack(
            [
                cache.read(cache.rows(shown[side]))[..., 0]
                for side in ("first", "second")
            ],
            axis=1,
        ),
    )
