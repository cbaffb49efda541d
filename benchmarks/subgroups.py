"""Breaking an evaluation down, on as many rows as NIH's official test has.

    python benchmarks/subgroups.py

Drawn records and scores of 25,596 radiographs of 2,797 patients, 15 classes and 1,000
patient resamples: view, sex, age band, visit and a joined column of three sites, then
where labels stand and the calibration. Processor seconds of each, and the memory of all.
"""

import argparse
import resource
import time

import numpy as np
import pandas as pd
from rounds import describe_machine

from dualnet.evaluation.groups.groupings import group_by_columns, group_by_record
from dualnet.evaluation.groups.label_report import score_label_places
from dualnet.evaluation.groups.subgroup_scores import JudgedRows
from dualnet.evaluation.groups.subgroups import score_all, score_subgroups
from dualnet.evaluation.intervals.bootstrap import resample_patients
from dualnet.evaluation.intervals.resampling import keep_draws
from dualnet.evaluation.probabilities.calibration import fit_calibration
from dualnet.evaluation.probabilities.calibration_error import score_calibration
from dualnet.evaluation.scores.truth import make_truth
from dualnet.findings import NIH, NO_FINDING

OFFICIAL_TEST_ROWS, OFFICIAL_TEST_PATIENTS = 25_596, 2_797
RESAMPLES = 1000


def draw_records(num_rows: int, num_patients: int) -> pd.DataFrame:
    """Draws records whose findings are as rare as some of NIH's."""
    generator = np.random.default_rng(0)
    shares = generator.uniform(0.005, 0.2, size=len(NIH.findings))
    present = generator.random((num_rows, shares.size)) < shares
    names = np.array(NIH.findings)
    follow_up = generator.integers(0, 4, num_rows)
    return pd.DataFrame(
        {
            "image_id": [f"{number}.png" for number in range(num_rows)],
            "patient_id": generator.integers(num_patients, size=num_rows).astype(str),
            "part": "test",
            "age_years": generator.uniform(0, 95, num_rows),
            "sex": generator.choice(["F", "M"], num_rows),
            "view_position": generator.choice(["PA", "AP"], num_rows),
            "follow_up": pd.array(follow_up, dtype="Int64"),
            "findings": [tuple(names[row]) or (NO_FINDING,) for row in present],
        }
    )


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=OFFICIAL_TEST_ROWS)
    parser.add_argument("--patients", type=int, default=OFFICIAL_TEST_PATIENTS)
    options = parser.parse_args()
    print(describe_machine())
    records = draw_records(options.rows, options.patients)
    truth = make_truth(records, NIH)
    generator = np.random.default_rng(1)
    scores = generator.dirichlet(np.full(15, 0.3), options.rows).astype(np.float32)
    sites = generator.choice(["a", "b", "c"], options.rows).tolist()
    groupings = [*group_by_record(records), *group_by_columns({"site": sites})]
    judged = JudgedRows(
        truth=truth,
        scores=scores,
        probabilities=scores,
        called_negative=scores.argmax(axis=1) == NIH.class_names.index(NO_FINDING),
    )
    start = time.process_time()
    draws = keep_draws(
        resample_patients(truth.patient_ids, num_resamples=RESAMPLES, seed=0)
    )
    start = tell("draws", start)
    score_all(judged, draws)
    score_subgroups(judged, groupings, draws)
    num_groups = sum(len(grouping.groups) for grouping in groupings)
    start = tell(f"{num_groups} groups and their gaps", start)
    score_label_places(truth, scores, draws)
    start = tell("label places", start)
    calibration = fit_calibration(truth, scores, model_digest="")
    score_calibration(truth, scores, calibration, draws)
    tell("temperature and operating points fitted and scored", start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory {peak:.0f} MiB")


def tell(what: str, start: float) -> float:
    """Prints what something cost and returns the processor time now."""
    now = time.process_time()
    print(f"{what}: {now - start:.1f} processor seconds")
    return now


if __name__ == "__main__":
    main()
