import math

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from dualnet.errors import DualNetError
from dualnet.scores import auroc, auroc_per_class, macro_auroc


def test_auroc_counts_ordered_pairs_and_halves_of_ties():
    y_true = np.array([True, False, True, False, False])
    y_score = np.array([0.8, 0.8, 0.4, 0.1, 0.5])
    # pairs of .8: one tie, two won; pairs of .4: won one of three
    assert auroc(y_true, y_score) == pytest.approx((0.5 + 2 + 1) / 6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_auroc_agrees_with_scikit_learn_on_tied_scores(dtype: str):
    rng = np.random.default_rng(0)
    y_true = rng.random(500) < 0.1
    y_score = rng.integers(0, 20, 500).astype(dtype) / 20
    assert auroc(y_true, y_score) == pytest.approx(
        roc_auc_score(y_true, y_score), abs=1e-12
    )


def test_auroc_of_a_constant_score_is_one_half():
    assert auroc(np.array([True, False, False]), np.full(3, 0.3)) == 0.5


@pytest.mark.parametrize("y_true", [[True, True], [False, False], []])
def test_auroc_of_one_kind_of_rows_is_undefined(y_true: list[bool]):
    assert math.isnan(auroc(np.array(y_true, bool), np.zeros(len(y_true))))


def test_macro_auroc_leaves_out_the_negative_class_and_undefined_findings():
    y_true = np.array([[1, 0, 0], [0, 0, 1], [0, 0, 1], [1, 0, 0]], bool)
    y_score = np.array(
        [[0.9, 0.0, 0.9], [0.1, 0.0, 0.1], [0.5, 0.0, 0.1], [0.5, 0.0, 0.9]]
    )
    findings = np.array([True, True, False])  # Mass, Hernia, and not No Finding
    per_class = auroc_per_class(y_true, y_score)
    assert per_class[0] == 3.5 / 4
    assert math.isnan(per_class[1])
    assert per_class[2] == 0
    assert macro_auroc(y_true, y_score, scored=findings) == 3.5 / 4


def test_macro_auroc_is_nan_when_no_finding_is_defined():
    y_true = np.array([[0, 1], [0, 1]], bool)
    value = macro_auroc(y_true, np.zeros((2, 2)), scored=np.array([True, False]))
    assert math.isnan(value)


def test_auroc_refuses_nan_scores():
    with pytest.raises(DualNetError, match="1 of 2 NaN"):
        auroc(np.array([True, False]), np.array([np.nan, 0.1]))


def test_auroc_refuses_another_shape():
    with pytest.raises(DualNetError, match=r"scores=\(3,\), labels=\(2,\)"):
        auroc(np.array([True, False]), np.zeros(3))
