"""Tables of patients for the tests of splits, samples and certificates."""

import numpy as np
import pandas as pd

from dualnet.data.split import (
    split_by_ratios,
)

RATIOS = {"train": 0.7, "val": 0.1, "test": 0.2}


def make_table(*patients: tuple[str, ...]) -> pd.DataFrame:
    """Each patient's radiographs, each by its label string: `("Mass", "Mass|Edema")`."""
    rows = [
        {
            "image_id": f"{patient:04d}_{visit:03d}.png",
            "patient_id": str(patient),
            "age_years": 40.0 + patient % 10,
            "sex": "F" if patient % 2 else "M",
            "view_position": "PA" if visit % 2 else "AP",
            "follow_up": visit,
            "findings": tuple(labels.split("|")),
        }
        for patient, visits in enumerate(patients)
        for visit, labels in enumerate(visits)
    ]
    return pd.DataFrame(rows).astype({"follow_up": "Int64"})


def make_many(num_patients: int, seed: int = 0) -> pd.DataFrame:
    """Patients as NIH's are: many with one radiograph, few with many; rare findings."""
    rng = np.random.default_rng(seed)
    visits = np.minimum(rng.zipf(1.8, num_patients), 20)
    names = rng.choice(
        ["No Finding", "Infiltration", "Mass|Nodule", "Edema", "Hernia|Mass"],
        p=[0.55, 0.25, 0.12, 0.05, 0.03],
        size=visits.sum(),
    ).tolist()
    return make_table(*(tuple(names.pop() for _ in range(count)) for count in visits))


def split(table: pd.DataFrame, seed: int = 0, **options: str) -> pd.DataFrame:
    return split_by_ratios(table, ratios=RATIOS, seed=seed, **options)
