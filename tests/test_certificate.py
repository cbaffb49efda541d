"""The certificate of a split counts what each part holds."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from patient_tables import make_many, make_table, split

from dualnet.data.labels import make_targets
from dualnet.data.split import (
    make_certificate,
)
from dualnet.errors import RecordError
from dualnet.findings import NIH


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return make_many(400)


def certify(table: pd.DataFrame, parts: pd.DataFrame) -> dict:
    return make_certificate(
        parts,
        table,
        config_values={"method": "ratios", "seed": 0},
        digests={"table.csv": "ab" * 32},
        targets_dropped=make_targets(table["findings"], NIH, "first").dropped,
        counts={"read": 6, "used": 5},
    )


def test_certificate_counts_by_hand() -> None:
    table = make_table(
        ("Edema|Mass", "No Finding"), ("Mass",), ("No Finding",), ("No Finding",)
    )
    table.loc[1, ["age_years", "follow_up", "view_position"]] = [np.nan, pd.NA, pd.NA]
    parts = pd.DataFrame(table[["image_id", "patient_id"]]).assign(
        part=["train", "train", "train", "val", "test"]
    )
    certificate = certify(table, parts)
    assert certificate["split"] == {"method": "ratios", "seed": 0}
    assert certificate["tables_sha256"] == {"table.csv": "ab" * 32}
    assert certificate["counts"] == {"read": 6, "used": 5}
    assert certificate["shared_patients"] == 0
    train = certificate["parts"]["train"]
    assert train["radiographs"] == 3
    assert train["patients"] == 2
    assert train["findings"]["Mass"] == {"count": 2, "share": 0.666667}
    assert train["findings"]["No Finding"] == {"count": 1, "share": 0.333333}
    assert train["findings"]["Hernia"] == {"count": 0, "share": 0.0}
    assert len(train["findings"]) == 15
    assert train["view_position"] == {
        "PA": {"count": 0, "share": 0.0},
        "AP": {"count": 2, "share": 0.666667},
        "LATERAL": {"count": 0, "share": 0.0},
        "unknown": {"count": 1, "share": 0.333333},
    }
    assert train["sex"]["M"] == {"count": 2, "share": 0.666667}
    # ages 40 and 41: mean 40.5, sd sqrt(.5)
    assert train["age_years"] == {"mean": 40.5, "sd": 0.707107, "missing": 1}
    assert train["follow_up"] == {"mean": 0.0, "sd": 0.0, "missing": 1}
    assert certificate["parts"]["val"]["age_years"]["sd"] is None
    dropped = {row["finding"]: row for row in certificate["label_rule_dropped"]}
    assert dropped["Mass"] == {
        "finding": "Mass",
        "present": 2,
        "kept": 1,
        "dropped": 1,
        "dropped_share": 0.5,
    }
    assert dropped["Hernia"]["dropped_share"] is None


def test_certificate_counts_shared_patients() -> None:
    table = make_table(("Mass", "Mass"), ("Mass",), ("Mass",))
    parts = pd.DataFrame(table[["image_id", "patient_id"]]).assign(
        part=["train", "test", "val", "test"]
    )
    assert certify(table, parts)["shared_patients"] == 1


def test_certificate_is_json_and_the_same_bytes_each_time(table: pd.DataFrame) -> None:
    texts = {
        json.dumps(certify(rows, split(rows)), allow_nan=False)
        for rows in (table, table.copy())
    }
    assert len(texts) == 1


def test_certificate_holds_the_digest_of_the_split_file(
    table: pd.DataFrame, tmp_path: Path
) -> None:
    parts = split(table)
    parts.to_csv(tmp_path / "split.csv", index=False)
    digest = hashlib.sha256((tmp_path / "split.csv").read_bytes()).hexdigest()
    assert certify(table, parts)["split_sha256"] == digest


def test_certificate_of_other_images_is_an_error(table: pd.DataFrame) -> None:
    parts = split(table)
    with pytest.raises(RecordError, match=f"{len(table):,} split and 9 records"):
        certify(table.head(9), parts)
