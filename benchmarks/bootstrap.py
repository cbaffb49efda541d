"""Intervals and tests by patient: seconds, beside scikit-learn in a loop.

    python benchmarks/bootstrap.py

1,000 patient resamples of 15 AUROCs on as many rows as NIH's official test has, and the
same by `roc_auc_score` in a loop, of which a few resamples are measured and scaled: with
the draws as weights, and with the drawn rows themselves. All arms run in interleaved
rounds, in one thread. Then what else a comparison of two models takes: the average
precision of each resample, and DeLong by patient.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
from rounds import describe_machine, describe_ratio, run_rounds
from sklearn.metrics import average_precision_score, roc_auc_score
from threadpoolctl import threadpool_limits

from dualnet.evaluation.intervals.bootstrap import resample_auroc, resample_patients
from dualnet.evaluation.intervals.bootstrap_precision import resample_average_precision
from dualnet.evaluation.intervals.delong import compare_auroc_per_class

OFFICIAL_TEST_ROWS, OFFICIAL_TEST_PATIENTS = 25_596, 2_797
CLASSES = 15
LIMIT_SECONDS, LIMIT_RATIO = 20, 20
SCIKIT_LEARN = "scikit-learn"


def make_rows(rows: int, patients: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns labels as rare as NIH's, scores that know some of them, and patients."""
    generator = np.random.default_rng(0)
    labels = generator.random((rows, CLASSES)) < generator.uniform(0.005, 0.4, CLASSES)
    scores = (generator.normal(size=labels.shape) + labels).astype(np.float32)
    return labels, scores, generator.integers(patients, size=rows)


def loop(
    score: Callable[..., float], weights: np.ndarray, *columns: np.ndarray
) -> np.ndarray:
    """Returns scikit-learn's scores of some resamples, the draws as weights."""
    labels, scores = columns
    return np.array(
        [
            [
                score(labels[:, column], scores[:, column], sample_weight=weight)
                for column in range(CLASSES)
            ]
            for weight in weights
        ]
    )


def loop_over_rows(weights: np.ndarray, *columns: np.ndarray) -> int:
    """Scores some resamples with scikit-learn, the drawn rows taken out."""
    for weight in weights:
        rows = np.repeat(np.arange(weight.size), weight)
        labels, scores = (column[rows] for column in columns)
        for column in range(CLASSES):
            roc_auc_score(labels[:, column], scores[:, column])
    return len(weights)


def describe_seconds(rates: list[float], count: int) -> str:
    """Returns the median of the seconds that so many take, with their range."""
    seconds = [count / rate for rate in rates]
    low, high = min(seconds), max(seconds)
    return f"{statistics.median(seconds):.2f} s [{low:.2f}-{high:.2f}]"


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=OFFICIAL_TEST_ROWS)
    parser.add_argument("--patients", type=int, default=OFFICIAL_TEST_PATIENTS)
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--loop", type=int, default=3, help="resamples of the loop")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    print(describe_machine())
    labels, scores, patients = make_rows(options.rows, options.patients)
    resamples = resample_patients(patients, num_resamples=options.resamples, seed=0)
    few = resample_patients(patients, num_resamples=options.loop, seed=0)
    weights = np.concatenate(list(few.draw()))[:, resamples.codes]
    columns = (labels, scores)

    def ours() -> int:
        return len(resample_auroc(resamples, *columns))

    arms = {
        "dualnet": ours,
        "dualnet again": ours,
        SCIKIT_LEARN: lambda: len(loop(roc_auc_score, weights, *columns)),
        "scikit-learn, rows": lambda: loop_over_rows(weights, *columns),
        "average precision": lambda: len(
            resample_average_precision(resamples, *columns)
        ),
    }
    with threadpool_limits(1):
        rates, processor = run_rounds(arms, options.rounds)
    print(
        f"{options.resamples:,} resamples of {CLASSES} classes on {options.rows:,} rows "
        f"of {options.patients:,} patients, {options.rounds} rounds, one thread"
    )
    for name, values in rates.items():
        ratio = describe_ratio(processor, name, SCIKIT_LEARN)
        print(
            f"  {name:19} {describe_seconds(values, options.resamples):>24}, "
            f"processor time {describe_seconds(processor[name], options.resamples)}: "
            f"{ratio} times scikit-learn's rate"
        )
    areas = resample_auroc(few, *columns)
    precisions = resample_average_precision(few, *columns)
    for name, found, score in (
        ("AUROC", areas, roc_auc_score),
        ("average precision", precisions, average_precision_score),
    ):
        error = np.abs(found - loop(score, weights, *columns)).max()
        print(f"  {name}: largest difference to scikit-learn {error:.0e}")
    began = time.perf_counter()
    compare_auroc_per_class(
        labels, scores, np.roll(scores, 1, axis=0), patients=resamples.codes
    )
    print(f"  DeLong by patient, all classes: {time.perf_counter() - began:.2f} s")
    seconds = options.resamples / statistics.median(rates["dualnet"])
    times = statistics.median(processor["dualnet"]) / statistics.median(
        processor[SCIKIT_LEARN]
    )
    kept = seconds < LIMIT_SECONDS and times >= LIMIT_RATIO
    print(
        f"  limits (below {LIMIT_SECONDS} s, at least {LIMIT_RATIO} times): "
        f"{'kept' if kept else 'MISSED'}"
    )
    print(describe_machine())


if __name__ == "__main__":
    main()
