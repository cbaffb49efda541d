"""What a split by picture leaks: the expectation against all splits, one by one."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from dualnet.errors import ConfigError
from dualnet.explore.leakage import (
    count_recurring,
    expect_leakage,
    measure_leakage,
    score_identity,
    share_in_training,
)


@pytest.mark.parametrize("num_test", [1, 2, 3, 5])
@pytest.mark.parametrize("sizes", [(3, 2, 1), (1, 1, 4), (6,), (2, 2, 2)])
def test_expectation_is_the_mean_over_all_splits(
    sizes: tuple[int, ...], num_test: int
) -> None:
    codes = np.repeat(np.arange(len(sizes)), sizes)
    shares = []
    for chosen in combinations(range(len(codes)), num_test):
        test = np.isin(np.arange(len(codes)), chosen)
        shares.append(share_in_training(codes, test=test))
    found = expect_leakage(np.array(sizes), num_test=num_test)
    assert found == pytest.approx(np.mean(shares))


def test_patients_with_one_radiograph_leak_nothing() -> None:
    assert expect_leakage(np.ones(9, int), num_test=3) == 0


def test_identity_scores_by_the_patients_own_training_labels() -> None:
    codes = np.array([0, 0, 0, 1, 1, 2])
    labels = np.array([[1], [1], [0], [0], [0], [1]], dtype=bool)
    test = np.array([False, False, True, False, True, True])
    # training: patient 0 has 2 of 2, patient 1 has 0 of 1, patient 2 none; mean 2/3
    scores = score_identity(codes, labels, test=test)[:, 0]
    assert scores.tolist() == pytest.approx([(2 + 2 / 3) / 3, (2 / 3) / 2, 2 / 3])


def test_a_label_of_the_patient_is_known_by_the_patient_alone() -> None:
    patients = np.repeat(np.arange(200), 10)
    labels = (patients % 2 == 0)[:, np.newaxis]
    leakage = measure_leakage(patients, labels, test_share=0.2, seed=0)
    assert leakage.identity_auroc == 1
    assert leakage.expected > 0.999
    assert leakage.drawn == pytest.approx(leakage.expected, abs=0.01)
    again = measure_leakage(patients, labels, test_share=0.2, seed=0)
    assert again == leakage


def test_both_parts_must_have_pictures() -> None:
    with pytest.raises(ConfigError, match=r"test_share=0\.1 of 3\b"):
        measure_leakage(np.arange(3), np.ones((3, 1), bool), test_share=0.1, seed=0)


def test_folders_share_patients() -> None:
    patients = pd.Series(["p", "p", "q", "p", "r"])
    folders = pd.Series(["train", "train", "train", "val", "val"])
    rows = count_recurring(patients, folders).set_index("folder")
    assert rows["pictures"].to_dict() == {"train": 3, "val": 2}
    assert rows["patients"].to_dict() == {"train": 2, "val": 2}
    assert rows["shared_patients"].to_dict() == {"train": 1, "val": 1}
    assert rows["shared_pictures"].to_dict() == {"train": 2, "val": 1}
    assert rows["shared_share"].to_dict() == pytest.approx(
        {"train": 2 / 3, "val": 1 / 2}
    )
