"""An evaluation of three classes, broken down by all that can be known."""

import numpy as np
import pandas as pd
from truth_cases import TINY, make_table

from dualnet.evaluation.breakdown import Adjudicated, Besides, break_down
from dualnet.evaluation.evaluate import Evaluation, evaluate
from dualnet.evaluation.groups.label_report import count_dropped
from dualnet.evaluation.probabilities.calibration import Calibration, fit_calibration
from dualnet.evaluation.scores.truth import make_truth

FINDINGS = [("Edema",), ("Edema", "Mass"), ("Mass",), *[("No Finding",)] * 3] * 30


def make_records(seed: int) -> pd.DataFrame:
    """180 radiographs of 90 patients, with their record."""
    generator = np.random.default_rng(seed)
    number = len(FINDINGS)
    return make_table(*FINDINGS).assign(
        age_years=generator.uniform(0, 95, number),
        sex=generator.choice(["F", "M"], number),
        view_position=generator.choice(["PA", "AP"], number),
        follow_up=pd.array(generator.integers(0, 3, number), dtype="Int64"),
    )


def predict(seed: int) -> np.ndarray:
    """Probabilities that know something and are too sure."""
    generator = np.random.default_rng(seed)
    known = np.array([[name in one for name in TINY.class_names] for one in FINDINGS])
    odds = np.exp(2 * (generator.normal(size=known.shape) + known))
    return (odds / odds.sum(axis=1, keepdims=True)).astype(np.float32)


def evaluate_alone(seed: int = 0) -> Evaluation:
    return evaluate(
        make_records(seed),
        predict(seed),
        vocabulary=TINY,
        baselines={},
        resamples=60,
        seed=0,
    )


def calibrate() -> Calibration:
    val = make_records(1).assign(part="val")
    return fit_calibration(make_truth(val, TINY), predict(1), model_digest="ab")


def break_down_all() -> Evaluation:
    records = make_records(0)
    matched = np.arange(len(records)) % 2 == 0
    answers = np.random.default_rng(5).random((int(matched.sum()), 3)) < 0.4
    besides = Besides(
        calibration=calibrate(),
        columns={"site": ["north", "south", ""] * 60},
        joined=[{"file": "sites.csv", "num_matched": 120}],
        label_rule="first",
        dropped=count_dropped({"train": records, "test": records}, TINY, "first"),
        adjudicated=Adjudicated(file="some.csv", matched=matched, answers=answers),
    )
    return break_down(evaluate_alone(), records, besides)
