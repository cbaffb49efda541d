"""The section on what the model reads: picture, record, or neither of the two."""

from collections.abc import Iterator, Mapping
from typing import Any

from dualnet.evaluation.auditing.audit_verdict import FIELD_NAMES
from dualnet.evaluation.text.verdict import display_baseline
from dualnet.plots.audit import PROBES, VIEW_NAMES
from dualnet.plots.report.captions import show
from dualnet.plots.report.cells import format_auroc, format_score
from dualnet.plots.report.sections import Section, Table

BOTH = "picture and record"


def make_audit(metrics: Mapping[str, Any]) -> Section | None:
    """Shows what is left of the model with one half, or with parts of the picture."""
    audit = metrics.get("audit")
    if not audit:
        return None
    tables = [
        _table(caption, name, rows)
        for caption, name, rows in (
            ("With both halves, and with one", "read", list(_list_halves(audit))),
            ("With fields of the record missing", "missing", list(_list_gaps(audit))),
            ("Without the lungs, pictures alone", "seen", list(_list_probes(audit))),
        )
        if rows
    ]
    tables += [_source_table(*one) for one in (audit.get("sources") or {}).items()]
    return Section(
        key="audit",
        title="What the model reads",
        paragraphs=(
            "The same model, with parts of what it reads taken away. A half is "
            "taken away in several ways, as none of them is neutral: a model that never "
            "met a missing field in training has not been taught what it means.",
            *audit["warnings"],
        ),
        tables=tables,
        pictures=show("record_adds", "missing_fields", "counterfactuals", "shortcuts"),
    )


def _list_halves(audit: Mapping[str, Any]) -> Iterator[list[str]]:
    found = audit.get("modalities")
    if not found:
        return
    yield _row(BOTH, found["fused"])
    for (half, way), said in VIEW_NAMES.items():
        if found[half].get(way):
            yield _row(said, found[half][way])


def _list_gaps(audit: Mapping[str, Any]) -> Iterator[list[str]]:
    for pattern in (audit.get("modalities") or {}).get("patterns") or ():
        missing = ", ".join(FIELD_NAMES[name] for name in pattern["missing"])
        yield _row(missing or "nothing", pattern)


def _list_probes(audit: Mapping[str, Any]) -> Iterator[list[str]]:
    for name, scores in (audit.get("probes") or {}).items():
        if isinstance(scores, Mapping) and "macro" in scores:
            said, _ = PROBES.get(name, (display_baseline(name), None))
            yield _row(said, scores)


def _source_table(column: str, found: Mapping[str, Any]) -> Table:
    rows = [
        [value, f"{scores['n']:,}", format_auroc(scores)]
        for value, scores in found["values"].items()
    ]
    return Table(
        caption=f"How well {column} is told from the model's features",
        header=[column, "n", "AUROC against the rest [95 %]"],
        rows=[*rows, ["mean", f"{found['num_images']:,}", format_auroc(found)]],
        note="By logistic regression, on patients it was not fitted on. .5: the "
        "features do not tell it. n/a: fewer than five patients.",
    )


def _row(name: str, scores: Mapping[str, Any]) -> list[str]:
    first = scores.get("first_label") or {}
    return [
        name,
        format_auroc(scores["macro"]),
        format_score(first.get("accuracy"), first.get("accuracy_interval")),
    ]


def _table(caption: str, name: str, rows: list[list[str]]) -> Table:
    return Table(
        caption=caption,
        header=[name, "macro AUROC [95 %]", "accuracy [95 %]"],
        rows=rows,
    )
