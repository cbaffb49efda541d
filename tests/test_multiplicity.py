import numpy as np
import pytest
from scipy.stats import false_discovery_control

from dualnet.evaluation.intervals.multiplicity import (
    adjust_benjamini_hochberg,
    adjust_holm,
)

# the fifteen p-values of Benjamini and Hochberg 1995, section 3.2: at .05 Bonferroni's
# and Holm's kind of control find three, theirs four
PUBLISHED = np.array(
    [
        *(0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344),
        *(0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0000),
    ]
)


def test_published_example_finds_three_and_four() -> None:
    assert (adjust_holm(PUBLISHED) <= 0.05).sum() == 3
    assert (adjust_benjamini_hochberg(PUBLISHED) <= 0.05).sum() == 4


def test_holm_by_hand() -> None:
    found = adjust_holm(np.array([0.04, 0.01, 0.03, 0.005]))
    # sorted .005, .01, .03, .04 times 4, 3, 2, 1, none below the one before
    assert found == pytest.approx([0.06, 0.03, 0.06, 0.02], abs=1e-15)


@pytest.mark.parametrize("seed", range(5))
def test_benjamini_hochberg_is_scipys(seed: int) -> None:
    p_values = np.random.default_rng(seed).beta(0.5, 2, size=14).round(2)
    expected = false_discovery_control(p_values)
    assert adjust_benjamini_hochberg(p_values) == pytest.approx(expected, abs=1e-15)


@pytest.mark.parametrize("adjust", [adjust_holm, adjust_benjamini_hochberg])
def test_undefined_tests_stay_so_and_do_not_count(adjust) -> None:
    p_values = np.array([0.01, np.nan, 0.03, 0.2])
    found = adjust(p_values)
    assert np.isnan(found[1])
    assert found[[0, 2, 3]].tolist() == adjust(p_values[[0, 2, 3]]).tolist()


@pytest.mark.parametrize("adjust", [adjust_holm, adjust_benjamini_hochberg])
def test_adjusted_values_keep_the_order_and_the_range(adjust) -> None:
    p_values = np.random.default_rng(0).random(30)
    found = adjust(p_values)
    assert (found >= p_values).all()
    assert found.max() <= 1
    assert (np.diff(found[np.argsort(p_values)]) >= 0).all()


@pytest.mark.parametrize("adjust", [adjust_holm, adjust_benjamini_hochberg])
def test_one_test_or_none_needs_no_correction(adjust) -> None:
    assert adjust(np.array([0.04])).tolist() == [0.04]
    assert adjust(np.array([])).size == 0
    assert np.isnan(adjust(np.array([np.nan]))).all()
