"""An epoch is chosen by findings that enough patients have."""

import logging

import numpy as np
import pytest

from dualnet.errors import RecordError
from dualnet.findings import NIH
from dualnet.training.selection import choose_findings

EDEMA, HERNIA = (NIH.class_names.index(name) for name in ("Edema", "Hernia"))
NEGATIVE = NIH.class_names.index(NIH.negative)


def make_labels(counts: dict[int, int], num_rows: int = 40) -> np.ndarray:
    """The first rows have a finding, as many as asked for; the rest have none."""
    labels = np.zeros((num_rows, len(NIH.class_names)), dtype=bool)
    for column, count in counts.items():
        labels[:count, column] = True
    labels[:, NEGATIVE] = ~labels.any(axis=1)
    return labels


def test_a_finding_of_four_patients_does_not_choose(caplog) -> None:
    labels = make_labels({EDEMA: 5, HERNIA: 4})
    with caplog.at_level(logging.INFO):
        chosen = choose_findings(labels, np.arange(40), NIH)
    assert np.flatnonzero(chosen).tolist() == [EDEMA]
    assert "chosen by 1 of 14 findings" in caplog.text
    assert "Hernia" in caplog.text


@pytest.mark.parametrize(("shared", "chooses"), [(16, True), (17, False)])
def test_patients_count_and_not_their_radiographs(shared: int, chooses: bool) -> None:
    labels = make_labels({EDEMA: 20, HERNIA: 30})
    patients = np.arange(40)
    patients[:shared] = 0  # of the 20 radiographs; the others are of a patient each
    assert choose_findings(labels, patients, NIH)[EDEMA] == chooses


def test_without_a_frequent_finding_all_that_can_be_scored_choose() -> None:
    labels = make_labels({EDEMA: 2, HERNIA: 1})
    chosen = choose_findings(labels, np.arange(40), NIH)
    assert np.flatnonzero(chosen).tolist() == [EDEMA, HERNIA]


def test_no_finding_is_none_that_chooses() -> None:
    labels = make_labels({EDEMA: 10})
    assert not choose_findings(labels, np.arange(40), NIH)[NEGATIVE]


def test_a_part_of_one_kind_is_refused() -> None:
    with pytest.raises(RecordError, match="Received: 40 radiographs without one"):
        choose_findings(make_labels({}), np.arange(40), NIH)
