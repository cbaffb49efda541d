"""What a table says was found: one column a finding, or one column of labels."""

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import pandas as pd

from dualnet.data.readers.mapping_findings import (
    FindingColumns,
    FindingList,
    plain_value,
)
from dualnet.data.record_parsing import parse_column
from dualnet.data.records import TEXT
from dualnet.errors import RecordError

ABSENT, PRESENT, UNCERTAIN = 0, 1, 2
WITHOUT_LABELS, BY_LABEL = "without labels", "by a label"


@dataclass(frozen=True, kw_only=True)
class ToldFindings:
    """The findings of each row, and which rows are left out.

    Args:
        text: Names joined by `|`; empty where the row is bad or left out.
        left_out: Whether a row is left out, bool of shape (rows,), by the reason.
        notes: How many rows something was decided for.
        problems: Why a row is bad, by line.
    """

    text: pd.Series
    left_out: Mapping[str, np.ndarray]
    notes: Mapping[str, int]
    problems: Mapping[int, str]


@dataclass(frozen=True, kw_only=True)
class _Labels:
    """What one distinct list of labels says."""

    classes: tuple[str, ...] = ()
    unlisted: bool = False
    left_out: str = ""


@dataclass
class _Choice:
    """How many rows were decided by a rule, counted while they are."""

    notes: dict[str, int] = field(default_factory=dict)

    def note(self, name: str, rows: np.ndarray) -> None:
        if rows.any():
            self.notes[name] = int(rows.sum())


def tell_findings(
    rows: pd.DataFrame, findings: FindingColumns | FindingList, *, negative: str
) -> ToldFindings:
    """Reads the findings of each row.

    Args:
        rows: Text; the index is the line in the file.
        findings: How they are told.
        negative: The class without any finding. Beside a finding it does not count,
            as CheXpert's `No Finding` beside `Support Devices`.

    Returns:
        The findings of each row, in the order in which the mapping lists columns, or
        the cell lists labels.
    """
    if isinstance(findings, FindingColumns):
        return _tell_columns(rows, findings, negative=negative)
    return _tell_list(rows, findings, negative=negative)


def _tell_columns(
    rows: pd.DataFrame, findings: FindingColumns, *, negative: str
) -> ToldFindings:
    classes = list(dict.fromkeys(findings.columns.values()))
    present = np.zeros((len(rows), len(classes)), dtype=bool)
    ignored = np.zeros(len(rows), dtype=bool)
    uncertain = np.zeros(len(rows), dtype=bool)
    problems: dict[int, str] = {}
    for column, name in findings.columns.items():
        states, bad = _read_states(rows.loc[:, column], findings)
        problems = {**bad, **problems}
        policy = findings.policy_of.get(name, findings.policy)
        unsure = states == UNCERTAIN
        uncertain |= unsure
        ignored |= unsure if policy == "U-Ignore" else False
        counted = unsure if policy == "U-Ones" else False
        present[:, classes.index(name)] |= (states == PRESENT) | counted
    choice = _Choice()
    choice.note("rows_with_uncertain_finding", uncertain)
    codes, distinct = _number_rows(present)
    named = [
        tuple(name for name, is_there in zip(classes, one, strict=True) if is_there)
        for one in distinct
    ]
    text, without = _decide(
        named, codes, negative=negative, otherwise=findings.otherwise, choice=choice
    )
    return ToldFindings(
        text=pd.Series(text, index=rows.index, dtype=TEXT),
        left_out={"as uncertain": ignored, "without a finding": without & ~ignored},
        notes=choice.notes,
        problems=problems,
    )


def _read_states(
    cells: pd.Series, findings: FindingColumns
) -> tuple[np.ndarray, dict[int, str]]:
    meaning = {
        **dict.fromkeys(findings.present, PRESENT),
        **dict.fromkeys(findings.absent, ABSENT),
        **dict.fromkeys(findings.uncertain, UNCERTAIN),
    }

    def parse(text: str) -> int:
        if plain_value(text) not in meaning:
            listed = ", ".join(repr(value) for value in meaning)
            raise RecordError(
                f"`{cells.name}` must be one of {listed}. Received: {text[:40]!r}."
            )
        return meaning[plain_value(text)]

    states, bad = parse_column(cells, parse, "float32")
    return states.to_numpy(), bad


def _number_rows(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns each row's number, and the distinct rows by number."""
    packed = np.packbits(matrix, axis=1)
    # as one value a row: np.unique(axis=0) takes ten times as long on 220,000 rows
    keys = np.ascontiguousarray(packed).view(f"V{packed.shape[1]}").ravel()
    _, first, codes = np.unique(keys, return_index=True, return_inverse=True)
    return codes, matrix[first]


def _tell_list(
    rows: pd.DataFrame, findings: FindingList, *, negative: str
) -> ToldFindings:
    parse = partial(_parse_labels, findings=findings)
    cells, problems = parse_column(rows.loc[:, findings.column], parse, "object")
    codes, distinct = pd.factorize(cells)  # bad rows are -1
    told = [*distinct, _Labels(left_out="bad")]
    choice = _Choice()
    text, without = _decide(
        [one.classes for one in told],
        codes,
        negative=negative,
        otherwise=findings.otherwise,
        choice=choice,
        used=np.array([not one.left_out for one in told]),
    )
    choice.note(
        "rows_with_unlisted_label",
        np.array([one.unlisted and not one.left_out for one in told])[codes],
    )
    reasons = {
        name: np.array([one.left_out == name for one in told])[codes]
        for name in (WITHOUT_LABELS, BY_LABEL)
    }
    return ToldFindings(
        text=pd.Series(text, index=rows.index, dtype=TEXT),
        left_out={**reasons, "without a finding": without},
        notes=choice.notes,
        problems=problems,
    )


def _parse_labels(text: str, *, findings: FindingList) -> _Labels:
    labels = [plain_value(label) for label in _split_labels(text, findings)]
    labels = [label for label in labels if label]
    if not labels:
        return _Labels(left_out=WITHOUT_LABELS)
    if {*labels} & {*findings.leave_out}:
        return _Labels(left_out=BY_LABEL)
    unlisted = [label for label in labels if label not in findings.names]
    if unlisted and findings.unlisted == "error":
        raise RecordError(
            f"`{findings.column}` must hold labels that the mapping's `names` lists. "
            f"Received: {unlisted[0][:40]!r}."
        )
    classes = [name for label in labels for name in findings.names.get(label, ())]
    return _Labels(classes=tuple(dict.fromkeys(classes)), unlisted=bool(unlisted))


def _split_labels(text: str, findings: FindingList) -> Sequence[str]:
    if not text or findings.separator != "python_list":
        return text.split(findings.separator) if text else ()
    try:
        values = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        values = None
    if not isinstance(values, list) or not all(isinstance(one, str) for one in values):
        raise RecordError(
            f"`{findings.column}` must be a list of texts, such as ['a', 'b']. "
            f"Received: {text[:40]!r}."
        )
    return values


def _decide(
    named: Sequence[tuple[str, ...]],
    codes: np.ndarray,
    *,
    negative: str,
    otherwise: str,
    choice: _Choice,
    used: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the text of each row, and whether it is left out for want of a finding."""
    counted = np.ones(len(named), dtype=bool) if used is None else used
    found = [tuple(name for name in one if name != negative) for one in named]
    both = [negative in one and one != (negative,) for one in named]
    beside = np.array(both, dtype=bool)
    nothing = np.array([not one for one in named], dtype=bool) & counted
    choice.note("rows_with_negative_beside_finding", (beside & counted)[codes])
    taken = otherwise == "negative"
    if taken:
        choice.note("rows_taken_as_negative", nothing[codes])
    text = ["|".join(one) or negative for one in found]
    return np.array(text, dtype="object")[codes], nothing[codes] & (not taken)
