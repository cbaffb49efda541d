"""The phantom's records: patients, their visits, and the findings of each visit.

A finding is there where a latent normal variable is high: the sum of what the
record makes likelier, what the patient brings to every visit, and chance. The
threshold is the quantile that gives the real table's prevalence.
"""

from dataclasses import dataclass

import numpy as np

from dualnet.data.phantom import statistics
from dualnet.data.phantom.statistics import FINDING_NAMES, FINDINGS

# Few radiographs reach the high follow-up numbers of the real table's long tail.
# With this factor, boosted trees on age, sex, view and follow-up alone reach a macro
# AUROC of .64 on 2,000 radiographs and .72 on 15,000 (real table: .62 to .65).
FOLLOW_UP_GAIN = 1.8
# Consecutive visits are more alike than distant ones; here a patient's share is the
# same for all visits, and with this factor the patient's number alone scores what
# it scores on the real table.
PERSISTENCE_GAIN = 0.7
# Part of what makes findings go together is the record they share, which is counted
# already; with this factor No Finding is as common as in the real table.
CORRELATION_GAIN = 0.75
MIN_PATIENTS_PER_FINDING = 4  # what a stratified split into three parts needs
MIN_PATIENTS_FOR_ALL_FINDINGS = 150
KEPT_STRENGTH_SHARE = 0.6  # of the visits show a finding as strong as the others
MOVED_SHARE = 0.35  # of the visits with a passing finding show it at a new place
# Findings whose place stays put from visit to visit.
CHRONIC = frozenset(
    ("Emphysema", "Fibrosis", "Hernia", "Mass", "Nodule", "Pleural_Thickening")
)


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One finding of one visit, as it is to be drawn.

    Args:
        name: The finding.
        strength: From 0 (not to be seen) to 1.
        place_visit: The visit that decided its place; visits that share it show
            the finding at the same place.
    """

    name: str
    strength: float
    place_visit: int


@dataclass(frozen=True, kw_only=True)
class Visit:
    """One radiograph of one patient, as it is to be drawn.

    Args:
        image_id: The picture's file name.
        patient: The patient's number, from 1.
        follow_up: The visit's number, from 0.
        age_years: Whole years, 0 to 95.
        sex: M or F.
        view_position: PA or AP.
        findings: What the radiograph shows, alphabetical; empty is No Finding.
    """

    image_id: str
    patient: int
    follow_up: int
    age_years: int
    sex: str
    view_position: str
    findings: tuple[Finding, ...]


def draw_visits(
    *, num_images: int, num_patients: int, seed: int, dependence: bool = True
) -> list[Visit]:
    """Draws the records of a phantom.

    Args:
        num_images: How many radiographs, at least `num_patients`.
        num_patients: How many patients.
        seed: Decides everything.
        dependence: Whether findings depend on view, age, sex and follow-up.

    Returns:
        One visit a radiograph, by patient and follow-up number.
    """
    rng = np.random.default_rng([seed, 0])
    records = _draw_records(rng, num_images, num_patients)
    latent = _draw_latent(rng, records, dependence=dependence)
    present = _present(latent, records.patient)
    strengths = _draw_strengths(rng, records.patient)
    moved = rng.random(present.shape) < MOVED_SHARE
    moved &= ~np.array([name in CHRONIC for name in FINDING_NAMES])
    return [
        Visit(
            image_id=f"{patient:08d}_{follow_up:03d}.png",
            patient=patient,
            follow_up=follow_up,
            age_years=int(records.age_years[row]),
            sex=str(records.sex[row]),
            view_position=str(records.view_position[row]),
            findings=tuple(
                Finding(
                    name=FINDING_NAMES[column],
                    strength=float(strengths[row, column]),
                    place_visit=follow_up if moved[row, column] else -1,
                )
                for column in np.flatnonzero(present[row])
            ),
        )
        for row, (patient, follow_up) in enumerate(
            zip(records.patient.tolist(), records.follow_up.tolist(), strict=True)
        )
    ]


@dataclass(frozen=True)
class _Records:
    """The record of every radiograph, arrays of shape (images,)."""

    patient: np.ndarray
    follow_up: np.ndarray
    age_years: np.ndarray
    sex: np.ndarray
    view_position: np.ndarray


def _draw_records(
    rng: np.random.Generator, num_images: int, num_patients: int
) -> _Records:
    """Draws patient, follow-up number, age, sex and view of every radiograph."""
    visits = _draw_visit_counts(rng, num_images, num_patients)
    patient = np.repeat(np.arange(1, num_patients + 1), visits)
    first_row = np.repeat(np.cumsum(visits) - visits, visits)
    follow_up = np.arange(num_images) - first_row
    first_age = np.interp(
        rng.random(num_patients), statistics.AGE_SHARES, statistics.AGES
    )
    steps = rng.choice(5, size=num_images, p=statistics.AGE_STEP_SHARES)
    years = np.cumsum(steps)
    age = np.floor(first_age)[patient - 1] + years - years[first_row]
    sex = np.where(rng.random(num_patients) < statistics.MALE_SHARE, "M", "F")
    return _Records(
        patient=patient,
        follow_up=follow_up,
        age_years=np.minimum(age, statistics.MAX_AGE_YEARS).astype(int),
        sex=sex[patient - 1],
        view_position=_draw_views(rng, patient, follow_up),
    )


def _draw_visit_counts(
    rng: np.random.Generator, num_images: int, num_patients: int
) -> np.ndarray:
    """Draws each patient's visits: the real table's shape, the sum as asked for."""
    shares = statistics.VISIT_SHARES
    drawn = np.interp(rng.random(num_patients), shares[::-1], statistics.VISITS[::-1])
    extra = np.floor(drawn) - 1
    if extra.sum() == 0:
        extra += 1
    wanted = num_images - num_patients
    exact = extra * wanted / extra.sum()
    counts = np.floor(exact).astype(int)
    # The largest remainders get what rounding left over.
    remainder = np.argsort(counts - exact, kind="stable")[: wanted - counts.sum()]
    counts[remainder] += 1
    return counts + 1


def _draw_views(
    rng: np.random.Generator, patient: np.ndarray, follow_up: np.ndarray
) -> np.ndarray:
    """Draws AP or PA: likelier AP later, and alike within a patient."""
    latent = np.interp(
        follow_up, statistics.PORTABLE_FOLLOW_UPS, statistics.PORTABLE_EFFECTS
    )
    share = statistics.PORTABLE_PERSISTENCE
    latent += np.sqrt(share) * rng.standard_normal(patient.max())[patient - 1]
    latent += np.sqrt(1 - share) * rng.standard_normal(len(patient))
    threshold = np.quantile(latent, 1 - statistics.PORTABLE_SHARE)
    return np.where(latent > threshold, "AP", "PA")


def _draw_latent(
    rng: np.random.Generator, records: _Records, *, dependence: bool
) -> np.ndarray:
    """Draws the latent variable of each finding, shape (images, 14)."""
    patient = records.patient
    correlation = CORRELATION_GAIN * statistics.correlation_matrix()
    np.fill_diagonal(correlation, 1.0)
    root = np.linalg.cholesky(correlation)
    shape = (int(patient.max()), len(FINDING_NAMES))
    lasting = (rng.standard_normal(shape) @ root.T)[patient - 1]
    passing = rng.standard_normal((len(patient), len(FINDING_NAMES))) @ root.T
    share = np.array([values.persistence for values in FINDINGS.values()])
    share *= PERSISTENCE_GAIN
    latent = np.sqrt(share) * lasting + np.sqrt(1 - share) * passing
    return latent + _record_effects(records) if dependence else latent


def _record_effects(records: _Records) -> np.ndarray:
    """Returns what the record adds to each latent variable, shape (images, 14)."""
    portable = records.view_position == "AP"
    male = records.sex == "M"
    follow_up = np.log1p(records.follow_up)
    age = records.age_years
    columns = [
        values.portable * portable
        + values.male * male
        + FOLLOW_UP_GAIN * values.follow_up * follow_up
        + np.interp(age, statistics.AGE_KNOTS, values.ages)
        for values in FINDINGS.values()
    ]
    return np.stack(columns, axis=1)


def _present(latent: np.ndarray, patient: np.ndarray) -> np.ndarray:
    """Returns which findings are there: the highest share of each latent variable."""
    present = np.zeros(latent.shape, dtype=bool)
    for column, values in enumerate(FINDINGS.values()):
        order = np.argsort(-latent[:, column], kind="stable")
        present[order[: round(values.prevalence * len(latent))], column] = True
        if patient.max() >= MIN_PATIENTS_FOR_ALL_FINDINGS:
            _widen(present[:, column], order, patient)
    return present


def _widen(present: np.ndarray, order: np.ndarray, patient: np.ndarray) -> None:
    """Gives the finding to the next likeliest patients until enough have it."""
    having = set(patient[present].tolist())
    for row in order:
        if len(having) >= MIN_PATIENTS_PER_FINDING:
            return
        if patient[row] not in having:
            present[row] = True
            having.add(int(patient[row]))


def _draw_strengths(rng: np.random.Generator, patient: np.ndarray) -> np.ndarray:
    """Draws strengths in 0.15 to 1, a fifth below .5, mostly alike in a patient."""
    shape = (len(patient), len(FINDING_NAMES))
    lasting = rng.beta(2.0, 1.2, size=(int(patient.max()), len(FINDING_NAMES)))
    passing = rng.beta(2.0, 1.2, size=shape)
    keeps = rng.random(shape) < KEPT_STRENGTH_SHARE
    return 0.15 + 0.85 * np.where(keeps, lasting[patient - 1], passing)
