"""What a model would say of the same picture, were one thing in the record another.

Each field is changed alone, in the rows that know it, to a value that other rows have:
nobody is made older than the oldest. A finding that moves when only the view does was
read from the record and not from the lungs.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from dualnet.data.metadata import FIELD_COLUMNS, MetadataEncoder
from dualnet.evaluation.auditing.audit import Predict
from dualnet.evaluation.scores.prediction import find_answers

AGE_STEP = 20  # years
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
NUM_LARGEST = 5  # cases named for each counterfactual
MIN_PROBABILITY = 1e-7  # below it a logit is of rounding
SWAPS = {
    "view": (("view_pa_to_ap", "PA", "AP"), ("view_ap_to_pa", "AP", "PA")),
    "sex": (("sex_m_to_f", "M", "F"), ("sex_f_to_m", "F", "M")),
}


def list_counterfactuals(
    table: pd.DataFrame, fields: Sequence[str]
) -> Iterator[tuple[str, np.ndarray, pd.DataFrame]]:
    """Changes the record, one field at a time.

    Args:
        table: Records.
        fields: The fields that the model reads.

    Yields:
        A name, which rows are changed (bool, shape (n,)), and the changed records of
        all rows.
    """
    if "age" in fields:
        ages = table["age_years"].to_numpy("float64", na_value=np.nan)
        oldest = np.fmax.reduce(ages, initial=0.0)
        for name, step in (
            ("age_plus_20", AGE_STEP),
            ("age_minus_20", -AGE_STEP),
        ):
            changed = (ages + step >= 0) & (ages + step <= oldest)
            yield name, changed, _set(table, "age", ages + step, changed)
    if "follow_up" in fields:
        visits = table["follow_up"].to_numpy("float64", na_value=np.nan)
        changed = visits > 0
        yield "first_visit", changed, _set(table, "follow_up", 0, changed)
    for field in (one for one in SWAPS if one in fields):
        values = table[FIELD_COLUMNS[field]].to_numpy("object", na_value="")
        for name, before, after in SWAPS[field]:
            changed = values == before
            yield name, changed, _set(table, field, after, changed)


def ask_counterfactuals(
    table: pd.DataFrame,
    *,
    class_names: Sequence[str],
    negative: str,
    encoder: MetadataEncoder,
    predict: Predict,
) -> tuple[dict[str, Any], pd.DataFrame]:
    """Asks a model what it would say of other records, and how much that changes.

    Args:
        table: Records of the rows.
        class_names: Names of the classes.
        negative: The one without any finding.
        encoder: The run's.
        predict: Asks the model of all rows.

    Returns:
        Plain values for JSON, by counterfactual: `num_images` changed, the share of
        them whose answer (see `find_answers`) is another then, for each class the mean
        and quantiles of the change of its probability and of its logit, and the cases that
        change most; and one row a case and counterfactual: `image_id`,
        `counterfactual`, the `finding` whose probability changes most, `before` and
        `after`, and `answer_before` and `answer_after`. Classes without an output are
        left out.
    """
    own = np.arange(len(table))
    columns = ["image_id", "counterfactual", "finding", "before", "after"]
    columns += ["answer_before", "answer_after"]
    before = predict(encoder.transform(table), own)
    blocks: dict[str, Any] = {}
    cases = []
    for name, changed, other in list_counterfactuals(table, encoder.fields):
        if not changed.any():
            blocks[name] = {"num_images": 0}
            continue
        after = predict(encoder.transform(other), own)
        answers = [
            _name(find_answers(one[changed], class_names, negative), class_names)
            for one in (before, after)
        ]
        found = _list_cases(
            table.loc[changed, "image_id"].reset_index(drop=True),
            class_names,
            before[changed],
            after[changed],
        ).assign(
            counterfactual=name, answer_before=answers[0], answer_after=answers[1]
        )[columns]
        cases.append(found)
        blocks[name] = {
            "num_images": int(changed.sum()),
            "answers_changed": float(
                (found["answer_before"] != found["answer_after"]).mean()
            ),
            "classes": _describe_changes(class_names, before[changed], after[changed]),
            "largest": _name_largest(found),
        }
    empty = pd.DataFrame(columns=columns)
    return blocks, pd.concat(cases, ignore_index=True) if cases else empty


def _set(
    table: pd.DataFrame, field: str, values: Any, changed: np.ndarray
) -> pd.DataFrame:
    column = FIELD_COLUMNS[field]
    replaced = table[column].copy()
    replaced[changed] = values[changed] if isinstance(values, np.ndarray) else values
    return table.assign(**{column: replaced})


def _list_cases(
    image_ids: pd.Series,
    class_names: Sequence[str],
    before: np.ndarray,
    after: np.ndarray,
) -> pd.DataFrame:
    rows = np.arange(len(before))
    most = np.nan_to_num(np.abs(after - before), nan=-1.0).argmax(axis=1)
    return pd.DataFrame(
        {
            "image_id": image_ids,
            "finding": _name(most, class_names),
            "before": before[rows, most],
            "after": after[rows, most],
        }
    )


def _name(codes: np.ndarray, class_names: Sequence[str]) -> pd.Categorical:
    """Names classes at a byte a row: NIH's table gives 800,000 cases."""
    names = np.array(class_names, dtype=object)
    return pd.Categorical(names[codes], categories=names.tolist())


def _name_largest(cases: pd.DataFrame) -> list[dict[str, Any]]:
    change = (cases["after"] - cases["before"]).abs().to_numpy()
    order = np.argsort(-change, kind="stable")[:NUM_LARGEST]
    columns = ["image_id", "finding", "before", "after"]
    return [
        {
            key: float(one) if key in ("before", "after") else str(one)
            for key, one in zip(columns, row, strict=True)
        }
        for row in cases.iloc[order][columns].to_numpy("object")
    ]


def _describe_changes(
    class_names: Sequence[str], before: np.ndarray, after: np.ndarray
) -> dict[str, Any]:
    return {
        name: {
            "probability": _describe_shift(
                after[:, column].astype(np.float64) - before[:, column]
            ),
            "logit": _describe_shift(
                _logit(after[:, column]) - _logit(before[:, column])
            ),
        }
        for column, name in enumerate(class_names)
        if not np.isnan(before[:, column]).any()
    }


def _describe_shift(shift: np.ndarray) -> dict[str, Any]:
    quantiles = np.quantile(shift, QUANTILES)
    return {
        "mean": float(shift.mean()),
        "quantiles": {
            f"{share:g}": float(value)
            for share, value in zip(QUANTILES, quantiles, strict=True)
        },
    }


def _logit(probabilities: np.ndarray) -> np.ndarray:
    clipped = np.clip(
        probabilities.astype(np.float64), MIN_PROBABILITY, 1 - MIN_PROBABILITY
    )
    return np.log(clipped) - np.log1p(-clipped)
