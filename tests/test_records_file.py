import shutil
from pathlib import Path

import pandas as pd
import pytest

from dualnet.data.readers import read_records
from dualnet.data.readers.records_file import read_records_file
from dualnet.errors import ConfigError, DualNetError, RecordError
from dualnet.findings import CHEST_XRAY, NIH

MAPPING = """
name: mine
table: other.csv
image: {id: File}
patient: {column: Who}
vocabulary: nih
finding_list:
  column: Labels
  separator: ";"
  unlisted: error
  otherwise: leave_out
  names: {Edema: Edema, Mass: Mass, No Finding: No Finding}
"""


def write(folder: Path, text: str, name: str = "truth.csv") -> Path:
    file = folder / name
    file.write_text(text)
    return file


def test_nihs_table_is_read_under_any_name(small_phantom: Path, tmp_path: Path) -> None:
    file = tmp_path / "renamed.csv"
    shutil.copy(small_phantom / "Data_Entry_2017_v2020.csv", file)
    found, expected = read_records_file(file), read_records(small_phantom)
    assert found.vocabulary == NIH
    assert found.table.drop(columns="path").equals(expected.table.drop(columns="path"))
    assert list(found.digests) == ["renamed.csv"]


def test_own_columns_are_read(tmp_path: Path) -> None:
    text = (
        "image_id,patient_id,age_years,sex,view_position,follow_up,findings\n"
        "a.png,p1,58,F,PA,0,Edema|Mass\nb.png,p1,,,,,No Finding\n"
    )
    records = read_records_file(write(tmp_path, text))
    assert records.table["findings"].tolist() == [("Edema", "Mass"), ("No Finding",)]
    assert records.table["age_years"].tolist()[0] == 58
    assert records.table["patient_id"].tolist() == ["p1", "p1"]
    assert records.table["source"].tolist() == ["truth", "truth"]
    assert records.table["sex"].isna().tolist() == [False, True]
    assert records.vocabulary == NIH


def test_without_patients_each_radiograph_is_its_own(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="dualnet")
    records = read_records_file(
        write(tmp_path, "image_id,findings\na,Pneumonia\nb,Normal\n")
    )
    assert records.table["patient_id"].tolist() == ["a", "b"]
    assert records.vocabulary == CHEST_XRAY
    assert "every radiograph counts as its own patient" in caplog.text


def test_mapping_explains_a_table(tmp_path: Path) -> None:
    file = write(tmp_path, "File,Who,Labels\na.png,1,Edema;Mass\n")
    mapping = write(tmp_path, MAPPING, "mine.yaml")
    records = read_records_file(file, mapping=str(mapping))
    assert records.table["findings"].tolist() == [("Edema", "Mass")]
    mapping.rename(tmp_path / "dualnet-table.yaml")
    assert read_records_file(file).table["patient_id"].tolist() == ["1"]


def test_parquet_with_own_columns_is_read(tmp_path: Path) -> None:
    values = {
        "image_id": ["a", "b"],
        "findings": ["Edema", "Mass"],
        "age_years": [5, 6],
    }
    pd.DataFrame(values).to_parquet(tmp_path / "truth.parquet")
    records = read_records_file(tmp_path / "truth.parquet")
    assert records.table["findings"].tolist() == [("Edema",), ("Mass",)]
    assert records.table["age_years"].tolist() == [5, 6]


@pytest.mark.parametrize(
    ("text", "options", "error", "message"),
    [
        ("a,b\n1,2\n", {}, RecordError, r"^truth\.csv: .*Received: 2 columns, not"),
        ("a,b\n", {"format": "dicom"}, ConfigError, r"^--format: .*'dicom'"),
        (
            "a,b\n",
            {"format": "nih", "mapping": "padchest"},
            ConfigError,
            r"^--mapping: .*--format nih",
        ),
        (
            "image_id,findings\na,Edema\na,Mass\n",
            {},
            RecordError,
            r"^truth\.csv line 3: `image_id` must be unique",
        ),
        (
            "image_id,findings\na,Edema\nb\n",
            {},
            RecordError,
            r"^truth\.csv line 3: must have 2 fields",
        ),
    ],
)
def test_table_that_is_none_is_refused(
    tmp_path: Path,
    text: str,
    options: dict[str, str],
    error: type[DualNetError],
    message: str,
) -> None:
    with pytest.raises(error, match=message):
        read_records_file(write(tmp_path, text), **options)
