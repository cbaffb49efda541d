"""Which group each radiograph is of."""

import numpy as np
import pandas as pd
from truth_cases import make_table

from dualnet.evaluation.groups.groupings import (
    UNKNOWN,
    group_by_columns,
    group_by_record,
)


def named(table: pd.DataFrame) -> dict[str, list[str]]:
    return {
        one.name: [one.groups[code] if code != UNKNOWN else "" for code in one.codes]
        for one in group_by_record(table)
    }


def test_the_record_parts_radiographs() -> None:
    table = make_table(*[("Edema",)] * 6).assign(
        age_years=[0.5, 19.9, 20, 59, 80, np.nan],
        sex=pd.array(["M", "F", None, "F", "M", "M"], dtype="str"),
        view_position=["PA", "AP", "LATERAL", None, "PA", "PA"],
        follow_up=pd.array([0, 1, 7, None, 0, 0], dtype="Int64"),
    )
    assert named(table) == {
        "view": ["PA", "AP", "LATERAL", "", "PA", "PA"],
        "sex": ["M", "F", "", "F", "M", "M"],
        "age": ["<20", "<20", "20-39", "40-59", "80+", ""],
        "visit": ["first", "follow-up", "follow-up", "", "first", "first"],
    }


def test_groups_stand_in_order_and_the_unknown_are_counted() -> None:
    table = make_table(*[("Edema",)] * 3).assign(age_years=[85, 5, np.nan])
    (ages,) = group_by_record(table)
    assert ages.groups == ("<20", "80+")
    assert ages.num_unknown == 1


def test_a_record_that_tells_nothing_gives_no_grouping() -> None:
    assert group_by_record(make_table(("Edema",), ("Mass",))) == []


def test_columns_part_by_their_values() -> None:
    source, empty = ["b", "", "a", "b"], [""] * 4
    (grouping,) = group_by_columns({"source": source, "empty": empty})
    assert (grouping.name, grouping.groups) == ("source", ("a", "b"))
    assert grouping.codes.tolist() == [1, UNKNOWN, 0, 1]
