"""The sections of a comparison: scores side by side, differences, each one's baselines.

Made from the plain values of `compare.json`.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from dualnet.evaluation.comparing.comparison_table import (
    describe_shared_rows,
    name_mean,
    order_classes,
)
from dualnet.evaluation.comparing.comparison_verdict import describe_addition
from dualnet.evaluation.comparing.cost_table import HEADER, NOTE, cost_rows, has_costs
from dualnet.evaluation.text.verdict import (
    BEATS,
    UNDEFINED,
    UNSHOWN,
    WORSE,
    display_baseline,
    format_p,
)
from dualnet.plots.report.captions import show
from dualnet.plots.report.cells import format_difference, format_measure
from dualnet.plots.report.sections import MakeSection, Section, Table
from dualnet.plots.style import display_name

READS = {"fused": "picture and record", "image": "picture", "metadata": "record"}
SHOWN = {BEATS: "better", WORSE: "worse", UNSHOWN: "not shown", UNDEFINED: "n/a"}
MEASURES = {"auroc": "AUROC", "average_precision": "Average precision"}


def make_scores(metrics: Mapping[str, Any]) -> Section | None:
    """Sets the scores of all runs side by side."""
    means = Table(
        caption=f"Means over the findings ({name_mean(metrics).removeprefix('Mean of ')})",
        header=["model", "reads", "macro AUROC [95 %]", "mean AP [95 %]"],
        rows=[
            [
                name,
                READS.get(run["modality"], "not known"),
                *(format_measure(run["macro"], key) for key in MEASURES),
            ]
            for name, run in metrics["runs"].items()
        ],
        left=(0, 1),
    )
    return Section(
        key="scores",
        title="Scores side by side",
        paragraphs=(
            "All models on the same radiographs, judged by the same labels. AUROC is "
            "the chance that a radiograph with the finding scores above one without: "
            ".5 is guessing, 1 is perfect. Macro AUROC is its mean over the findings. "
            "AP, the average precision, tells how often an alarm would be right; "
            "guessing gives the share of radiographs that have the finding. In "
            "brackets, 95 % intervals.",
        ),
        tables=(means, *(_score_table(metrics, key) for key in MEASURES)),
        pictures=show("macro", "findings"),
    )


def make_differences(metrics: Mapping[str, Any]) -> Section | None:
    """Lists every finding's paired difference to the first run, with its tests."""
    return Section(
        key="differences",
        title="Differences",
        paragraphs=(
            f"Each model less {metrics['reference']}, the first that was named, on the "
            "same resamples of patients. p is the chance of so large a difference if "
            "there were none: of a finding by DeLong's test with each patient taken "
            "whole, of the mean by resampling. One in twenty such tests is below .05 by "
            "luck alone, so p is corrected for how many findings there are: by Holm the "
            "chance that any of those below .05 is luck stays one in twenty; by BH "
            "(Benjamini and Hochberg) about one in twenty of them is.",
            "A difference is called shown if its whole interval lies on one side of 0 "
            "and its p by Holm is below .05. What is not shown may still be there: then "
            "these radiographs are too few to tell.",
        ),
        tables=[_difference_table(metrics, name) for name in metrics["differences"]],
        pictures=show("differences"),
    )


def make_costs(metrics: Mapping[str, Any]) -> Section | None:
    """Sets size and speed of the models beside their score."""
    if not has_costs(metrics):
        return None
    return Section(
        key="costs",
        title="Size and speed",
        tables=(
            Table(
                caption="What each model costs, and what it scores",
                header=list(HEADER),
                rows=cost_rows(metrics),
                left=(0,),
                note=NOTE,
            ),
        ),
        pictures=show("costs"),
    )


def make_additions(metrics: Mapping[str, Any]) -> Section | None:
    """Says what one half adds, where two runs differ in nothing else."""
    if not metrics["additions"]:
        return None
    return Section(
        key="additions",
        title="What picture and record add",
        paragraphs=[describe_addition(one) for one in metrics["additions"]],
    )


def make_own_baselines(metrics: Mapping[str, Any]) -> Section | None:
    """Sets each run beside the baselines that it was judged with on its own."""
    rows = list(_list_baselines(metrics))
    if not rows:
        return None
    return Section(
        key="baselines",
        title="Each model beside its baselines",
        paragraphs=(
            "A model has to beat what needs no picture: the class prior and the "
            "majority give every radiograph the same answer; metadata only reads the "
            "record. These scores are of each model's own evaluation, on all the "
            "radiographs that it was judged on, which may be more than those above.",
        ),
        tables=(
            Table(
                caption="Macro AUROC of each model and its baselines",
                header=["model", "", "n", "macro AUROC [95 %]"],
                rows=rows,
                left=(0, 1),
            ),
        ),
    )


def make_rows(metrics: Mapping[str, Any]) -> Section | None:
    """Says which radiographs were compared."""
    return Section(
        key="rows",
        title="What was compared",
        paragraphs=describe_shared_rows(metrics),
        tables=(
            Table(
                caption="Radiographs that each model has predicted",
                header=["model", "predicted", "left out", "folder"],
                rows=[
                    [
                        name,
                        f"{run['num_predicted']:,}",
                        f"{run['num_left_out']:,}",
                        run["folder"],
                    ]
                    for name, run in metrics["runs"].items()
                ],
                left=(0, 3),
            ),
        ),
    )


SECTIONS: tuple[MakeSection, ...] = (
    make_scores,
    make_costs,
    make_differences,
    make_additions,
    make_own_baselines,
    make_rows,
)


def _score_table(metrics: Mapping[str, Any], measure: str) -> Table:
    runs = metrics["runs"]
    first = next(iter(runs.values()))["findings"]
    rows = [
        [
            display_name(finding),
            f"{first[finding]['n_positive']:,}",
            *(
                format_measure(run["findings"][finding], measure)
                for run in runs.values()
            ),
        ]
        for finding in order_classes(metrics)
    ]
    means = [format_measure(run["macro"], measure) for run in runs.values()]
    return Table(
        caption=f"{MEASURES[measure]} of each finding [95 %]",
        header=["finding", "n", *runs],
        rows=[*rows, [name_mean(metrics), "", *means]],
        note="n: radiographs that have the finding. Each score is of all radiographs.",
    )


def _difference_table(metrics: Mapping[str, Any], name: str) -> Table:
    difference = metrics["differences"][name]
    counts = metrics["runs"][name]["findings"]
    rows = [
        [
            display_name(finding),
            f"{counts[finding]['n_positive']:,}",
            *_difference_cells(difference["findings"][finding]),
        ]
        for finding in order_classes(metrics)
    ]
    macro = {**difference["macro"], "outcome": difference["outcome"]}
    return Table(
        caption=f"{name} less {metrics['reference']}",
        header=["finding", "n", "AUROC [95 %]", "", "p", "Holm", "BH", "AP [95 %]"],
        rows=[*rows, [name_mean(metrics), "", *_difference_cells(macro)]],
        left=(0, 3),
        note="The class without any finding is not among the findings that are "
        "corrected for. The mean is corrected for how many models were compared.",
    )


def _difference_cells(entry: Mapping[str, Any]) -> list[str]:
    area = entry["auroc"]
    return [
        format_difference(area),
        SHOWN.get(entry.get("outcome", ""), ""),
        format_p(area["p_value"]),
        *(
            format_p(area[key]) if key in area and "outcome" in entry else ""
            for key in ("p_holm", "p_benjamini_hochberg")
        ),
        format_difference(entry["average_precision"]),
    ]


def _list_baselines(metrics: Mapping[str, Any]) -> Iterator[list[str]]:
    for name, run in metrics["runs"].items():
        judged = run["judged"]
        if not judged or not judged["model"]:
            continue
        count = f"{judged['num_images']:,}"
        yield [name, "the model", count, format_measure(judged["model"], "auroc")]
        for baseline, scores in judged["baselines"].items():
            score = format_measure(scores, "auroc")
            yield ["", display_baseline(baseline), "", score]
