"""Parquet tables: their cells as text, and what is said where they cannot be read."""

import importlib.util
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from table_cases import PLAIN, write_mapping

from dualnet.data.readers import parquet, read_records
from dualnet.data.readers.parquet import read_parquet_table
from dualnet.errors import RecordError

needs_pyarrow = pytest.mark.skipif(
    importlib.util.find_spec("pyarrow") is None, reason="the extra `parquet`"
)
TABLE = pd.DataFrame(
    {
        "File": ["a.png", "b.png"],
        "Patient": [839860488694292331, 8],
        "Age": [41.0, np.nan],
        "Weight": [70.5, 81.0],
        "Smokes": [True, False],
        "Day": pd.to_datetime(["2020-02-03", None]),
        "Found": [np.array(["nodule", "effusion"]), ["normal"]],
        "Note": [None, "it's"],
    }
)


def test_cells_are_written_as_a_csv_file_has_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: object())
    monkeypatch.setattr(parquet, "_read", lambda *_: TABLE)
    file = tmp_path / "x.parquet"
    file.touch()
    text = read_parquet_table(file, columns=list(TABLE), date_format="%Y%m%d")
    assert text.rows.to_dict("list") == {
        "File": ["a.png", "b.png"],
        "Patient": ["839860488694292331", "8"],
        "Age": ["41", ""],
        "Weight": ["70.5", "81"],
        "Smokes": ["True", "False"],
        "Day": ["20200203", ""],
        "Found": ["['nodule', 'effusion']", "['normal']"],
        "Note": ["", "it's"],
    }
    assert text.rows.index.tolist() == [1, 2]


def test_without_pyarrow_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    (tmp_path / "radiographs.parquet").touch()
    write_mapping(tmp_path, table="radiographs.parquet")
    expected = 'radiographs.parquet: pyarrow must be there.*"dualnet\\[parquet\\]"'
    with pytest.raises(RecordError, match=expected):
        read_records(tmp_path)


@needs_pyarrow
def test_reads_a_parquet_table(tmp_path: Path) -> None:
    TABLE.to_parquet(tmp_path / "radiographs.parquet")
    write_mapping(
        tmp_path,
        table=["radiographs.csv", "radiographs.parquet"],
        sex=None,
        view=None,
        study_date={"column": "Day"},
        follow_up={"order_of": "study_date"},
        finding_list={**PLAIN["finding_list"], "separator": "python_list"},
    )
    table = read_records(tmp_path).table
    assert table["patient_id"].tolist() == ["839860488694292331", "8"]
    assert table["age_years"].tolist()[0] == 41.0
    assert table["follow_up"].isna().tolist() == [False, True]
    assert table["findings"].tolist() == [("Nodule", "Effusion"), ("Normal",)]


@needs_pyarrow
def test_a_parquet_table_that_is_none_or_lacks_a_column_is_named(
    tmp_path: Path,
) -> None:
    file = tmp_path / "x.parquet"
    file.write_bytes(b"PAR1 and no more")
    with pytest.raises(RecordError, match=r"x.parquet: must be a readable Parquet"):
        read_parquet_table(file, columns=["File"], date_format="%Y")
    TABLE.to_parquet(file)
    with pytest.raises(
        RecordError, match=r"one column `Sex`. Received: 0 of 8 columns"
    ):
        read_parquet_table(file, columns=["File", "Sex"], date_format="%Y")
    TABLE.head(0).to_parquet(file)
    with pytest.raises(RecordError, match=r"at least one row. Received: 0"):
        read_parquet_table(file, columns=["File"], date_format="%Y")
