"""Labels that radiologists agreed on, for some of NIH's radiographs.

Reference:
    Majkowska et al., Chest radiograph interpretation with deep learning models:
    assessment with radiologist-adjudicated reference standards and population-adjusted
    evaluation, Radiology 294(2), 2020.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from dualnet.data.readers.image_rows import read_image_rows
from dualnet.errors import RecordError

FILE_NAME = "google2019_nih-chest-xray-labels.csv"  # as its publisher names it
NAME = "Image Index"
FINDINGS = ("Pneumothorax", "Nodule or mass", "Airspace opacity")
ANSWERS = {"YES": True, "NO": False}


def find_adjudicated(folder: Path | None) -> Path | None:
    """Finds the table where it lies in a dataset's folder.

    Args:
        folder: The dataset's folder.

    Returns:
        The file; None where there is none.
    """
    file = (folder or Path()) / FILE_NAME
    return file if folder is not None and file.is_file() else None


def read_adjudicated(file: Path) -> pd.DataFrame:
    """Reads the adjudicated labels; fractures, which NIH has no class for, are not.

    Args:
        file: A CSV file with `Image Index` and the columns `FINDINGS`, YES or NO.

    Returns:
        One bool column for each of `FINDINGS`; the index is the radiograph's name.

    Raises:
        RecordError: If the file is not such a table, or names a radiograph twice.
    """
    rows = read_image_rows(
        file,
        key=NAME,
        columns=FINDINGS,
        once="a radiograph must stand once",
        if_irregular="Copy the table again.",
        if_repeated="Leave one line.",
    )
    answers = rows.set_index(NAME)[list(FINDINGS)]
    for finding in FINDINGS:
        bad = ~rows[finding].isin(ANSWERS)
        if bad.any():
            line = rows.index[bad][0]
            raise RecordError(
                f"{file.name} line {line}: `{finding}` must be YES or NO. "
                f"Received: {rows.loc[line, finding]!r}. Use the published table."
            )
    return answers.apply(lambda column: column.map(ANSWERS).astype(bool))


def align_adjudicated(
    answers: pd.DataFrame, image_ids: Sequence[str] | np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Looks radiographs up in the table.

    Args:
        answers: As `read_adjudicated` reads them.
        image_ids: Names of the radiographs, shape (n,).

    Returns:
        Which radiographs are in the table, bool, shape (n,); and of those, in the
        order of `image_ids`, the answers, bool, shape (matched, findings).
    """
    found = answers.index.get_indexer(pd.Index(image_ids))
    return found >= 0, answers.to_numpy(dtype=bool)[found[found >= 0]]
