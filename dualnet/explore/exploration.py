"""All that is found out about a dataset: its table, then its pictures."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from dualnet.data.labels import full_labels
from dualnet.data.records import RecordSet
from dualnet.data.split import sample_patients
from dualnet.evaluation.intervals.bootstrap import resample_patients
from dualnet.explore.distributions import (
    count_sizes,
    describe_distribution,
    group_pictures,
)
from dualnet.explore.duplicates import Duplicates
from dualnet.explore.labels import (
    count_cooccurrence,
    count_label_strings,
    count_labels_per_radiograph,
    tabulate_findings,
)
from dualnet.explore.leakage import Leakage, count_recurring, measure_leakage
from dualnet.explore.metadata import (
    compare_prevalence,
    contrast_masks,
    count_known,
    count_per_patient,
    describe_by_class,
)
from dualnet.explore.pictures import (
    BORDER_FIELDS,
    FILE_FIELDS,
    GRAY_FIELDS,
)
from dualnet.explore.shift import collect_measures, compare_parts
from dualnet.explore.shortcuts import Probe, encode_numbers, encode_record, probe
from dualnet.findings import Vocabulary

RECORD, FILE, GRAY, BORDER = "record", "file", "gray levels", "border"
MAX_PROBED = 20_000  # rows a probe is fitted on, so that it takes seconds
RESAMPLES = 500  # of an interval that is looked at, not decided by


@dataclass(frozen=True, kw_only=True)
class Parts:
    """Two parts of a dataset that are to be compared.

    Args:
        name: What divides them.
        first: Name of the first part.
        second: Name of the second part.
        masks: The rows of each, bool, shape (rows,).
    """

    name: str
    first: str
    second: str
    masks: tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True, kw_only=True)
class Shift:
    """How two parts differ.

    Args:
        parts: Which parts.
        table: As `compare_parts` returns it.
    """

    parts: Parts
    table: pd.DataFrame


@dataclass(frozen=True, kw_only=True)
class TableFacts:
    """What the table alone tells; its columns are described where they are made.

    Args:
        counts: Rows read, left out and used, patients, label strings.
        known: Of how many radiographs each metadata field is known.
        strings: From `count_label_strings`.
        labels_per_radiograph: From `count_labels_per_radiograph`.
        findings: From `tabulate_findings`.
        cooccurrence: From `count_cooccurrence`.
        by_class: From `describe_by_class`.
        contrasts: From `compare_prevalence`, by contrast.
        per_patient: From `count_per_patient`.
        leakage: What a split by picture leaks; None where each patient has one.
        recurring: From `count_recurring`; None where there are no folders.
        shifts: The parts that were compared.
        record: What the record alone tells; None where it tells nothing.
    """

    counts: Mapping[str, int]
    known: Mapping[str, int]
    strings: pd.DataFrame
    labels_per_radiograph: Mapping[int, int]
    findings: pd.DataFrame
    cooccurrence: np.ndarray
    by_class: pd.DataFrame
    contrasts: Mapping[str, pd.DataFrame]
    per_patient: pd.DataFrame
    leakage: Leakage | None
    recurring: pd.DataFrame | None
    shifts: tuple[Shift, ...]
    record: Probe | None


@dataclass(frozen=True, kw_only=True)
class PictureFacts:
    """What the pictures tell.

    Args:
        num_pictures: How many were measured.
        num_refused: How many could not be read.
        sizes: From `count_sizes`.
        distributions: From `describe_distribution`, by kind of group (`class`,
            `source`) and measure.
        duplicates: Exact and near ones.
        probes: What file, gray levels and border alone tell.
    """

    num_pictures: int
    num_refused: int
    sizes: pd.DataFrame
    distributions: Mapping[str, Mapping[str, pd.DataFrame]]
    duplicates: Duplicates
    probes: tuple[Probe, ...]


@dataclass(frozen=True, kw_only=True)
class Exploration:
    """All that is found out about a dataset.

    Args:
        name: The dataset's short name.
        vocabulary: Its labels.
        table: What the table tells.
        pictures: What the pictures tell; None where there is none.
    """

    name: str
    vocabulary: Vocabulary
    table: TableFacts
    pictures: PictureFacts | None

    @property
    def probes(self) -> tuple[Probe, ...]:
        """All probes, the record's first."""
        record = () if self.table.record is None else (self.table.record,)
        return (*record, *(self.pictures.probes if self.pictures else ()))


def explore_table(
    records: RecordSet,
    parts: tuple[Parts, ...],
    *,
    test_share: float,
    seed: int,
    num_resamples: int = RESAMPLES,
) -> TableFacts:
    """Finds out what the table tells, pictures or not.

    Args:
        records: The dataset.
        parts: What is to be compared, masks over its rows.
        test_share: Of the split by picture that is warned of.
        seed: Decides the draws.
        num_resamples: Of the patient bootstrap.

    Returns:
        The facts.
    """
    table, vocabulary = records.table, records.vocabulary
    labels = full_labels(table["findings"], vocabulary)
    findings = np.array([n != vocabulary.negative for n in vocabulary.class_names])
    resamples = resample_patients(
        table["patient_id"].to_numpy("str"), num_resamples=num_resamples, seed=seed
    )
    strings = count_label_strings(table["findings"])
    names, values = collect_measures(table, vocabulary)
    patients = table["patient_id"].nunique()
    return TableFacts(
        counts={
            **records.counts,
            "radiographs": len(table),
            "patients": patients,
            "with_picture": len(table) - records.num_without_picture,
            "label_strings": len(strings),
        },
        known=count_known(table),
        strings=strings,
        labels_per_radiograph=count_labels_per_radiograph(table["findings"]),
        findings=tabulate_findings(table, vocabulary),
        cooccurrence=count_cooccurrence(labels),
        by_class=describe_by_class(table, vocabulary),
        contrasts={
            name: compare_prevalence(labels, masks, vocabulary.class_names, resamples)
            for name, masks in contrast_masks(table).items()
        },
        per_patient=count_per_patient(table),
        leakage=measure_leakage(
            table["patient_id"], labels[:, findings], test_share=test_share, seed=seed
        )
        if 1 < patients < len(table) and round(test_share * len(table)) > 0
        else None,
        recurring=_count_recurring(records),
        shifts=tuple(
            Shift(parts=one, table=compare_parts(names, values, one.masks, resamples))
            for one in parts
        ),
        record=_probe_record(table, vocabulary, seed=seed, num_resamples=num_resamples),
    )


def describe_pictures(
    records: RecordSet,
    pictured: pd.DataFrame,
    measures: pd.DataFrame,
    duplicates: Duplicates,
    *,
    seed: int,
    num_resamples: int = RESAMPLES,
) -> PictureFacts:
    """Finds out what the measures of pictures tell.

    Args:
        records: The dataset.
        pictured: Its rows whose picture was measured.
        measures: As `Pictures.table`, in the order of `pictured`.
        duplicates: What was found among them.
        seed: Decides the draws.
        num_resamples: Of the patient bootstrap.

    Returns:
        The facts.
    """
    groups = group_pictures(pictured, records.vocabulary)
    shown = {
        "brightness": measures["brightness"].to_numpy(),
        "contrast": measures["contrast"].to_numpy(),
        "kilobytes": measures["num_bytes"].to_numpy() / 1000,
        "megapixels": (measures["width"] * measures["height"]).to_numpy() / 1e6,
    }
    return PictureFacts(
        num_pictures=len(pictured),
        num_refused=len(records.table) - records.num_without_picture - len(pictured),
        sizes=count_sizes(measures, groups["class"]),
        distributions={
            kind: {
                name: describe_distribution(values, masks)
                for name, values in shown.items()
            }
            for kind, masks in groups.items()
        },
        duplicates=duplicates,
        probes=_probe_pictures(
            pictured,
            measures,
            records.vocabulary,
            seed=seed,
            num_resamples=num_resamples,
        ),
    )


def with_folders(table: pd.DataFrame, details: pd.DataFrame) -> pd.DataFrame:
    """Adds the folder that each picture came in, where the dataset has such.

    Args:
        table: Records.
        details: As `RecordSet.details`.

    Returns:
        The records, with `folder_part` if the dataset came in folders of parts.
    """
    if "folder_part" not in details:
        return table
    folders = details.set_index("image_id")["folder_part"]
    return table.assign(folder_part=folders.reindex(table["image_id"]).to_numpy())


def _count_recurring(records: RecordSet) -> pd.DataFrame | None:
    if "folder_part" not in records.details:
        return None
    rows = with_folders(records.table, records.details)
    return count_recurring(rows["patient_id"], rows["folder_part"])


def _probe_record(
    table: pd.DataFrame, vocabulary: Vocabulary, **options: Any
) -> Probe | None:
    rows = sample_patients(table, num_images=MAX_PROBED, seed=options["seed"])
    fields, encode = encode_record(rows)
    if not fields or rows["patient_id"].nunique() < 2:
        return None
    return probe(RECORD, fields, encode, rows, vocabulary, **options)


def _probe_pictures(
    table: pd.DataFrame,
    measures: pd.DataFrame,
    vocabulary: Vocabulary,
    **options: Any,
) -> tuple[Probe, ...]:
    rows = sample_patients(
        table.reset_index(drop=True), num_images=MAX_PROBED, seed=options["seed"]
    )
    if rows["patient_id"].nunique() < 2:
        return ()
    values = measures.set_index("image_id").loc[rows["image_id"].tolist()]
    files = np.log(values[list(FILE_FIELDS)].astype("float64"))
    files["color"] = (values["mode"] != "L").astype("float64")
    sets = {
        FILE: files,
        GRAY: values[list(GRAY_FIELDS)],
        BORDER: values[list(BORDER_FIELDS)],
    }
    return tuple(
        probe(
            name,
            tuple(numbers.columns),
            encode_numbers(numbers),
            rows,
            vocabulary,
            **options,
        )
        for name, numbers in sets.items()
    )
