"""Label names to training targets, and what each rule throws away.

Evaluation always scores every finding against `full_labels`, whatever the rule.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from dualnet.errors import ConfigError, RecordError
from dualnet.findings import Vocabulary

SOFTMAX, SIGMOID = "softmax", "sigmoid"
MULTI_HOT = "multi_hot"


@dataclass(frozen=True)
class Targets:
    """What a model is trained to answer.

    Args:
        matrix: Shape (rows, classes), float32; each row sums to 1, but by the rule
            `multi_hot`, where each finding is 0 or 1.
        class_names: The columns' names, alphabetical.
        dropped: One row a finding: `finding`, `present` (rows labelled with it),
            `kept` (rows whose target still holds it), `dropped` and
            `dropped_share` (of `present`; NaN where that is 0).
    """

    matrix: np.ndarray
    class_names: tuple[str, ...]
    dropped: pd.DataFrame


def make_targets(
    findings: Sequence[tuple[str, ...]] | pd.Series, vocabulary: Vocabulary, rule: str
) -> Targets:
    """Turns the findings of each radiograph into training targets.

    Args:
        findings: The label names of each radiograph.
        vocabulary: The names that may occur.
        rule: `first`: the label that stands first alone, as X-Net took it (NIH
            writes labels alphabetically, but for 51 rows of the 2020 release);
            `member`: the same, where each row has one label of two, as
            `data.membership` leaves them; `soft`: all labels present, in equal parts;
            `multi_hot`: each finding apart from the others, without the negative class.

    Returns:
        The targets, and what the rule dropped.

    Raises:
        ConfigError: If the rule is not known.

    Example:
        >>> from dualnet.findings import NIH
        >>> targets = make_targets([("Edema", "Mass")], NIH, "first")
        >>> targets.class_names[targets.matrix[0].argmax()]
        'Edema'
    """
    if rule not in _RULES:
        raise ConfigError(
            f"label rule: must be one of {', '.join(_RULES)}. Received: {rule!r}. "
            "Set training.label_rule."
        )
    values = _fill(findings, vocabulary.class_names, _RULES[rule])
    labels = full_labels(findings, vocabulary)
    class_names = target_classes(vocabulary, rule)
    return Targets(
        matrix=values[:, find_columns(class_names, vocabulary)],
        class_names=class_names,
        dropped=_count_dropped(labels, values, vocabulary),
    )


def target_classes(vocabulary: Vocabulary, rule: str) -> tuple[str, ...]:
    """Returns the classes that a model answers by a label rule, alphabetical."""
    left_out = vocabulary.negative if rule == MULTI_HOT else None
    return tuple(name for name in vocabulary.class_names if name != left_out)


def target_activation(rule: str) -> str:
    """Returns what a model ends in by a label rule: `softmax`, or a `sigmoid` each."""
    return SIGMOID if rule == MULTI_HOT else SOFTMAX


def find_columns(class_names: Sequence[str], vocabulary: Vocabulary) -> list[int]:
    """Returns the positions of some classes among all of a vocabulary."""
    return [vocabulary.class_names.index(name) for name in class_names]


def full_labels(
    findings: Sequence[tuple[str, ...]] | pd.Series, vocabulary: Vocabulary
) -> np.ndarray:
    """Returns every label of each radiograph.

    Args:
        findings: The label names of each radiograph.
        vocabulary: The names that may occur.

    Returns:
        Whether a radiograph is labelled with a class: bool, shape (rows, classes),
        columns in the order of `vocabulary.class_names`.
    """
    return label_matrix(findings, vocabulary.class_names)


def label_matrix(
    findings: Sequence[tuple[str, ...]] | pd.Series, class_names: Sequence[str]
) -> np.ndarray:
    """Returns which of the named classes each radiograph is labelled with.

    Args:
        findings: The label names of each radiograph.
        class_names: The columns.

    Returns:
        Bool, shape (rows, classes).
    """
    return _fill(findings, class_names, lambda names: dict.fromkeys(names, 1.0)) > 0


def _first(names: tuple[str, ...]) -> dict[str, float]:
    return {names[0]: 1.0}


def _soft(names: tuple[str, ...]) -> dict[str, float]:
    return dict.fromkeys(names, 1 / len(names))


def _multi_hot(names: tuple[str, ...]) -> dict[str, float]:
    return dict.fromkeys(names, 1.0)


_RULES = {"first": _first, "member": _first, "soft": _soft, MULTI_HOT: _multi_hot}


def _fill(
    findings: Sequence[tuple[str, ...]] | pd.Series,
    class_names: Sequence[str],
    weigh: Callable[[tuple[str, ...]], dict[str, float]],
) -> np.ndarray:
    # the 836 combinations of NIH's 112,120 rows are looked at once each
    codes, combinations = pd.factorize(pd.Series(list(findings), dtype="object"))
    column_of = {name: column for column, name in enumerate(class_names)}
    matrix = np.zeros((len(combinations), len(class_names)), dtype="float32")
    for row, names in enumerate(combinations):
        _check_names(names, column_of)
        for name, weight in weigh(names).items():
            matrix[row, column_of[name]] = weight
    return matrix[codes]


def _check_names(names: tuple[str, ...], known: Collection[str]) -> None:
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        raise RecordError(
            f"findings: must be one or more of {', '.join(known)}. "
            f"Received: {unknown[0] if unknown else ''!r}. Correct the label."
        )


def _count_dropped(
    labels: np.ndarray, values: np.ndarray, vocabulary: Vocabulary
) -> pd.DataFrame:
    # by the rule `multi_hot` the negative class is in `values` here too
    counts = pd.DataFrame(
        {
            "finding": vocabulary.class_names,
            "present": labels.sum(axis=0),
            "kept": (values > 0).sum(axis=0),
        }
    )
    counts = counts.loc[counts["finding"] != vocabulary.negative].reset_index(drop=True)
    counts["dropped"] = counts["present"] - counts["kept"]
    counts["dropped_share"] = counts["dropped"] / counts["present"]
    return counts
