"""`labels.csv`: the findings of pictures that do not carry any themselves."""

import csv
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from dualnet.data.readers.text_table import read_text_table
from dualnet.errors import RecordError
from dualnet.findings import NO_FINDING, VOCABULARIES, Vocabulary

LABEL_TABLE = "labels.csv"
NAME_COLUMNS = ("image_id", "SOPInstanceUID", "path")
FINDINGS_COLUMN = "findings"
NEGATIVES = (NO_FINDING, "Normal")

UNLABELLED = Vocabulary(
    name="unlabelled",
    findings=(),
    negative=NO_FINDING,
    source=f"none: no {LABEL_TABLE} lies beside the pictures",
)


@dataclass(frozen=True, kw_only=True)
class LabelTable:
    """A table of findings.

    Args:
        labels: Findings joined by `|`, by the name of a picture.
        lines: Where each stands.
        vocabulary: That the findings are of.
        problems: Why a line is not used.
        digest: SHA-256 of the file.
    """

    labels: dict[str, str]
    lines: dict[str, int]
    vocabulary: Vocabulary
    problems: dict[int, str]
    digest: str


def read_label_table(file: Path) -> LabelTable:
    """Reads a table of findings.

    Args:
        file: CSV with `findings`, joined by `|`, and a column that names the picture,
            one of `NAME_COLUMNS`.

    Returns:
        The labels; `problems` holds the lines that are no rows, name no picture or one
        that was named before, or have no finding.

    Raises:
        RecordError: If it cannot be read, or no row has findings.
    """
    columns = {_find_name_column(file): "name", FINDINGS_COLUMN: "findings"}
    text = read_text_table(file, columns=columns, normalize=_normalize)
    labels: dict[str, str] = {}
    lines: dict[str, int] = {}
    problems = dict(text.problems)
    for line, name, findings in _rows(text.rows):
        if not (name and findings):
            problems[line] = "must name a picture and its findings. Received: neither."
            if name or findings:
                told = "no findings" if name else "no picture"
                problems[line] = (
                    f"must name a picture and its findings. Received: {told}."
                )
        elif name in labels:
            problems[line] = (
                "must name each picture once. "
                f"Received: the one that stands on line {lines[name]} too."
            )
        else:
            labels[name], lines[name] = findings, line
    if not labels:
        raise RecordError(
            f"{file.name}: must hold at least one row with findings. "
            f"Received: {len(problems):,} rows without. Fill in `findings`."
        )
    return LabelTable(
        labels=labels,
        lines=lines,
        vocabulary=find_vocabulary(labels.values()),
        problems=problems,
        digest=text.digest,
    )


def find_vocabulary(labels: Collection[str]) -> Vocabulary:
    """Finds the vocabulary that labels are written in, or makes one of them.

    Args:
        labels: Findings joined by `|`.

    Returns:
        The first known vocabulary that has all of them; else one of just these, with
        `No Finding` or `Normal`, whichever occurs, as its negative class.
    """
    names = {name.strip() for label in labels for name in label.split("|")}
    for known in VOCABULARIES.values():
        if names <= set(known.class_names):
            return known
    negative = next((name for name in NEGATIVES if name in names), NO_FINDING)
    return Vocabulary(
        name="labels",
        findings=tuple(sorted(names - {negative, ""})),
        negative=negative,
        source=f"the findings in {LABEL_TABLE}",
    )


def describe_labels(labels: Collection[str]) -> str:
    """Returns how often each finding occurs, for a log line: a slip shows there."""
    counts = Counter(name.strip() for label in labels for name in label.split("|"))
    return ", ".join(f"{name} {count:,}" for name, count in sorted(counts.items()))


def _find_name_column(file: Path) -> str:
    try:
        with file.open(encoding="utf-8-sig", errors="replace", newline="") as stream:
            header = {_normalize(name) for name in next(csv.reader(stream), [])}
    except (OSError, csv.Error):  # which `read_text_table` explains
        header = set()
    return next(
        (name for name in NAME_COLUMNS if _normalize(name) in header), NAME_COLUMNS[0]
    )


def _rows(rows: pd.DataFrame) -> list[tuple[int, str, str]]:
    names = rows["name"].str.strip().str.replace("\\", "/")
    findings = rows["findings"].str.strip()
    return list(zip(rows.index.tolist(), names, findings, strict=True))


def _normalize(header: str) -> str:
    return header.strip().lower().replace("_", "").replace(" ", "")
