"""What a split by picture would leak: patients on both sides, and what that is worth."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from dualnet.errors import ConfigError
from dualnet.scores import auroc_per_class

TRUST = 1.0  # how many radiographs the training mean counts as, beside a patient's own


@dataclass(frozen=True, kw_only=True)
class Leakage:
    """What happens if pictures instead of patients are dealt to training and test.

    Args:
        test_share: The share of the pictures that is tested on; the rest is training.
        expected: The share of test pictures whose patient is in training too, the
            mean over all such splits.
        drawn: The same in one split.
        identity_auroc: What knowing the patient alone scores on that split: the mean
            over the findings of the AUROC of `score_identity`; NaN if undefined.
    """

    test_share: float
    expected: float
    drawn: float
    identity_auroc: float


def measure_leakage(
    patients: np.ndarray | pd.Series,
    labels: np.ndarray,
    *,
    test_share: float,
    seed: int,
) -> Leakage:
    """Measures what a split by picture would leak.

    Args:
        patients: The patient of each radiograph, shape (rows,).
        labels: The findings present, without the negative class, bool, shape
            (rows, findings).
        test_share: The share of the pictures that is tested on.
        seed: Of the one split that is drawn.

    Returns:
        The measures.

    Raises:
        ConfigError: If training or test would be empty.
    """
    num_rows = len(patients)
    num_test = round(test_share * num_rows)
    if not 0 < num_test < num_rows:
        raise ConfigError(
            "leakage: both parts must hold at least one picture. Received: "
            f"test_share={test_share} of {num_rows:,}. Use more pictures."
        )
    codes = pd.factorize(np.asarray(patients))[0]
    test = np.zeros(num_rows, dtype=bool)
    drawn = np.random.default_rng((seed, 3)).permutation(num_rows)[:num_test]
    test[drawn] = True
    scores = score_identity(codes, labels, test=test)
    areas = auroc_per_class(labels[test], scores)
    defined = areas[~np.isnan(areas)]
    return Leakage(
        test_share=test_share,
        expected=expect_leakage(np.bincount(codes), num_test=num_test),
        drawn=share_in_training(codes, test=test),
        identity_auroc=float(defined.mean()) if len(defined) else float("nan"),
    )


def expect_leakage(sizes: np.ndarray, *, num_test: int) -> float:
    """Computes the share of test pictures with another of the patient in training.

    A test picture of a patient with k radiographs is alone there if the other k - 1
    are test pictures as well: drawn without replacement, with probability
    (t - 1)/(n - 1) times (t - 2)/(n - 2) and so on, k - 1 factors, where t of n
    pictures are tested on. A picture is of such a patient with probability k/n.

    Args:
        sizes: Radiographs of each patient, shape (patients,).
        num_test: How many of all radiographs are tested on, from 1.

    Returns:
        The mean over all splits of this size, in [0, 1].

    Example:
        >>> round(expect_leakage(np.array([2, 1, 1]), num_test=2), 3)  # .5 times 2/3
        0.333
    """
    num_rows = int(sizes.sum())
    others = np.arange(1, sizes.max())
    factors = np.clip((num_test - others) / np.maximum(num_rows - others, 1), 0, 1)
    alone = np.concatenate([[1.0], np.cumprod(factors)])  # by k - 1
    return float((sizes * (1 - alone[sizes - 1])).sum() / num_rows)


def share_in_training(patients: np.ndarray, *, test: np.ndarray) -> float:
    """Returns the share of test rows whose patient has a row outside the test.

    Args:
        patients: The patient of each row, shape (rows,).
        test: Whether a row is tested on, bool, shape (rows,).
    """
    return float(np.isin(patients[test], patients[~test]).mean())


def score_identity(
    codes: np.ndarray, labels: np.ndarray, *, test: np.ndarray
) -> np.ndarray:
    """Scores test radiographs by what their patient's training radiographs show.

    The score is the share of the patient's training radiographs with the finding,
    drawn towards the training mean as if `TRUST` radiographs more were of it; a
    patient not in training scores the mean. Neither picture nor record is looked at.

    Args:
        codes: The patient of each row, a number from 0, shape (rows,).
        labels: Labels present, bool, shape (rows, findings).
        test: Whether a row is tested on, bool, shape (rows,).

    Returns:
        Scores of the test rows, in [0, 1], shape (tested rows, findings).
    """
    counts = np.bincount(codes[~test], minlength=codes.max() + 1)
    sums = np.zeros((len(counts), labels.shape[1]))
    np.add.at(sums, codes[~test], labels[~test].astype("float64"))
    mean = labels[~test].mean(axis=0)
    means = (sums + TRUST * mean) / (counts + TRUST)[:, np.newaxis]
    return means[codes[test]]


def count_recurring(patients: pd.Series, folders: pd.Series) -> pd.DataFrame:
    """Counts whom a dataset's own folders share.

    Args:
        patients: The patient of each picture.
        folders: The folder of each picture.

    Returns:
        One row a folder: `folder`, `pictures`, `patients`, `shared_patients` (those
        with pictures in another folder), `shared_pictures` (pictures of those) and
        `shared_share` of the folder's pictures.
    """
    several = folders.groupby(patients.to_numpy()).transform("nunique").to_numpy() > 1
    rows = []
    for name in dict.fromkeys(folders.tolist()):
        inside = folders.to_numpy() == name
        rows.append(
            {
                "folder": name,
                "pictures": int(inside.sum()),
                "patients": patients[inside].nunique(),
                "shared_patients": patients[inside & several].nunique(),
                "shared_pictures": int((inside & several).sum()),
                "shared_share": float(several[inside].mean()),
            }
        )
    return pd.DataFrame(rows)
