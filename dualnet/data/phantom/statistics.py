"""What the real table says, measured once: the phantom's records follow it.

Source of every figure: NIH's `Data_Entry_2017_v2020.csv` (112,120 radiographs of
30,805 patients; Wang et al., CVPR 2017). The phantom does not read that file.
"""

from typing import NamedTuple

import numpy as np


class FindingStatistics(NamedTuple):
    """How often a finding is there, and what of the record makes it likelier.

    All effects are in standard deviations of a latent normal variable: logistic
    regressions of the finding on the record, divided by 1.75.

    Args:
        prevalence: Share of the radiographs with the finding.
        persistence: Tetrachoric correlation of one patient's consecutive visits.
        portable: Effect of an AP view against a PA view.
        male: Effect of being a man.
        follow_up: Effect per unit of log(1 + follow-up number).
        ages: Effects at `AGE_KNOTS`, linear between them, against 40 years.
    """

    prevalence: float
    persistence: float
    portable: float
    male: float
    follow_up: float
    ages: tuple[float, float, float, float, float, float]


AGE_KNOTS = (5, 20, 40, 60, 75, 85)

# Edema's effect of AP is 1.24 by regression; 1.00 keeps the share of AP among its
# radiographs near the real 88 % (92 %), since here AP also comes with later visits.
# Hernia at 5 years: no case below 15 years in the table; its regression has no
# value there, -1 stands for "never".
FINDINGS = {
    "Atelectasis": FindingStatistics(
        0.10309, 0.53, 0.18, 0.07, 0.10, (-0.16, -0.25, 0.00, 0.20, 0.26, 0.21)
    ),
    "Cardiomegaly": FindingStatistics(
        0.02476, 0.68, 0.05, -0.23, 0.05, (0.22, -0.02, 0.00, -0.01, 0.08, 0.42)
    ),
    "Consolidation": FindingStatistics(
        0.04163, 0.55, 0.46, -0.01, 0.22, (0.32, -0.09, 0.00, -0.02, 0.05, 0.35)
    ),
    "Edema": FindingStatistics(
        0.02054, 0.65, 1.00, -0.14, 0.14, (-0.11, -0.05, 0.00, 0.01, -0.53, 0.06)
    ),
    "Effusion": FindingStatistics(
        0.11877, 0.64, 0.04, -0.04, 0.26, (-0.23, -0.09, 0.00, 0.17, 0.31, 0.35)
    ),
    "Emphysema": FindingStatistics(
        0.02244, 0.79, -0.23, 0.16, 0.23, (0.09, 0.44, 0.00, 0.49, 0.61, 0.63)
    ),
    "Fibrosis": FindingStatistics(
        0.01504, 0.59, -0.71, -0.06, 0.02, (-0.97, -0.32, 0.00, 0.13, 0.38, 0.75)
    ),
    "Hernia": FindingStatistics(
        0.00202, 0.91, -0.70, -0.33, -0.11, (-1.00, -0.18, 0.00, 1.35, 1.63, 2.82)
    ),
    "Infiltration": FindingStatistics(
        0.17743, 0.40, 0.20, 0.01, 0.17, (0.20, 0.02, 0.00, -0.04, 0.02, -0.02)
    ),
    "Mass": FindingStatistics(
        0.05157, 0.72, -0.10, 0.11, 0.06, (-0.23, 0.02, 0.00, 0.21, 0.04, 0.28)
    ),
    "Nodule": FindingStatistics(
        0.05647, 0.60, -0.18, 0.04, 0.03, (-0.44, -0.14, 0.00, 0.18, 0.00, 0.20)
    ),
    "Pleural_Thickening": FindingStatistics(
        0.03019, 0.55, -0.47, 0.08, 0.17, (-0.04, 0.01, 0.00, 0.26, 0.40, 0.31)
    ),
    "Pneumonia": FindingStatistics(
        0.01276, 0.45, 0.18, 0.03, 0.18, (0.42, 0.10, 0.00, -0.05, -0.08, 0.27)
    ),
    "Pneumothorax": FindingStatistics(
        0.04729, 0.83, -0.50, -0.15, 0.38, (0.12, 0.23, 0.00, 0.09, 0.09, 0.25)
    ),
}
FINDING_NAMES = tuple(FINDINGS)

# Tetrachoric correlations of the findings of one radiograph, in `FINDING_NAMES`'
# order, lower triangle by rows.
CORRELATION_ROWS = (
    (0.07,),
    (0.31, 0.08),
    (-0.02, 0.16, 0.11),
    (0.37, 0.39, 0.28, 0.23),
    (0.13, -0.06, 0.00, -0.09, 0.05),
    (0.06, 0.04, 0.02, -0.19, -0.01, -0.01),
    (0.11, 0.03, -0.11, -0.05, -0.05, -0.03, 0.12),
    (0.21, 0.05, 0.14, 0.31, 0.25, 0.00, 0.04, -0.04),
    (0.06, -0.07, 0.25, 0.02, 0.20, 0.11, 0.06, 0.13, 0.04),
    (-0.03, -0.07, 0.12, 0.00, 0.06, -0.04, 0.12, -0.04, 0.12, 0.30),
    (0.10, 0.06, 0.13, -0.01, 0.23, 0.14, 0.26, 0.02, 0.07, 0.24, 0.19),
    (0.14, 0.02, 0.15, 0.56, 0.12, -0.05, -0.09, 0.00, 0.29, -0.01, -0.03, 0.02),
    (0.10, -0.17, 0.00, -0.20, 0.15, 0.51, 0.00, -0.03, 0.00, 0.12, 0.03, 0.14, -0.09),
)

PORTABLE_SHARE = 0.39966  # AP among all radiographs
MALE_SHARE = 0.5398  # among the patients
# Share of AP by follow-up number, as normal quantiles: .118 of the first visits,
# .701 beyond the sixteenth.
PORTABLE_FOLLOW_UPS = (0, 1, 3, 6, 12, 30)
PORTABLE_EFFECTS = (-1.19, -0.33, -0.16, -0.08, 0.03, 0.53)
PORTABLE_PERSISTENCE = 0.55

# Ages at the first visit, in years, at these shares of the patients.
AGE_SHARES = (0, 0.01, 0.05, 0.10, 0.25, 0.50, 0.75, 0.90, 0.95, 0.99, 1)
AGES = (0, 6, 17, 23, 33, 47, 58, 66, 71, 79, 95)
MAX_AGE_YEARS = 95
AGE_STEP_SHARES = (0.82805, 0.11496, 0.02820, 0.01242, 0.01637)  # 0 … 4 years a visit

# Share of the patients with at least so many visits; the tail beyond 40 (0.8 %)
# is cut, so that no single patient fills a small phantom.
VISITS = (1, 2, 3, 4, 5, 6, 8, 11, 16, 21, 31, 41)
VISIT_SHARES = (
    1.0,
    0.4318,
    0.2983,
    0.2301,
    0.1870,
    0.1565,
    0.1112,
    0.0722,
    0.0403,
    0.0261,
    0.0129,
    0.0,
)

# The commonest matrices and pixel spacings (as NIH prints them) by view.
SCANNERS = {
    "PA": (
        (2992, 2991, "0.14300000000000002"),
        (2500, 2048, "0.168"),
        (2048, 2500, "0.168"),
        (2021, 2021, "0.194311"),
    ),
    "AP": (
        (2500, 2048, "0.168"),
        (3056, 2544, "0.139"),
        (2500, 2048, "0.171"),
        (2048, 2500, "0.168"),
    ),
}
SCANNER_SHARES = {"PA": (0.55, 0.2, 0.15, 0.1), "AP": (0.54, 0.32, 0.11, 0.03)}

# The findings NIH's radiologists boxed, under the name its table of boxes uses.
BOXED_FINDINGS = {
    "Atelectasis": "Atelectasis",
    "Cardiomegaly": "Cardiomegaly",
    "Effusion": "Effusion",
    "Infiltration": "Infiltrate",
    "Mass": "Mass",
    "Nodule": "Nodule",
    "Pneumonia": "Pneumonia",
    "Pneumothorax": "Pneumothorax",
}


def correlation_matrix() -> np.ndarray:
    """Returns the findings' correlations, float64, shape (14, 14)."""
    matrix = np.eye(len(FINDING_NAMES))
    for row, values in enumerate(CORRELATION_ROWS, start=1):
        matrix[row, :row] = matrix[:row, row] = values
    return matrix
