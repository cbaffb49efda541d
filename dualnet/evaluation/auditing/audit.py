"""What the picture says, what the record says, and what each adds to the other.

One fused model is asked the same rows again and again, its halves taken away in turn:

- *missing*: every field of the record is set to missing, which the model is told by
  the flag of each field. It answers well only if training had such rows, so how many it
  had is said beside. A picture has no such flag.
- *permuted*: each row gets the record (the picture) of another patient. What it says is
  wrong, so this costs more than knowing nothing.
- *averaged*: the mean of the log-probabilities over the records (the pictures) of
  `NUM_AVERAGED` patients, the same ones for every row, made to sum to 1. It is what the
  model knows without that half: its partial dependence on the other, on the scale on
  which halves add. Of a model that is the sum of two, it is each half: macro AUROC of
  the picture alone .682 where the image half itself scores .683 (NIH's, 377
  radiographs), .876 and .875 (phantom, 480). Averaged as probabilities, a few sure
  pictures drown the record: .645 instead of .724 on the phantom. What the record adds
  is taken from this view.

Reference:
    Friedman, Greedy function approximation: a gradient boosting machine, Annals of
    Statistics 29(5), 2001, section 8.2 (partial dependence); Breiman, Random forests,
    Machine Learning 45(1), 2001, section 10 (permutation); Genest and Zidek, Combining
    probability distributions, Statistical Science 1(1), 1986 (the logarithmic pool).
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit, softmax

from dualnet.data.metadata import FIELD_COLUMNS, MetadataEncoder
from dualnet.evaluation.intervals.bootstrap import PatientResamples
from dualnet.evaluation.intervals.paired import PairedScores, score_paired
from dualnet.evaluation.scores.baselines import IMAGE_ONLY, METADATA_ONLY
from dualnet.evaluation.scores.prediction import make_prediction
from dualnet.evaluation.scores.truth import Truth

NUM_AVERAGED = 32
ROWS_AT_A_TIME = 4096  # of which answers are averaged: 5 MB
MIN_PROBABILITY = 1e-12  # float32 softmax may underflow; a logarithm must not
FUSED = "fused"
MISSING, PERMUTED, AVERAGED = "missing", "permuted", "averaged"

Predict = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Given encoded metadata and whose picture each row gets, returns probabilities."""
Ask = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Given rows and whose record (picture) each of them gets, returns probabilities."""


def audit_modalities(
    table: pd.DataFrame,
    truth: Truth,
    *,
    encoder: MetadataEncoder,
    predict: Predict,
    draws: PatientResamples,
    references: np.ndarray,
    taught_missing: Mapping[str, int],
) -> dict[str, Any]:
    """Scores a fused model with and without each of its halves.

    Args:
        table: Records of the rows, with the columns of the encoder's fields.
        truth: What the rows are, in the same order.
        encoder: The run's.
        predict: Asks the model of all rows.
        draws: Draws of patients over the rows.
        references: The rows whose records and pictures are averaged over, from
            `draw_references`.
        taught_missing: Of each field, how many training radiographs lacked it.

    Returns:
        Plain values for JSON: `fused`; `image_only` and `metadata_only`, each by how it
        was made, with the fused model's difference `fused_minus`; what the `record` and
        the `picture` `adds`; `patterns` of missing fields; `taught_missing`. The
        permuted views are None where `find_donors` finds none.
    """
    metadata = encoder.transform(table)
    own = np.arange(len(table))
    donors = find_donors(truth.patient_ids, seed=draws.seed)

    def score(probabilities: np.ndarray) -> PairedScores:
        said = make_prediction(probabilities, unscored=truth.unscored)
        return score_paired(truth, said, draws)

    fused = score(predict(metadata, own))
    patterns = {
        hidden: fused
        if not hidden
        else score(predict(encoder.transform(hide_fields(table, hidden)), own))
        for hidden in list_patterns(encoder.fields)
    }
    asks: dict[str, Ask] = {
        IMAGE_ONLY: lambda rows, others: predict(metadata[others], rows),
        METADATA_ONLY: lambda rows, others: predict(metadata[rows], others),
    }
    averaged = {
        half: score(
            average_out(ask, references, len(table), apart=bool(truth.unscored))
        )
        for half, ask in asks.items()
    }
    views: dict[str, dict[str, Any]] = {
        half: {
            PERMUTED: None
            if donors is None
            else _describe(score(ask(own, donors)), fused),
            AVERAGED: _describe(averaged[half], fused),
        }
        for half, ask in asks.items()
    }
    views[IMAGE_ONLY][MISSING] = _describe(patterns[encoder.fields], fused)
    return {
        FUSED: fused.describe(),
        **views,
        "adds": {
            "record": fused.minus(averaged[IMAGE_ONLY]),
            "picture": fused.minus(averaged[METADATA_ONLY]),
        },
        "patterns": [
            {"missing": list(hidden), **_describe(one, fused)}
            for hidden, one in patterns.items()
        ],
        "taught_missing": dict(taught_missing),
        "num_averaged": len(references),
    }


def hide_fields(table: pd.DataFrame, fields: Sequence[str]) -> pd.DataFrame:
    """Sets fields of every record to missing.

    Args:
        table: Records.
        fields: Of `age`, `follow_up`, `view`, `sex`.

    Returns:
        The records, the other columns as they were.
    """
    columns = [FIELD_COLUMNS[field] for field in fields]
    nowhere = np.zeros(len(table), dtype=bool)
    return table.assign(**{name: table[name].where(nowhere) for name in columns})


def list_patterns(fields: Sequence[str]) -> list[tuple[str, ...]]:
    """Lists all sets of missing fields, few first.

    Args:
        fields: All fields.

    Returns:
        2 to the power of their number, from none to all.

    Example:
        >>> list_patterns(("age", "view"))
        [(), ('age',), ('view',), ('age', 'view')]
    """
    sizes = range(len(fields) + 1)
    return [hidden for size in sizes for hidden in combinations(fields, size)]


def draw_references(
    patient_ids: np.ndarray, *, seed: int, num_patients: int = NUM_AVERAGED
) -> np.ndarray:
    """Draws one row each of some patients.

    Args:
        patient_ids: Shape (n,).
        seed: Decides which.
        num_patients: How many at most.

    Returns:
        Their positions, int64, shape (k,).
    """
    random = np.random.default_rng((seed, 1))
    order = random.permutation(len(patient_ids))
    _, first = np.unique(patient_ids[order], return_index=True)
    return order[random.permutation(first)[:num_patients]]


def find_donors(
    patient_ids: np.ndarray, *, seed: int | Sequence[int]
) -> np.ndarray | None:
    """Finds for each row one of another patient; each is taken once.

    Patients are put in an order drawn by chance, their rows side by side; each row then
    takes the one that lies as many places on as the largest patient has rows.

    Args:
        patient_ids: Shape (n,).
        seed: Decides the order.

    Returns:
        Whose record or picture each row gets, a permutation, int64, shape (n,); None
        where one patient has more than half of the rows, so that there is none.
    """
    _, codes, sizes = np.unique(patient_ids, return_inverse=True, return_counts=True)
    shift = int(sizes.max())
    if 2 * shift > codes.size:
        return None
    random = np.random.default_rng(seed)
    place = random.permutation(sizes.size)[codes]
    order = np.lexsort((random.random(codes.size), place))
    donors = np.empty(codes.size, dtype=np.int64)
    donors[order] = np.roll(order, -shift)
    return donors


def average_out(
    ask: Ask, references: np.ndarray, num_rows: int, *, apart: bool = False
) -> np.ndarray:
    """Averages answers, in logarithms, one by one and some rows at a time.

    Of probabilities that are each apart it is the log-odds that are averaged.

    Args:
        ask: Asks the model; its answers have the shape (rows, num_classes).
        references: Rows that every row is given in turn, shape (k,).
        num_rows: How many rows there are.
        apart: Whether each probability is apart from the others.

    Returns:
        Rows that sum to 1 if they are not `apart`, float32, shape (n, num_classes).
    """
    activate = expit if apart else partial(softmax, axis=1)
    blocks = []
    for start in range(0, num_rows, ROWS_AT_A_TIME):
        rows = np.arange(start, min(start + ROWS_AT_A_TIME, num_rows))
        total = np.float64(0)
        for one in references:
            answer = ask(rows, np.full(rows.size, one)).astype(np.float64)
            total += np.log(np.maximum(answer, MIN_PROBABILITY))
            if apart:
                total -= np.log(np.maximum(1 - answer, MIN_PROBABILITY))
        blocks.append(activate(total / len(references)).astype(np.float32))
    return np.concatenate(blocks)


def _describe(one: PairedScores, fused: PairedScores) -> dict[str, Any]:
    return {**one.describe(), "fused_minus": fused.minus(one)}
