"""An exploration as plain values, for `explore.json`."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd

from dualnet.explore.duplicates import COARSE_THRESHOLD, THRESHOLD
from dualnet.explore.exploration import Exploration, PictureFacts, Shift
from dualnet.explore.labels import condition
from dualnet.explore.shortcuts import Probe
from dualnet.explore.stand_out import Remark

FORMAT = 1  # raised when a key changes its meaning
DIGITS = 6


def summarize(exploration: Exploration, remarks: Sequence[Remark]) -> dict[str, Any]:
    """Returns the numbers of an exploration as plain values.

    Args:
        exploration: What was found out.
        remarks: What stands out of it.

    Returns:
        Values for JSON, floats rounded to six places, None where undefined. The same
        dataset, configuration and seed give the same bytes.
    """
    facts, pictures = exploration.table, exploration.pictures
    return {
        "explore": FORMAT,
        "dataset": exploration.name,
        "vocabulary": exploration.vocabulary.name,
        "stands_out": [remark.as_dict() for remark in remarks],
        "counts": dict(facts.counts),
        "known": dict(facts.known),
        "label_strings": plain(facts.strings),
        "labels_per_radiograph": {
            str(number): count for number, count in facts.labels_per_radiograph.items()
        },
        "findings": plain(facts.findings),
        "cooccurrence": {
            "class_names": list(exploration.vocabulary.class_names),
            "radiographs": facts.cooccurrence.tolist(),
            "share_of_row": plain(condition(facts.cooccurrence)),
        },
        "record_by_class": plain(facts.by_class),
        "prevalence_contrasts": {
            kind: plain(table) for kind, table in facts.contrasts.items()
        },
        "pictures_per_patient": plain(facts.per_patient),
        "split_by_picture": plain(asdict(facts.leakage)) if facts.leakage else None,
        "own_folders": None if facts.recurring is None else plain(facts.recurring),
        "shift": [_summarize_shift(shift) for shift in facts.shifts],
        "shortcuts": [_summarize_probe(probe) for probe in exploration.probes],
        "pictures": None if pictures is None else _summarize_pictures(pictures),
    }


def plain(values: Any) -> Any:
    """Turns tables, arrays and numbers into what JSON takes.

    Args:
        values: A DataFrame (one mapping a row), an array, a mapping, a sequence or a
            value.

    Returns:
        Plain values; None for what is not a number or missing.

    Example:
        >>> plain(pd.DataFrame({"share": [1 / 3, float("nan")]}))
        [{'share': 0.333333}, {'share': None}]
    """
    if isinstance(values, pd.DataFrame):
        return [plain(row) for row in values.to_dict("records")]
    if isinstance(values, np.ndarray):
        return plain(values.tolist())
    if isinstance(values, dict):
        return {str(key): plain(value) for key, value in values.items()}
    if isinstance(values, (list, tuple)):
        return [plain(value) for value in values]
    if values is None or values is pd.NA:
        return None
    if isinstance(values, np.generic):
        return plain(values.item())
    if isinstance(values, float):
        return round(values, DIGITS) if np.isfinite(values) else None
    return values


def _summarize_shift(shift: Shift) -> dict[str, Any]:
    parts = shift.parts
    return {
        "name": parts.name,
        "first": parts.first,
        "second": parts.second,
        "radiographs": [int(mask.sum()) for mask in parts.masks],
        "measures": plain(shift.table),
    }


def _summarize_probe(probe: Probe) -> dict[str, Any]:
    return {
        "name": probe.name,
        "fields": list(probe.fields),
        "radiographs": probe.num_images,
        "patients": probe.num_patients,
        "scores": plain(probe.scores),
    }


def _summarize_pictures(pictures: PictureFacts) -> dict[str, Any]:
    duplicates = pictures.duplicates
    return {
        "measured": pictures.num_pictures,
        "refused": pictures.num_refused,
        "sizes": plain(pictures.sizes),
        "distributions": {
            kind: {name: plain(table) for name, table in measures.items()}
            for kind, measures in pictures.distributions.items()
        },
        "duplicates": {
            "exact_pairs": duplicates.count("exact"),
            "near_pairs": duplicates.count("near"),
            "of_two_patients": int((~duplicates.pairs["same_patient"]).sum()),
            "with_different_findings": int((~duplicates.pairs["same_findings"]).sum()),
            "candidates_left_out": duplicates.num_left_out,
            "coarse_threshold": COARSE_THRESHOLD,
            "threshold": THRESHOLD,
        },
    }
