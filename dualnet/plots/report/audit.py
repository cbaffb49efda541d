"""The section on what the model reads: picture, record, or neither of the two."""

from collections.abc import Iterator, Mapping
from typing import Any

from dualnet.evaluation.verdict import display_baseline
from dualnet.plots.report.captions import show
from dualnet.plots.report.cells import format_auroc, format_score
from dualnet.plots.report.sections import Section, Table

ALONE = {"image_only": "picture alone", "metadata_only": "record alone"}
WITHOUT = {
    "missing": "all fields missing",
    "permuted": "the other half of another patient",
    "averaged": "the other half averaged over patients",
}


def make_audit(metrics: Mapping[str, Any]) -> Section | None:
    """Shows what is left of the model with one half, or with parts of the picture."""
    audit = metrics.get("audit")
    if not audit:
        return None
    tables = [
        _table(caption, rows)
        for caption, rows in (
            ("With both halves, and with one", list(_list_modalities(audit))),
            ("With fields of the record missing", list(_list_patterns(audit))),
            ("Without the lungs, pictures alone", list(_list_probes(audit))),
        )
        if rows
    ]
    return Section(
        key="audit",
        title="What the model reads",
        paragraphs=(
            "The same checkpoint, with parts of what it reads taken away. A half is "
            "taken away in several ways, as none of them is neutral: a model that never "
            "met a missing field in training has not been taught what it means.",
            *audit["warnings"],
        ),
        tables=tables,
        pictures=show("record_adds", "missing_fields", "counterfactuals", "shortcuts"),
    )


def _list_modalities(audit: Mapping[str, Any]) -> Iterator[list[str]]:
    found = audit.get("modalities")
    if not found:
        return
    yield _row("both", found["fused"])
    for half, ways in ALONE.items():
        for way, said in WITHOUT.items():
            if found[half].get(way):
                yield _row(f"{ways}: {said}", found[half][way])


def _list_patterns(audit: Mapping[str, Any]) -> Iterator[list[str]]:
    for pattern in (audit.get("modalities") or {}).get("patterns") or ():
        missing = ", ".join(display_baseline(name) for name in pattern["missing"])
        yield _row(missing or "none", pattern)


def _list_probes(audit: Mapping[str, Any]) -> Iterator[list[str]]:
    for name, scores in (audit.get("probes") or {}).items():
        if isinstance(scores, Mapping) and "macro" in scores:
            yield _row(display_baseline(name), scores)


def _row(name: str, scores: Mapping[str, Any]) -> list[str]:
    first = scores.get("first_label") or {}
    return [
        name,
        format_auroc(scores["macro"]),
        format_score(first.get("accuracy"), first.get("accuracy_interval")),
    ]


def _table(caption: str, rows: list[list[str]]) -> Table:
    return Table(
        caption=caption,
        header=["", "macro AUROC [95 %]", "accuracy [95 %]"],
        rows=rows,
    )
