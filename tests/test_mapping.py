"""Mappings: the two that ship, and one clear line for each mistake."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from table_cases import PLAIN, write_mapping

from dualnet.data.readers.mapping_file import mapping_names, read_mapping
from dualnet.data.readers.mapping_findings import plain_value
from dualnet.errors import ConfigError
from dualnet.findings import NIH

COLUMNS = {
    "columns": ["Nodule"],
    "present": 1,
    "absent": 0,
    "otherwise": "negative",
}


def test_two_mappings_ship_and_read_the_columns_of_their_dataset() -> None:
    assert mapping_names() == ["chexpert", "padchest"]
    chexpert = read_mapping("chexpert").mapping
    assert chexpert.columns[:4] == ["Path", "Sex", "Frontal/Lateral", "AP/PA"]
    assert len(chexpert.columns) == 5 + 14  # all of train.csv
    padchest = read_mapping("padchest")
    assert set(padchest.mapping.columns) == {
        "ImageID",
        "ImageDir",
        "StudyDate_DICOM",
        "PatientID",
        "PatientBirth",
        "PatientSex_DICOM",
        "Projection",
        "Labels",
    }
    assert padchest.mapping.make_vocabulary() == NIH
    assert {*NIH.class_names} == {*padchest.mapping.findings.named_classes}
    assert padchest.file == "padchest.yaml"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1.0", "1"),
        ("-1", "-1"),
        (" 01.00 ", "1"),
        ("1.5", "1.5"),
        ("", ""),
        ("-0.0", "0"),
        ("PA", "PA"),
        ("1e3", "1e3"),
    ],
)
def test_a_number_is_compared_as_one(text: str, expected: str) -> None:
    assert plain_value(text) == expected


def change(path: str, value: object) -> dict[str, Any]:
    """The plain mapping's top key with one value in it changed."""
    first, _, rest = path.partition(".")
    return {first: {**PLAIN[first], rest: value} if rest else value}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"colour": "red"}, "`colour`: must be one of the keys name, reference, table, .*finding_list. Received: 'red'"),
        ({"patient": None}, "`patient`: must be given. Received: nothing. See docs/tables.md"),
        ({"patient": {"column": "A", "pattern": "("}}, r"`patient.pattern`: must be a regular expression: missing \)"),
        (change("sex.values", {"1": "X"}), r"`sex.0.values.1`: must be 'M' or 'F'. Received: 'X'"),
        (change("sex.values", {True: "M"}), r"`sex.0.values.1.\[key\]`: must be in quotes, such as 'NO'"),
        (change("view.values", {"pa": "Frontal"}), "`view.0.values.pa`: must be 'PA', 'AP' or 'LATERAL'"),
        ({"age": {"birth_year": "Born", "column": "Age"}}, "`age`: must have either `column` or `birth_year`"),
        ({"age": {"birth_year": "Born"}}, "birth_year and order_of need `study_date`"),
        ({"follow_up": {"order_of": "study_date"}}, "birth_year and order_of need `study_date`"),
        ({"vocabulary": "nhi"}, "`vocabulary`: must be nih, chest_xray, chest_xray_causes, covid_radiography, or have `findings` and `negative`"),
        ({"vocabulary": {"findings": ["A", "A"], "negative": "N"}}, "`vocabulary`: .*each name once"),
        ({"vocabulary": {"findings": ["A|B"], "negative": "N"}}, r"`vocabulary`: must have no name with a `\|`"),
        ({"finding_list": None}, "must have either `finding_columns` or `finding_list`"),
        ({"finding_columns": COLUMNS}, "must have either `finding_columns` or `finding_list`"),
        (change("finding_list.names", {"normal": "Fine"}), "class 'Fine' is none of the vocabulary's: Effusion, Nodule, Normal"),
        (change("finding_list.unlisted", "drop"), "`finding_list.unlisted`: must be 'error' or 'ignore'. Received: 'drop'"),
        ({"finding_list": None, "finding_columns": {**COLUMNS, "absent": [0, 1.0]}}, "`finding_columns`: present, absent and uncertain must share no value"),
        ({"finding_list": None, "finding_columns": {**COLUMNS, "uncertain": -1}}, "`finding_columns`: must have both `uncertain` and `policy`, or neither"),
        ({"finding_list": None, "finding_columns": {**COLUMNS, "uncertain": -1, "policy": "U-Twos"}}, "`finding_columns.policy`: must be 'U-Zeros', 'U-Ones' or 'U-Ignore'"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line(
    tmp_path: Path, changes: dict[str, Any], expected: str
) -> None:
    file = write_mapping(tmp_path, **changes)
    with pytest.raises(ConfigError, match=f"^dualnet-table.yaml: {expected}") as raised:
        read_mapping(file)
    assert "\n" not in str(raised.value)
    assert "docs/tables.md" in str(raised.value)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"name: [", "line 1: must be YAML. Received: a syntax error"),
        (b"\xff", "must be UTF-8. Received: other bytes"),
        (b"", "must be keys with values. Received: "),
        (b"- name", "must be keys with values. Received: "),
    ],
)
def test_a_file_that_is_no_mapping_is_refused(
    tmp_path: Path, data: bytes, expected: str
) -> None:
    file = tmp_path / "mine.yaml"
    file.write_bytes(data)
    with pytest.raises(ConfigError, match=f"mine.yaml:? {expected}"):
        read_mapping(file)


def test_the_example_of_the_docs_is_a_mapping(tmp_path: Path) -> None:
    page = (Path(__file__).parents[1] / "docs" / "tables.md").read_text("utf-8")
    for number, block in enumerate(page.split("```yaml\n")[1:]):
        file = tmp_path / f"{number}.yaml"
        values = {**PLAIN, **yaml.safe_load(block.partition("```")[0])}
        if "finding_columns" in values:
            values.pop("finding_list")
        file.write_text(yaml.safe_dump(values))
        assert read_mapping(file).mapping.table
