"""Two classes by membership."""

import pandas as pd
import pytest

from dualnet.data.membership import select_members
from dualnet.errors import ConfigError
from dualnet.findings import NIH

FINDINGS = pd.Series(
    [
        ("Effusion", "Pneumothorax"),
        ("No Finding",),
        ("Mass",),
        ("Pneumothorax",),
        ("Effusion", "Mass"),
    ]
)


def test_a_finding_counts_wherever_it_stands() -> None:
    members = select_members(
        FINDINGS, NIH, finding="Pneumothorax", against="No Finding"
    )
    assert members.positive.tolist() == [True, False, False, True, False]
    assert members.negative.tolist() == [False, True, False, False, False]
    assert members.num_neither == 2
    assert not members.both.any()
    assert members.class_names().tolist() == [
        "Pneumothorax",
        "No Finding",
        "Pneumothorax",
    ]


def test_a_row_with_both_labels_has_the_finding() -> None:
    members = select_members(FINDINGS, NIH, finding="Mass", against="Effusion")
    assert members.positive.tolist() == [False, False, True, False, True]
    assert members.negative.tolist() == [True, False, False, False, False]
    assert members.both.tolist() == [False, False, False, False, True]


@pytest.mark.parametrize(
    ("finding", "against", "message"),
    [
        ("Cough", "No Finding", r"^--finding: must be one of .*Received: 'Cough'\."),
        ("Mass", "NoFinding", r"^--against: must be one of .*Received: 'NoFinding'\."),
        (
            "Mass",
            "Mass",
            r"^--against: must be another class than --finding\. .*'Mass'",
        ),
    ],
)
def test_names_that_make_no_task_are_refused(
    finding: str, against: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        select_members(FINDINGS, NIH, finding=finding, against=against)
