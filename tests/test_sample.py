"""Samples draw whole patients."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st
from patient_tables import make_many, make_table

from dualnet.data.split import (
    sample_patients,
)
from dualnet.errors import RecordError


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return make_many(400)


@pytest.mark.parametrize("num_images", [120, 400, 777])
def test_sample_draws_whole_patients_up_to_the_number(
    table: pd.DataFrame, num_images: int
) -> None:
    sample = sample_patients(table, num_images=num_images, seed=0)
    assert len(sample) == num_images  # the table has single radiographs to fill up with
    whole = table[table["patient_id"].isin(sample["patient_id"])]
    pd.testing.assert_frame_equal(sample, whole.reset_index(drop=True))


@settings(deadline=None, max_examples=20)
@given(
    st.lists(st.integers(1, 30), min_size=2, max_size=40),
    st.integers(1, 400),
    st.integers(0, 9),
)
def test_sample_is_never_larger_and_nobody_left_out_would_fit(
    sizes: list[int], num_images: int, seed: int
) -> None:
    table = make_table(*(("No Finding",) * size for size in sizes))
    if num_images < min(sizes):
        with pytest.raises(RecordError, match=f"at least {min(sizes)}, .*{num_images}"):
            sample_patients(table, num_images=num_images, seed=seed)
        return
    sample = sample_patients(table, num_images=num_images, seed=seed)
    left = table[~table["patient_id"].isin(sample["patient_id"])]
    room = num_images - len(sample)
    assert room >= 0
    assert left.empty or left.groupby("patient_id").size().min() > room


@pytest.mark.parametrize("num_images", [-1, 0, 2])
def test_sample_too_small_for_any_patient_is_an_error(num_images: int) -> None:
    table = make_table(("Mass",) * 3, ("Mass",) * 5)
    with pytest.raises(RecordError, match=rf"sample: .*at least 3, .*: {num_images}\."):
        sample_patients(table, num_images=num_images, seed=0)


def test_sample_is_stratified(table: pd.DataFrame) -> None:
    share = 0.25
    rare = table["findings"].map(lambda names: "Edema" in names)
    drawn = [
        sample_patients(table, num_images=int(share * len(table)), seed=seed)
        for seed in range(12)
    ]
    kept = [rows["findings"].map(lambda n: "Edema" in n).sum() for rows in drawn]
    assert np.mean(kept) / rare.sum() == pytest.approx(share, abs=0.06)


def test_sample_is_the_same_for_the_same_seed(table: pd.DataFrame) -> None:
    first = sample_patients(table, num_images=200, seed=5)
    again = sample_patients(table, num_images=200, seed=5)
    other = sample_patients(table, num_images=200, seed=6)
    pd.testing.assert_frame_equal(first, again)
    assert first["image_id"].tolist() != other["image_id"].tolist()


def test_sample_of_more_than_there_is_is_the_table(table: pd.DataFrame) -> None:
    for num_images in (len(table), 10**6):
        assert sample_patients(table, num_images=num_images, seed=0) is table
