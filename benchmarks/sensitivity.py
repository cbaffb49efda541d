"""Sensitivity of a judged run at a specificity, with its interval by patient.

    python benchmarks/sensitivity.py runs/pneumonia --finding Pneumonia --specificity 0.95

Reads `evaluation/predictions.csv`. The threshold is the lowest that leaves the specificity
on the judged radiographs themselves, as the literature states it, and is found anew in each
resample of patients; thresholds that were chosen on the validation part are in the report.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from dualnet.scores import auroc

RESAMPLES = 1000


def main() -> None:
    """Prints AUROC and sensitivity with their intervals."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--finding", required=True)
    parser.add_argument("--specificity", type=float, default=0.95)
    options = parser.parse_args()
    table = pd.read_csv(
        options.run / "evaluation" / "predictions.csv", dtype={"patient_id": str}
    )
    present = np.array([options.finding in x.split("|") for x in table["findings"]])
    said = table[options.finding].to_numpy()
    codes, patients = pd.factorize(table["patient_id"])
    rows = [np.flatnonzero(codes == code) for code in range(len(patients))]
    random = np.random.default_rng(0)
    drawn = []
    for _ in range(RESAMPLES):
        some = np.concatenate(
            [rows[one] for one in random.choice(len(rows), len(rows))]
        )
        drawn.append(score(present[some], said[some], options.specificity))
    low, high = np.percentile(drawn, [2.5, 97.5], axis=0)
    values = score(present, said, options.specificity)
    names = ("AUROC", f"sensitivity at specificity {options.specificity:g}")
    for place, name in enumerate(names):
        print(f"{name}: {values[place]:.3f} [{low[place]:.3f}, {high[place]:.3f}]")
    print(f"{len(table):,} radiographs of {len(patients):,} patients")


def score(
    present: np.ndarray, said: np.ndarray, specificity: float
) -> tuple[float, float]:
    """Returns AUROC, and the share of the positives above enough of the negatives."""
    without = np.sort(said[~present])
    # so many of the negatives may be called, and no more
    allowed = int((1 - specificity) * len(without) + 1e-9)
    threshold = without[len(without) - allowed - 1]
    return auroc(present, said), float((said[present] > threshold).mean())


if __name__ == "__main__":
    main()
