"""The run folder: read back as it was written, and damage is named."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from dualnet.config_layers import read_config
from dualnet.errors import ConfigError, RunError
from dualnet.runs import NEEDED, RunFolder, open_run


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    """A run of two radiographs, as far as its tables go."""
    run = RunFolder(tmp_path / "run")
    table = pd.DataFrame(
        {
            "image_id": ["1.png", "NA"],
            "path": ["/pictures/1.png", "/pictures/NA"],
            "patient_id": ["007", "8"],
            "age_years": [7 / 12, None],
            "sex": ["F", None],
            "view_position": [None, "PA"],
            "follow_up": pd.array([0, None], dtype="Int64"),
            "findings": [("Edema", "Mass"), ("No Finding",)],
            "source": ["nih", "nih"],
        }
    )
    parts = table[["image_id", "patient_id"]].assign(part=["train", "test"])
    run.write_config(read_config())
    run.write_environment({})
    run.write_records(table)
    run.write_split(parts, {"vocabulary": None})
    for name in NEEDED:
        (run.path / name).touch()
    return run


def test_records_and_parts_are_read_back_as_they_were_written(run: RunFolder) -> None:
    records = open_run(run.path).read_records()
    assert records["image_id"].tolist() == ["1.png", "NA"]
    assert records["patient_id"].tolist() == ["007", "8"]
    assert records["age_years"][0] == 7 / 12
    assert records["findings"].tolist() == [("Edema", "Mass"), ("No Finding",)]
    assert records["follow_up"].dtype == "Int64"
    unknown = records[["age_years", "sex", "view_position", "follow_up"]].isna()
    assert unknown.to_numpy().tolist() == [
        [False, False, True, False],
        [True, True, False, True],
    ]
    assert run.read_split()["part"].tolist() == ["train", "test"]
    assert run.read_config() == read_config()


@pytest.mark.parametrize(
    ("name", "text", "read", "received"),
    [
        ("config.yaml", "a: [", RunFolder.read_config, "ParserError"),
        ("config.yaml", "\xff", RunFolder.read_config, "UnicodeDecodeError"),
        ("split.json", "{", RunFolder.read_certificate, "JSONDecodeError"),
        ("split.json", "[]", RunFolder.read_certificate, "TypeError"),
        ("split.csv", "", RunFolder.read_split, "EmptyDataError"),
        ("split.csv", "image_id,part\na,b\n", RunFolder.read_split, "KeyError"),
        ("records.csv", "image_id\n1.png\n", RunFolder.read_records, "KeyError"),
        (
            "records.csv",
            "a\n1,2,3\n1\n1,2,3,4\n",
            RunFolder.read_records,
            "ParserError",
        ),
        ("environment.json", "[]", RunFolder.read_environment, "TypeError"),
    ],
)
def test_a_file_that_was_changed_is_named(
    name: str,
    text: str,
    read: Callable[[RunFolder], object],
    received: str,
    run: RunFolder,
) -> None:
    (run.path / name).write_text(text, encoding="latin-1")
    with pytest.raises(RunError) as raised:
        read(run)
    assert str(raised.value) == (
        f"{run.path / name}: must be as training wrote it. Received: {received} while "
        "reading. Restore the file that training wrote, or train the run again."
    )


def test_a_record_without_findings_or_with_a_word_for_an_age_is_refused(
    run: RunFolder,
) -> None:
    file = run.path / "records.csv"
    whole = file.read_text()
    for old, new in (("Edema|Mass", ""), (",0.58", ",old")):
        assert old in whole
        file.write_text(whole.replace(old, new))
        with pytest.raises(RunError, match=r"records\.csv: must be as training wrote"):
            run.read_records()


def test_a_configuration_of_no_keys_is_refused(run: RunFolder) -> None:
    (run.path / "config.yaml").write_text("")
    with pytest.raises(ConfigError, match=r"config\.yaml: must be keys with values"):
        run.read_config()


def test_a_run_without_its_format_is_refused(run: RunFolder) -> None:
    (run.path / "environment.json").write_text("{}")
    with pytest.raises(RunError, match=r"environment\.json: must be as .*KeyError"):
        open_run(run.path)
