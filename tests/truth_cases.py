"""What is judged by hand: three classes, and radiographs with their labels."""

import pandas as pd

from dualnet.findings import Vocabulary

TINY = Vocabulary(
    name="tiny", findings=("Edema", "Mass"), negative="No Finding", source="test"
)
EDEMA, MASS, NONE = 0, 1, 2


def make_table(*findings: tuple[str, ...], rows_each: int = 2) -> pd.DataFrame:
    """One radiograph for each tuple of labels, `rows_each` of them a patient's."""
    numbers = range(len(findings))
    return pd.DataFrame(
        {
            "image_id": [f"{number}.png" for number in numbers],
            "patient_id": [f"p{number // rows_each}" for number in numbers],
            "part": "test",
            "findings": list(findings),
        }
    )


def printed(score: float) -> str:
    """A score between 0 and 1 as every table and figure writes it."""
    return f"{score:.3f}".removeprefix("0")
