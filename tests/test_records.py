"""Records: row checks, types, rejects."""

import math

import pandas as pd
import pytest

from dualnet.data.record_parsing import parse_age, parse_records
from dualnet.data.records import RecordSet
from dualnet.errors import ConfigError, RecordError
from dualnet.findings import NIH

GOOD = {
    "image_id": "a.png",
    "patient_id": "987654",
    "age_years": "58",
    "sex": "F",
    "view_position": "PA",
    "follow_up": "3",
    "findings": "Edema|Mass",
}


def make_text(*changes: dict[str, str]) -> pd.DataFrame:
    """Rows on lines 2, 3, …: the good row, with changes; images a.png, b.png, …"""
    rows = [
        {**GOOD, "image_id": f"{chr(97 + row)}.png", **change}
        for row, change in enumerate(changes)
    ]
    return pd.DataFrame(rows, index=pd.RangeIndex(2, 2 + len(rows)), dtype="str")


def parse(*changes: dict[str, str], on_bad_row: str = "error"):
    return parse_records(
        make_text(*changes), vocabulary=NIH, where="table.csv", on_bad_row=on_bad_row
    )


@pytest.mark.parametrize(
    ("text", "years"),
    [
        ("58", 58.0),
        ("0", 0.0),
        ("58.5", 58.5),
        ("058Y", 58.0),
        ("120Y", 120.0),
        ("009M", 0.75),
        ("002W", 14 / 365.25),
        ("012D", 12 / 365.25),
    ],
)
def test_parse_age_converts_to_years(text: str, years: float) -> None:
    assert parse_age(text) == pytest.approx(years)


def test_parse_age_of_nothing_is_unknown() -> None:
    assert math.isnan(parse_age(""))


@pytest.mark.parametrize("text", ["412Y", "121", "120.5"])
def test_parse_age_above_the_limit_is_refused(text: str) -> None:
    with pytest.raises(RecordError, match=f"at most 120 years. Received: age='{text}'"):
        parse_age(text)


@pytest.mark.parametrize(
    "text", ["-1", "58 Y", "Y", "58X", "nan", "1e1", "٥٨", "058Y5"]
)
def test_parse_age_refuses_what_is_no_age(text: str) -> None:
    with pytest.raises(RecordError, match=f"must be years.*Received: age='{text}'"):
        parse_age(text)


def test_parse_records_gives_each_column_its_type() -> None:
    table, rejects = parse({}, {"sex": "M", "view_position": "LATERAL"})
    assert table.loc[0].to_dict() == {
        "image_id": "a.png",
        "patient_id": "987654",
        "age_years": 58.0,
        "sex": "F",
        "view_position": "PA",
        "follow_up": 3,
        "findings": ("Edema", "Mass"),
    }
    assert table["sex"].tolist() == ["F", "M"]
    assert table["view_position"].tolist() == ["PA", "LATERAL"]
    assert str(table["follow_up"].dtype) == "Int64"
    assert str(table["age_years"].dtype) == "float64"
    assert rejects.empty
    assert list(rejects.columns) == ["image_id", "line", "reason"]


def test_parse_records_takes_an_empty_field_as_unknown() -> None:
    unknown = {"age_years": "", "sex": "", "view_position": " ", "follow_up": ""}
    table, _ = parse(unknown, {})
    assert table.loc[0, ["age_years", "sex", "view_position", "follow_up"]].isna().all()
    assert table.loc[1].notna().all()


def test_parse_records_keeps_findings_in_the_order_written() -> None:
    table, _ = parse({"findings": "Mass| Edema"})
    assert table.loc[0, "findings"] == ("Mass", "Edema")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"age_years": "412Y"},
            "`age` must be at most 120 years. Received: age='412Y'",
        ),
        ({"age_years": "old"}, "`age` must be years.*Received: age='old'"),
        ({"sex": "X"}, "`sex` must be M, F or empty. Received: sex='X'"),
        ({"view_position": "XY"}, "PA, AP, LATERAL or empty. Received: .*='XY'"),
        (
            {"follow_up": "-1"},
            "`follow_up` must be .* from 0. Received: follow_up='-1'",
        ),
        ({"follow_up": "1.5"}, "Received: follow_up='1.5'"),
        ({"findings": "Edema|Flu"}, "labels of the nih vocabulary. Received: 'Flu'"),
        ({"findings": ""}, "labels of the nih vocabulary. Received: ''"),
        ({"findings": "Mass|Mass"}, r"stand once.*Received: 'Mass\|Mass'"),
        ({"findings": "Mass|No Finding"}, r"alone. Received: 'Mass\|No Finding'"),
        ({"image_id": ""}, "`image_id` must be the picture's file name. Received: ''"),
        ({"image_id": "../x.png"}, "file name. Received: '../x.png'"),
        ({"patient_id": " "}, "`patient_id` must not be empty. Received: ''"),
        (
            {"image_id": "a.png"},
            "unique. Received: 'a.png', which stands on line 2 too",
        ),
    ],
)
def test_bad_row_is_named_by_file_line_and_value(
    change: dict[str, str], message: str
) -> None:
    with pytest.raises(RecordError, match=f"^table.csv line 3: .*{message}") as caught:
        parse({}, change, {})
    assert "\n" not in str(caught.value)
    assert GOOD["patient_id"] not in str(caught.value)


@pytest.mark.parametrize("length", [41, 5000])
def test_long_value_is_shortened(length: int) -> None:
    with pytest.raises(RecordError, match=r"Received: 'F{37}\.\.\.'\."):
        parse({"findings": "F" * length})


def test_first_bad_row_is_named_and_the_others_counted() -> None:
    with pytest.raises(RecordError, match=r"line 3: .*age='412Y'. 2 more rows are bad"):
        parse({}, {"age_years": "412Y"}, {"sex": "X"}, {"age_years": "413Y"})


def test_bad_rows_are_set_aside_when_asked() -> None:
    changes = ({"age_years": "412Y"}, {}, {"image_id": "b.png"}, {"image_id": ""})
    table, rejects = parse(*changes, on_bad_row="set_aside")
    assert table["image_id"].tolist() == ["b.png"]
    assert table.index.tolist() == [0]
    assert rejects["line"].tolist() == [2, 4, 5]
    assert rejects["image_id"].tolist() == ["a.png", "b.png", ""]
    assert "age='412Y'" in rejects["reason"][0]
    assert "on line 3 too" in rejects["reason"][1]


def test_no_good_row_is_an_error() -> None:
    with pytest.raises(
        RecordError, match=r"at least one good row. Received: 2 bad rows"
    ):
        parse({"sex": "X"}, {"sex": "Y"}, on_bad_row="set_aside")


def test_unknown_policy_is_an_error() -> None:
    with pytest.raises(ConfigError, match=r"on_bad_row: .*Received: 'skip'"):
        parse({}, on_bad_row="skip")


def test_known_problems_go_with_the_others() -> None:
    text = make_text({}, {})
    problems = {9: "must have 7 fields. Received: 3 fields."}
    table, rejects = parse_records(
        text, vocabulary=NIH, where="t", on_bad_row="set_aside", problems=problems
    )
    assert len(table) == 2
    assert rejects.to_dict("records") == [
        {"image_id": "", "line": 9, "reason": problems[9]}
    ]


def test_na_where_text_is_promised_is_not_taken_for_another_rows_value() -> None:
    text = make_text({}, {})
    text.loc[text.index[0], "patient_id"] = None
    with pytest.raises(AttributeError, match="strip"):
        parse_records(text, vocabulary=NIH, where="t")


def make_records(tmp_path, paths: list[str | None]) -> RecordSet:
    table, rejects = parse(*[{} for _ in paths])
    table["path"] = paths
    return RecordSet(table=table, vocabulary=NIH, folder=tmp_path, rejects=rejects)


def test_record_set_counts_rows_without_a_picture(tmp_path) -> None:
    records = make_records(tmp_path, ["x/a.png", None, None])
    assert records.num_without_picture == 2
    assert records.pictured()["image_id"].tolist() == ["a.png"]
    assert records.counts == {"read": 3, "set_aside": 0, "without_picture": 2}


def test_record_set_without_pictures_is_refused_when_they_are_needed(tmp_path) -> None:
    records = make_records(tmp_path, [None, None])
    with pytest.raises(RecordError, match=r"Received: 2 rows, 0 pictures"):
        records.pictured()


def test_excluded_findings_take_every_row_that_has_one(tmp_path) -> None:
    table, rejects = parse(
        {"findings": "Edema|Mass"}, {"findings": "Edema"}, {"findings": "No Finding"}
    )
    table["path"] = None
    records = RecordSet(table=table, vocabulary=NIH, folder=tmp_path, rejects=rejects)
    left = records.without(["Mass", "Hernia"])
    assert left.table["findings"].tolist() == [("Edema",), ("No Finding",)]
    assert len(left.vocabulary.class_names) == 13
    assert left.counts == {
        "read": 3,
        "set_aside": 0,
        "without_picture": 2,
        "excluded": 1,
    }
