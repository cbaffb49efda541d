"""The sections that every report has: baselines, findings, calibration, answers."""

from collections.abc import Mapping
from typing import Any

from dualnet.evaluation.auditing.probes import THUMBNAIL
from dualnet.evaluation.scores.baselines import IMAGE_ONLY, METADATA_ONLY
from dualnet.evaluation.table import findings_table
from dualnet.evaluation.text.verdict import display_baseline, format_number
from dualnet.plots.report.captions import show
from dualnet.plots.report.cells import (
    format_auroc,
    format_difference,
    format_measure,
)
from dualnet.plots.report.sections import Section, Table
from dualnet.wording import number_of

BASELINES = {
    METADATA_ONLY: "metadata only reads the record and never the picture",
    THUMBNAIL: "thumbnail reads the picture shrunk to 16 by 16 pixels",
    IMAGE_ONLY: "image only is the run of pictures alone that was named",
}


def make_baselines(metrics: Mapping[str, Any]) -> Section | None:
    """Sets the model's scores beside those of every baseline."""
    return Section(
        key="baselines",
        title="Scores beside the baselines",
        paragraphs=(
            "A model has to beat what needs no model. The class prior gives every "
            "radiograph the shares of the rows it is fitted on; the majority answers their "
            f"commonest class{_describe_baselines(metrics)}. The model counts as better only if the whole interval of the difference, "
            "paired on the same resamples, lies above 0.",
        ),
        tables=(
            _macro_table(metrics),
            *([_first_label_table(metrics)] if gives_answers(metrics) else []),
        ),
        pictures=show("comparison"),
    )


def _describe_baselines(metrics: Mapping[str, Any]) -> str:
    known = [said for name, said in BASELINES.items() if name in metrics["baselines"]]
    return "".join(f"; {said}" for said in known)


def make_findings(metrics: Mapping[str, Any]) -> Section | None:
    """Lists each finding's scores against the full label set."""
    header, *rows = findings_table(metrics)
    return Section(
        key="findings",
        title="Each finding",
        paragraphs=(
            "Each finding is scored on every radiograph: is it among the labels, "
            "wherever it stands. n is how many radiographs have it. AUROC is the chance "
            "that a radiograph with the finding scores above one without; it does not "
            "tell how often an alarm would be right. AP, the average precision, does: "
            "beside it stands the finding's share, which is what chance would score.",
        ),
        tables=(
            Table(
                caption="AUROC and average precision, and the baselines' AUROC",
                header=[*header[:4], "share", *header[4:]],
                rows=[[*row[:4], _share(metrics, row[1]), *row[4:]] for row in rows],
                note="Labels that a program took from reports, as NIH's are, are wrong "
                "for some radiographs, of rare findings most.",
            ),
        ),
        pictures=show("roc"),
    )


def make_reliability(metrics: Mapping[str, Any]) -> Section | None:
    """Says whether probabilities may be read as frequencies."""
    if not gives_answers(metrics):
        return None
    first = metrics["model"]["first_label"]
    error = format_number(first["expected_calibration_error"])
    return Section(
        key="reliability",
        title="How sure, and how often right",
        paragraphs=(
            "Radiographs are gathered by how likely the model says its likeliest class "
            "is. A calibrated model is right as often as it is sure. The calibration "
            f"error, {error}, is the mean gap between the two, weighted by radiographs. "
            "A small error alone is no merit: the class prior has one too.",
        ),
        tables=(
            Table(
                caption="Bins of the likeliest class's probability",
                header=["bin", "radiographs", "said", "right"],
                rows=[
                    [
                        f"{format_number(one['low'], digits=1)} to "
                        f"{format_number(one['high'], digits=1)}",
                        f"{one['count']:,}",
                        format_number(one["confidence"]),
                        format_number(one["accuracy"]),
                    ]
                    for one in first["reliability"]
                ],
            ),
        ),
        pictures=show("calibration"),
    )


def make_answers(metrics: Mapping[str, Any]) -> Section | None:
    """Shows which class each first label was answered with."""
    if not gives_answers(metrics):
        return None
    names = metrics["class_names"]
    matrix = metrics["model"]["first_label"]["confusion_matrix"]
    answered = [sum(column) for column in zip(*matrix, strict=True)]
    never = [
        display_baseline(name)
        for name, count in zip(names, answered, strict=True)
        if not count
    ]
    said = (
        f"Never the answer: {', '.join(never)}."
        if never
        else "Every class is answered."
    )
    return Section(
        key="answers",
        title="Answers",
        paragraphs=(
            "If the model had to name one class a radiograph, its likeliest. The first "
            "label counts as right, so of a radiograph with several labels all others "
            f"count as wrong. {said}",
        ),
        pictures=show("confusion"),
    )


def gives_answers(metrics: Mapping[str, Any]) -> bool:
    """Returns whether the model gives one answer a radiograph, as a softmax does."""
    return bool(metrics["model"]["first_label"].get("confusion_matrix"))


def _macro_table(metrics: Mapping[str, Any]) -> Table:
    macro = metrics["model"]["macro"]
    rows = [
        [
            "model",
            format_auroc(macro),
            format_number(macro["average_precision"]),
            "",
            "",
        ]
    ]
    for name, block in metrics["baselines"].items():
        difference = metrics["differences"][name]["macro_auroc"]
        other = block["macro"]
        rows.append(
            [
                display_baseline(name),
                format_auroc(other),
                format_number(other["average_precision"]),
                format_difference(difference),
                metrics["verdict"]["outcomes"].get(name, ""),
            ]
        )
    undefined = macro["undefined"]
    return Table(
        caption=f"Means over {macro['num_defined']} of "
        f"{number_of(len(metrics['class_names']) - 1, 'finding')}, "
        f"n = {metrics['num_images']:,}",
        header=["", "macro AUROC [95 %]", "mean AP", "model minus it", "the model"],
        rows=rows,
        left=(0, 4),
        note=f"Undefined, left out: {', '.join(undefined)}." if undefined else "",
    )


def _first_label_table(metrics: Mapping[str, Any]) -> Table:
    blocks = {"model": metrics["model"], **metrics["baselines"]}
    return Table(
        caption=f"One answer a radiograph, by its first label, "
        f"n = {metrics['num_images']:,}",
        header=[
            "",
            "accuracy [95 %]",
            "balanced",
            "log-loss [95 %]",
            "Brier",
            "calibration error",
        ],
        rows=[
            [
                display_baseline(name),
                format_measure(block["first_label"], "accuracy"),
                format_number(block["first_label"]["balanced_accuracy"]),
                format_measure(block["first_label"], "log_loss"),
                format_number(block["first_label"]["brier"]),
                format_number(block["first_label"]["expected_calibration_error"]),
            ]
            for name, block in blocks.items()
        ],
        note="Balanced: mean recall of the classes. Log-loss in nats, Brier from 0 to "
        "2; of both, and of the calibration error, less is better.",
    )


def _share(metrics: Mapping[str, Any], count: str) -> str:
    """The share of all radiographs that a written count is; empty for the mean."""
    if not count:
        return ""
    return format_number(int(count.replace(",", "")) / metrics["num_images"])
