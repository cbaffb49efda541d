"""Probes: what gives a finding away scores, what cannot be seen does not."""

import numpy as np
import pandas as pd
import pytest
from truth_cases import TINY, make_table

from dualnet.data.thumbnails import border_mask
from dualnet.evaluation.auditing.probes import (
    BORDER_ONLY,
    BORDER_THUMBNAIL,
    CENTRE_MASKED,
    fit_thumbnails,
    probe_source,
    score_probes,
)
from dualnet.evaluation.intervals.bootstrap import resample_patients
from dualnet.evaluation.scores.baselines import Prediction
from dualnet.evaluation.scores.truth import Truth, make_truth
from dualnet.scores import auroc

ROWS = 300


def half_edema() -> tuple[pd.DataFrame, np.ndarray]:
    table = make_table(*[("Edema",), ("No Finding",)] * (ROWS // 2))
    return table, make_truth(table, TINY).labels


def thumbnails(edema: np.ndarray, place: tuple[int, int]) -> np.ndarray:
    """Noise, with a pixel that is brighter where there is an edema."""
    pictures = np.random.default_rng(0).integers(80, 120, (len(edema), 16, 16))
    pictures[:, *place] += 60 * edema
    return pictures.astype(np.uint8)


@pytest.mark.parametrize(
    ("place", "border", "found"),
    [((8, 8), False, True), ((8, 8), True, False), ((0, 5), True, True)],
)
def test_a_thumbnail_model_sees_what_its_pixels_show(
    place: tuple[int, int], border: bool, found: bool
) -> None:
    _, labels = half_edema()
    pictures = thumbnails(labels[:, 0], place)
    train, judged = slice(0, 200), slice(200, None)
    model = fit_thumbnails(
        pictures[train],
        first=labels[train].argmax(axis=1),
        labels=labels[train],
        cells=border_mask(16, 1) if border else None,
    )
    prediction = model.predict(pictures[judged])
    area = auroc(labels[judged, 0], prediction.scores[:, 0])
    assert area > 0.85 if found else area < 0.65
    np.testing.assert_allclose(prediction.probabilities.sum(axis=1), 1)
    assert (prediction.scores[:, 1] == 0).all()  # no Mass to learn from
    again = fit_thumbnails(
        pictures[train],
        first=labels[train].argmax(axis=1),
        labels=labels[train],
        cells=model.cells,
    ).predict(pictures[judged])
    assert (again.probabilities == prediction.probabilities).all()


def as_prediction(truth: Truth, strength: float, seed: int) -> Prediction:
    """Tells an edema the better, the larger the strength."""
    noise = np.random.default_rng(seed).normal(size=truth.num_images)
    share = 1 / (1 + np.exp(-(noise + strength * (2 * truth.labels[:, 0] - 1))))
    return Prediction(np.stack([share, np.zeros_like(share), 1 - share], axis=1))


def judge(border: float, model: float) -> dict[str, object]:
    table, _ = half_edema()
    truth = make_truth(table, TINY)
    draws = resample_patients(truth.patient_ids, num_resamples=100, seed=0)
    probes = {
        CENTRE_MASKED: as_prediction(truth, 3, 1),
        BORDER_ONLY: as_prediction(truth, 0, 2),
        BORDER_THUMBNAIL: as_prediction(truth, border, 3),
    }
    return score_probes(truth, as_prediction(truth, model, 4), probes, draws)


def test_a_border_that_says_nearly_as_much_is_a_shortcut() -> None:
    found = judge(border=1.5, model=1.6)
    assert [(one["probe"], one["finding"]) for one in found["shortcuts"]] == [
        (BORDER_THUMBNAIL, None),
        (BORDER_THUMBNAIL, "Edema"),
    ]
    one = found["shortcuts"][0]
    assert one["auroc"] == found[BORDER_THUMBNAIL]["macro"]["auroc"]
    assert one["model_auroc"] == found["model"]["macro"]["auroc"]


@pytest.mark.parametrize(("border", "model"), [(0.0, 1.6), (0.4, 1.6), (0.0, 0.0)])
def test_a_border_that_says_little_is_none(border: float, model: float) -> None:
    found = judge(border, model)
    assert found["shortcuts"] == []
    assert found[CENTRE_MASKED]["macro"]["auroc"] > 0.95  # but it may see a lung
    difference = found[CENTRE_MASKED]["model_minus"]["macro_auroc"]["difference"]
    assert difference == pytest.approx(
        found["model"]["macro"]["auroc"] - found[CENTRE_MASKED]["macro"]["auroc"]
    )


def ask_source(sources: np.ndarray, strength: float) -> dict[str, object] | None:
    features = np.random.default_rng(3).normal(size=(len(sources), 5))
    features[:, 2] += strength * (sources == "old")
    patients = np.arange(len(sources)) // 2
    draws = resample_patients(patients.astype(str), num_resamples=100, seed=0)
    return probe_source(features, sources, draws, seed=0)


def test_a_source_is_told_from_features_that_hold_it() -> None:
    sources = np.where(np.arange(200) // 2 % 3 == 0, "old", "new")
    found = ask_source(sources, 4.0)
    assert found is not None
    assert found["auroc"] > 0.95
    assert found["values"]["old"]["n"] == 68
    assert found["auroc_interval"]["low"] > 0.9


def test_a_source_is_not_told_from_noise() -> None:
    sources = np.where(np.arange(200) // 2 % 3 == 0, "old", "new")
    found = ask_source(sources, 0.0)
    assert found is not None
    assert found["auroc_interval"]["low"] < 0.5 < found["auroc_interval"]["high"] + 0.1


def test_rows_of_unknown_source_are_left_out() -> None:
    sources = np.where(np.arange(200) // 2 % 3 == 0, "old", "new")
    sources[:20] = ""
    found = ask_source(sources, 4.0)
    assert found is not None
    assert found["num_images"] == 180


def test_a_source_of_few_patients_is_not_scored() -> None:
    two = np.where(np.arange(200) // 2 % 3 == 0, "old", "new")
    three = two.copy()
    three[:8] = "odd"  # of four patients
    found = ask_source(three, 4.0)
    assert found is not None
    assert found["num_scored"] == 2
    rare = found["values"].pop("odd")
    assert (rare["n"], rare["auroc"], rare["auroc_interval"]["low"]) == (8, None, None)
    areas = [one["auroc"] for one in found["values"].values()]
    assert found["auroc"] == pytest.approx(sum(areas) / 2)
    two[8:] = "new"
    assert ask_source(two, 4.0) is None  # the other value lacks patients to compare


def test_one_source_and_a_name_are_no_question() -> None:
    assert ask_source(np.full(40, "nih"), 1.0) is None
    assert ask_source(np.array([str(number) for number in range(40)]), 1.0) is None
