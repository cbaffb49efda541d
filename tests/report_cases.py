"""Small evaluations to report on."""

import numpy as np
from evaluate_cases import evaluate_tiny

from dualnet.evaluation.evaluate import Evaluation
from dualnet.evaluation.scores.baselines import Prediction

KINDS = (("Edema",), ("No Finding",), ("Edema", "Mass"), ("No Finding",))


def judge_tiny(
    kinds: tuple[tuple[str, ...], ...] = KINDS, *, rows: int = 40, rows_each: int = 2
) -> Evaluation:
    """Judges random probabilities beside two baselines, one of them constant."""
    generator = np.random.default_rng(0)
    model, other = generator.dirichlet(np.ones(3), size=(2, rows))
    return evaluate_tiny(
        [kinds[row % len(kinds)] for row in range(rows)],
        model,
        {
            "class_prior": Prediction(np.tile([0.3, 0.2, 0.5], (rows, 1))),
            "metadata_only": Prediction(other),
        },
        rows_each=rows_each,
        resamples=30,
    )
