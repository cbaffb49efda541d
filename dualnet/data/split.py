"""Patients to parts, train, val and test never sharing one; and the certificate of it.

How patients are dealt is in `dualnet.data.patients`.
"""

import hashlib
import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from dualnet.data.labels import label_matrix
from dualnet.data.patients import Deal, Patients, gather_patients
from dualnet.data.records import SEXES, VIEW_POSITIONS
from dualnet.errors import ConfigError, RecordError
from dualnet.wording import number_of

PARTS = ("train", "val", "test")
RARE_FINDINGS = ("refuse", "train")

logger = logging.getLogger(__name__)


def split_by_ratios(
    table: pd.DataFrame,
    *,
    ratios: Mapping[str, float],
    seed: int,
    rare_findings: str = "refuse",
) -> pd.DataFrame:
    """Divides the patients of a table, stratified by each one's rarest finding.

    The order of the rows makes no difference.

    Args:
        table: Records.
        ratios: Each part's share of the radiographs, summing to 1.
        seed: Decides which patient goes where.
        rare_findings: For a finding with fewer patients than there are parts:
            `refuse`, or `train` to put its patients there.

    Returns:
        `image_id`, `patient_id`, `part`, in the table's order. Each finding that
        has as many patients as there are parts is in every part.

    Raises:
        ConfigError: If the ratios are not shares of the three parts.
    """
    total = sum(ratios.values())
    if {*ratios} != {*PARTS} or min(ratios.values()) <= 0 or abs(total - 1) > 1e-6:
        raise ConfigError(
            f"split: the ratios of {', '.join(PARTS)} must be above 0 and sum to 1. "
            f"Received: {dict(ratios)}. Set split.train, split.val and split.test."
        )
    return _finish(table, _divide(table, ratios, seed, rare_findings))


def split_official(
    table: pd.DataFrame,
    lists: Mapping[str, str],
    *,
    val: float,
    seed: int,
    rare_findings: str = "refuse",
) -> pd.DataFrame:
    """Divides a table as NIH's lists say, and draws val from train_val by patient.

    Args:
        table: Records.
        lists: `train_val` or `test` by `image_id`.
        val: Share of train_val's radiographs that val gets, stratified.
        seed: Decides which patients are drawn.
        rare_findings: As in `split_by_ratios`; the parts are train and val, since
            the lists decide on test.

    Returns:
        `image_id`, `patient_id`, `part`, in the table's order.

    Raises:
        RecordError: If an image is on no list.
    """
    images = table["image_id"].tolist()
    listed = np.array([lists.get(image, "") for image in images], dtype="object")
    unlisted = [image for image in images if image not in lists]
    if unlisted:
        raise RecordError(
            "split: each image must be on an official list. Received: "
            f"{len(unlisted):,} that are not, the first {unlisted[0]}. "
            "Use the lists of this release, or split.method=ratios."
        )
    ratios = {"train": 1 - val, "val": val}
    open_rows = listed == "train_val"
    listed[open_rows] = _divide(table.loc[open_rows], ratios, seed, rare_findings)
    return _finish(table, listed)


def sample_patients(table: pd.DataFrame, *, num_images: int, seed: int) -> pd.DataFrame:
    """Draws whole patients, stratified by each one's rarest finding.

    Args:
        table: Records.
        num_images: How many rows are wanted; never more are drawn, and as few less
            as whole patients allow.
        seed: Decides who is drawn.

    Returns:
        The rows of the patients drawn, in the table's order; the whole table if it
        has no more than `num_images` rows.

    Raises:
        RecordError: If `num_images` is too small for any patient.
    """
    if num_images >= len(table):
        return table
    patients = gather_patients(table)
    share = num_images / len(table)
    deal = Deal(patients, [share, 1 - share], seed=(seed, 1))
    deal.deal(cover=False)
    drawn = _fit(deal.part == 0, patients.sizes, deal.order[::-1], num_images)
    if not drawn.any():
        raise RecordError(
            f"sample: must be at least {patients.sizes.min()}, the radiographs of "
            f"the patient with the fewest. Received: {num_images}. Sample more."
        )
    return table.loc[drawn[patients.codes]].reset_index(drop=True)


def check_split(split: pd.DataFrame) -> None:
    """Checks that every part has radiographs and that no patient is in two.

    Args:
        split: `image_id`, `patient_id`, `part`.

    Raises:
        RecordError: If a part is empty or not known, or patients are shared.
    """
    sizes = split["part"].value_counts().to_dict()
    unknown = sorted(set(sizes).difference(PARTS), key=str)
    if unknown:
        raise RecordError(
            f"split: part must be one of {', '.join(PARTS)}. "
            f"Received: part={unknown[0]!r}. Correct the split."
        )
    empty = [part for part in PARTS if not sizes.get(part)]
    if empty:
        raise RecordError(
            f"split: each part must hold at least one radiograph. Received: {empty[0]} "
            f"with 0 of {len(split):,}. Use more patients, or other ratios."
        )
    shared = count_shared_patients(split)
    if shared:
        raise RecordError(
            "split: no patient may be in two parts. "
            f"Received: {number_of(shared, 'shared patient')}. Split by patient."
        )


def count_shared_patients(split: pd.DataFrame) -> int:
    """Returns how many patients are in more than one part."""
    pairs = split.loc[:, ["patient_id", "part"]].drop_duplicates()
    return len(pairs) - pairs["patient_id"].nunique()


def make_certificate(
    split: pd.DataFrame,
    table: pd.DataFrame,
    *,
    config_values: Mapping[str, object],
    digests: Mapping[str, str],
    targets_dropped: pd.DataFrame,
    counts: Mapping[str, int],
) -> dict[str, Any]:
    """Describes a split, so that another one can be told from it.

    Args:
        split: `image_id`, `patient_id`, `part`.
        table: Records of the same images.
        config_values: Method, ratios, seed and what else decided the split.
        digests: SHA-256 of each table that was read, by its file name.
        targets_dropped: What the label rule dropped, as in `Targets.dropped`.
        counts: Rows read, without a picture, set aside, used.

    Returns:
        Plain values for `split.json`; the same split gives the same bytes. Shares
        are rounded to six places, `split_sha256` is that of `split.csv`.

    Raises:
        RecordError: If the two tables are not of the same images.
    """
    # lists: pandas walks a text column ten times slower
    part_of = dict(zip(split["image_id"].tolist(), split["part"].tolist(), strict=True))
    images = table["image_id"].tolist()
    if part_of.keys() != set(images):
        raise RecordError(
            "split: must be of the images in the records. Received: "
            f"{len(split):,} split and {number_of(len(table), 'record')}. Split these records."
        )
    dropped = targets_dropped.astype("object").where(targets_dropped.notna(), None)
    names = {name for names in set(table["findings"]) for name in names}
    findings = sorted(names.union(targets_dropped["finding"]))
    parts = np.array([part_of[image] for image in images])
    return {
        "split": dict(config_values),
        "tables_sha256": dict(digests),
        "split_sha256": hashlib.sha256(split.to_csv(index=False).encode()).hexdigest(),
        "counts": dict(counts),
        "shared_patients": count_shared_patients(split),
        "parts": {
            part: _describe_part(table.loc[parts == part], findings) for part in PARTS
        },
        "label_rule_dropped": dropped.to_dict("records"),
    }


def _describe_part(rows: pd.DataFrame, findings: Sequence[str]) -> dict[str, Any]:
    prevalence = label_matrix(rows.loc[:, "findings"], findings).sum(axis=0).tolist()
    return {
        "radiographs": len(rows),
        "patients": rows["patient_id"].nunique(),
        "findings": _count_shares(dict(zip(findings, prevalence, strict=True)), rows),
        "view_position": _count_values(rows, "view_position", VIEW_POSITIONS),
        "sex": _count_values(rows, "sex", SEXES),
        "age_years": _summarize(rows, "age_years"),
        "follow_up": _summarize(rows, "follow_up"),
    }


def _count_values(
    rows: pd.DataFrame, column: str, values: Sequence[str]
) -> dict[str, dict[str, float]]:
    found = rows[column].to_numpy(dtype="object", na_value="")
    counts = {value: int((found == value).sum()) for value in values}
    unknown = len(rows) - sum(counts.values())
    return _count_shares({**counts, "unknown": unknown}, rows)


def _count_shares(
    counts: Mapping[str, int], rows: pd.DataFrame
) -> dict[str, dict[str, float]]:
    return {
        name: {"count": count, "share": round(count / max(len(rows), 1), 6)}
        for name, count in counts.items()
    }


def _summarize(rows: pd.DataFrame, column: str) -> dict[str, float | None]:
    values = rows[column].to_numpy(dtype="float64", na_value=np.nan)
    known = values[~np.isnan(values)]
    return {
        "mean": round(float(known.mean()), 6) if len(known) else None,
        "sd": round(float(known.std(ddof=1)), 6) if len(known) > 1 else None,
        "missing": len(values) - len(known),
    }


def _fit(
    drawn: np.ndarray, sizes: np.ndarray, order: np.ndarray, num_images: int
) -> np.ndarray:
    """Gives back what was drawn too much, then fills up with who still fits.

    Args:
        drawn: Who is drawn, bool, shape (patients,).
        sizes: Radiographs of each patient.
        order: The patients, those first whom it matters least to change.
        num_images: How many radiographs may be drawn.

    Returns:
        Who is drawn, at most `num_images` radiographs.
    """
    drawn, total = drawn.copy(), int(sizes[drawn].sum())
    for patient in order[drawn[order]].tolist():
        if total > num_images:
            drawn[patient] = False
            total -= sizes[patient]
    for patient in order[~drawn[order]].tolist():
        if total + sizes[patient] <= num_images:
            drawn[patient] = True
            total += sizes[patient]
    return drawn


def _divide(
    table: pd.DataFrame, ratios: Mapping[str, float], seed: int, rare_findings: str
) -> np.ndarray:
    if table.empty:
        return np.array([], dtype="object")
    patients = gather_patients(table)
    _check_rare(patients, len(ratios), rare_findings)
    deal = Deal(patients, list(ratios.values()), seed=(seed, 0))
    if rare_findings == "train":
        rare = patients.has[:, patients.counts < len(ratios)]
        deal.fix(np.any(rare, axis=1), list(ratios).index("train"))
    uncovered = deal.deal(cover=True)
    if uncovered and rare_findings == "refuse":
        raise RecordError(
            f"split: each finding must be in each part. Received: {uncovered[0]}, whose "
            "few patients rarer findings tie to a part. Try another seed, or set "
            "split.rare_findings=train."
        )
    return np.array(list(ratios), dtype="object")[deal.part[patients.codes]]


def _check_rare(patients: Patients, num_parts: int, rare_findings: str) -> None:
    if rare_findings not in RARE_FINDINGS:
        raise ConfigError(
            f"split.rare_findings: must be one of {', '.join(RARE_FINDINGS)}. "
            f"Received: {rare_findings!r}. Choose one of the two."
        )
    rare = [
        f"{name} ({count})"
        for name, count in zip(patients.findings, patients.counts, strict=True)
        if count < num_parts
    ]
    if rare and rare_findings == "refuse":
        raise RecordError(
            f"split: each finding must have at least {num_parts} patients, one a part. "
            f"Received: {', '.join(rare)}. Use more patients, or set "
            "split.rare_findings=train to train on them and not to judge them."
        )
    if rare:
        logger.info("too rare to judge, kept in train: %s", ", ".join(rare))


def _finish(table: pd.DataFrame, parts: np.ndarray) -> pd.DataFrame:
    split = table.loc[:, ["image_id", "patient_id"]].reset_index(drop=True)
    split["part"] = pd.Series(parts, dtype=table["image_id"].dtype)
    check_split(split)
    return split
