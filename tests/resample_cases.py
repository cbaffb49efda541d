"""Rows to resample, and draws that are known."""

import numpy as np
import pytest

from dualnet.evaluation.intervals.bootstrap import PatientResamples, resample_patients


def drawn_weights(resamples: PatientResamples) -> np.ndarray:
    """How often each patient was drawn, shape (num_resamples, num_patients)."""
    return np.concatenate(list(resamples.draw()))


def random_rows(
    seed: int, *, num_rows: int = 300, num_classes: int = 4
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Patients of about three rows, labels, and scores with many ties."""
    generator = np.random.default_rng(seed)
    patients = generator.integers(num_rows // 3, size=num_rows)
    labels = generator.random((num_rows, num_classes)) < 0.3
    scores = generator.integers(12, size=(num_rows, num_classes)) / 12
    return patients, labels, scores


def everybody_once(
    patients: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> PatientResamples:
    """One resample, in which each patient is drawn once."""
    monkeypatch.setattr(
        PatientResamples,
        "draw",
        lambda self: iter([np.ones((1, self.num_patients), dtype=np.int64)]),
    )
    return resample_patients(patients, num_resamples=1, seed=0)
