"""Small records for the tests of `explore`, every number of them to be counted by hand."""

from pathlib import Path

import pandas as pd

from dualnet.data.records import COLUMNS, TEXT, RecordSet
from dualnet.findings import Vocabulary

LETTERS = Vocabulary(name="letters", findings=("A", "B"), negative="N", source="here")


def make_rows(*rows: tuple[object, ...]) -> pd.DataFrame:
    """Rows of `(patient, labels, age, sex, view, follow_up)`; None is unknown."""
    table = pd.DataFrame(
        [
            {
                "image_id": f"{number}.png",
                "path": None,
                "patient_id": patient,
                "age_years": age,
                "sex": sex,
                "view_position": view,
                "follow_up": follow_up,
                "findings": tuple(str(labels).split("|")),
                "source": "here",
            }
            for number, (patient, labels, age, sex, view, follow_up) in enumerate(rows)
        ],
        columns=list(COLUMNS),
    )
    text = ["image_id", "path", "patient_id", "sex", "view_position", "source"]
    types = dict.fromkeys(text, TEXT)
    return table.astype({**types, "age_years": "float64", "follow_up": "Int64"})


def make_records(table: pd.DataFrame) -> RecordSet:
    """The rows as a dataset."""
    return RecordSet(table=table, vocabulary=LETTERS, folder=Path("letters"))


def five_rows() -> pd.DataFrame:
    """Three patients: p with three radiographs, q and r with one each."""
    return make_rows(
        ("p", "A", 40, "F", "AP", 0),
        ("p", "A|B", 41, "F", "AP", 1),
        ("p", "B", 42, "F", "PA", 2),
        ("q", "N", 60, "M", "PA", 0),
        ("r", "N", None, None, None, None),
    )
