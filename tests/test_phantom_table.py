"""The phantom's records against the figures measured on the real table."""

import itertools
from collections import defaultdict

import numpy as np
import pytest

from dualnet.data.phantom.statistics import FINDING_NAMES, FINDINGS, correlation_matrix
from dualnet.data.phantom.table import CHRONIC, Visit, draw_visits
from dualnet.findings import NIH


@pytest.fixture(scope="module")
def visits() -> list[Visit]:
    return draw_visits(num_images=12_000, num_patients=3_300, seed=1)


def present(visits: list[Visit]) -> np.ndarray:
    return np.array(
        [
            [
                name in {finding.name for finding in visit.findings}
                for name in FINDING_NAMES
            ]
            for visit in visits
        ]
    )


def share_without_finding(visits: list[Visit]) -> float:
    return float(np.mean([not visit.findings for visit in visits]))


def test_findings_are_those_of_the_vocabulary():
    assert NIH.findings == FINDING_NAMES


def test_correlations_are_those_of_a_distribution():
    assert np.linalg.eigvalsh(correlation_matrix()).min() > 0


def test_images_patients_and_follow_ups_are_counted(visits: list[Visit]):
    assert len(visits) == 12_000
    assert len({visit.image_id for visit in visits}) == 12_000
    by_patient = defaultdict(list)
    for visit in visits:
        by_patient[visit.patient].append(visit.follow_up)
    assert sorted(by_patient) == list(range(1, 3_301))
    assert all(numbers == list(range(len(numbers))) for numbers in by_patient.values())
    assert visits[0].image_id == "00000001_000.png"


def test_visits_follow_the_real_long_tail(visits: list[Visit]):
    counts = np.bincount([visit.patient for visit in visits])[1:]
    assert np.mean(counts == 1) == pytest.approx(0.568, abs=0.05)
    assert counts.max() > 20


def test_prevalences_are_the_real_ones(visits: list[Visit]):
    shares = present(visits).mean(axis=0)
    wanted = [values.prevalence for values in FINDINGS.values()]
    np.testing.assert_allclose(shares, wanted, atol=0.001)


def test_no_finding_and_several_findings_are_as_common_as_in_the_real_table(
    visits: list[Visit],
):
    assert share_without_finding(visits) == pytest.approx(0.538, abs=0.035)
    several = np.mean([len(visit.findings) > 1 for visit in visits])
    assert several == pytest.approx(0.185, abs=0.025)


def test_record_is_as_in_the_real_table(visits: list[Visit]):
    portable = np.mean([visit.view_position == "AP" for visit in visits])
    assert portable == pytest.approx(0.400, abs=0.005)
    ages = np.array([visit.age_years for visit in visits])
    assert ages.min() >= 0
    assert ages.max() <= 95
    assert ages.mean() == pytest.approx(46.6, abs=2)
    first = [visit for visit in visits if visit.follow_up == 0]
    assert np.mean([v.sex == "M" for v in first]) == pytest.approx(0.54, abs=0.03)


def test_a_patient_keeps_sex_and_does_not_grow_younger(visits: list[Visit]):
    for before, after in itertools.pairwise(visits):
        if before.patient == after.patient:
            assert before.sex == after.sex
            assert after.age_years >= before.age_years


def test_edema_is_portable_and_hernia_is_old(visits: list[Visit]):
    edema = [v for v in visits if "Edema" in {f.name for f in v.findings}]
    assert np.mean([v.view_position == "AP" for v in edema]) > 0.8
    hernia = [v for v in visits if "Hernia" in {f.name for f in v.findings}]
    assert np.mean([v.age_years for v in hernia]) > 55


def test_no_finding_falls_with_follow_up(visits: list[Visit]):
    first = share_without_finding([v for v in visits if v.follow_up == 0])
    later = share_without_finding([v for v in visits if v.follow_up >= 1])
    latest = share_without_finding([v for v in visits if v.follow_up > 10])
    assert first - 0.1 > later > latest + 0.1


def test_findings_that_go_together_do_so(visits: list[Visit]):
    table = present(visits).astype(float)
    shares = table.mean(axis=0)
    for one, other in (("Edema", "Pneumonia"), ("Emphysema", "Pneumothorax")):
        i, j = FINDING_NAMES.index(one), FINDING_NAMES.index(other)
        assert (table[:, i] * table[:, j]).mean() > 3 * shares[i] * shares[j]


def test_findings_persist_within_a_patient(visits: list[Visit]):
    table = present(visits)
    patient = np.array([visit.patient for visit in visits])
    again = patient[1:] == patient[:-1]
    column = FINDING_NAMES.index("Effusion")
    before, after = table[:-1, column][again], table[1:, column][again]
    assert after[before].mean() > 2.5 * after[~before].mean()


def test_lasting_findings_keep_their_place(visits: list[Visit]):
    places = {
        finding.place_visit
        for visit in visits
        for finding in visit.findings
        if finding.name in CHRONIC
    }
    assert places == {-1}


def test_without_dependence_the_record_says_nothing():
    visits = draw_visits(
        num_images=12_000, num_patients=6_000, seed=1, dependence=False
    )
    edema = [v for v in visits if "Edema" in {f.name for f in v.findings}]
    assert np.mean([v.view_position == "AP" for v in edema]) < 0.5
    first = share_without_finding([v for v in visits if v.follow_up == 0])
    later = share_without_finding([v for v in visits if v.follow_up > 0])
    assert first == pytest.approx(later, abs=0.04)


@pytest.mark.parametrize("seed", range(3))
def test_every_finding_has_four_patients_from_150_patients_on(seed: int):
    visits = draw_visits(num_images=200, num_patients=150, seed=seed)
    patients = defaultdict(set)
    for visit in visits:
        for finding in visit.findings:
            patients[finding.name].add(visit.patient)
    assert {name: len(patients[name]) >= 4 for name in FINDING_NAMES} == dict.fromkeys(
        FINDING_NAMES, True
    )


@pytest.mark.parametrize(
    ("num_images", "num_patients"), [(1, 1), (7, 7), (90, 30), (5, 1)]
)
def test_any_size_gives_exactly_what_was_asked_for(num_images: int, num_patients: int):
    visits = draw_visits(num_images=num_images, num_patients=num_patients, seed=0)
    assert len(visits) == num_images
    assert len({visit.patient for visit in visits}) == num_patients


def test_strengths_are_mostly_plain_and_partly_subtle(visits: list[Visit]):
    strengths = np.array([f.strength for v in visits for f in v.findings])
    assert strengths.min() >= 0.1
    assert strengths.max() <= 1
    assert 0.1 < np.mean(strengths < 0.5) < 0.4


def test_same_seed_same_records_other_seed_others():
    arguments = {"num_images": 40, "num_patients": 20}
    assert draw_visits(**arguments, seed=5) == draw_visits(**arguments, seed=5)
    assert draw_visits(**arguments, seed=5) != draw_visits(**arguments, seed=6)
