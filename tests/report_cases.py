"""Small evaluations to report on."""

import numpy as np
from truth_cases import TINY, make_table

from dualnet.evaluation.baselines import Prediction
from dualnet.evaluation.evaluate import Evaluation, evaluate

KINDS = (("Edema",), ("No Finding",), ("Edema", "Mass"), ("No Finding",))


def judge_tiny(
    kinds: tuple[tuple[str, ...], ...] = KINDS, *, rows: int = 40, rows_each: int = 2
) -> Evaluation:
    """Judges random probabilities beside two baselines, one of them constant."""
    generator = np.random.default_rng(0)
    model, other = generator.dirichlet(np.ones(3), size=(2, rows))
    return evaluate(
        make_table(
            *[kinds[row % len(kinds)] for row in range(rows)], rows_each=rows_each
        ),
        model,
        vocabulary=TINY,
        baselines={
            "class_prior": Prediction(np.tile([0.3, 0.2, 0.5], (rows, 1))),
            "metadata_only": Prediction(other),
        },
        resamples=30,
        seed=0,
    )
