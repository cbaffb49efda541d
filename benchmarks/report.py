"""The report of a large evaluation: seconds and bytes.

    python benchmarks/report.py

Scores as many random predictions as NIH's official test has radiographs, with some
signal in them, and writes all that `dualnet evaluate` writes. The target is that the
report takes less than 30 s and 12 MB.
"""

import argparse
import os
import resource
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pandas as pd
from rounds import describe_machine

from dualnet.evaluation.evaluate import Evaluation, evaluate
from dualnet.evaluation.scores.baselines import Prediction
from dualnet.findings import NIH
from dualnet.jobs.evaluate import write_evaluation

OFFICIAL_TEST_ROWS, OFFICIAL_TEST_PATIENTS = 25_596, 2_797
MEGABYTE = 10**6


def make_table(rows: int, generator: np.random.Generator) -> pd.DataFrame:
    """Makes records whose labels are drawn: one in two has no finding."""
    names = np.array(NIH.findings)
    number = generator.integers(1, 4, size=rows)
    some = generator.random(rows) < 0.5
    findings = [
        tuple(sorted(generator.choice(names, size=count, replace=False)))
        if positive
        else (NIH.negative,)
        for count, positive in zip(number, some, strict=True)
    ]
    patients = generator.integers(OFFICIAL_TEST_PATIENTS, size=rows)
    return pd.DataFrame(
        {
            "image_id": [f"{row:08d}.png" for row in range(rows)],
            "patient_id": patients.astype(str),
            "part": "test",
            "findings": findings,
        }
    )


def predict(
    table: pd.DataFrame, generator: np.random.Generator, skill: float
) -> np.ndarray:
    """Returns softmax probabilities that know something of the labels."""
    present = np.array(
        [[name in row for name in NIH.class_names] for row in table["findings"]]
    )
    odds = np.exp(generator.normal(size=present.shape) + skill * present)
    return (odds / odds.sum(axis=1, keepdims=True)).astype(np.float32)


def judge(rows: int, resamples: int) -> Evaluation:
    """Judges random predictions beside the three baselines."""
    generator = np.random.default_rng(0)
    table = make_table(rows, generator)
    prior = np.full((rows, 15), 1 / 15)
    majority = np.zeros((rows, 15))
    majority[:, 0] = 1
    return evaluate(
        table,
        predict(table, generator, 1.0),
        vocabulary=NIH,
        baselines={
            "class_prior": Prediction(prior),
            "majority": Prediction(majority),
            "metadata_only": Prediction(predict(table, generator, 0.4)),
        },
        resamples=resamples,
        seed=0,
    )


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=OFFICIAL_TEST_ROWS)
    parser.add_argument("--resamples", type=int, default=1000)
    options = parser.parse_args()
    print(describe_machine())
    began = time.perf_counter()
    evaluation = judge(options.rows, options.resamples)
    scored = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        write_evaluation(Path(folder), evaluation)
        written = time.perf_counter()
        print(
            f"{options.rows:,} predictions, {options.resamples:,} resamples: "
            f"scores {scored - began:.1f} s, report {written - scored:.1f} s"
        )
        for file in sorted(Path(folder).rglob("*.*")):
            size = file.stat().st_size / MEGABYTE
            print(f"  {file.relative_to(folder)!s:26} {size:6.2f} MB")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"  peak memory of the process {peak:,.0f} MiB")
    print(describe_machine())


if __name__ == "__main__":
    main()
