"""A comparison of runs as rows: a table for other programs, and text to read."""

from collections.abc import Mapping
from textwrap import fill
from typing import Any

import pandas as pd

from dualnet.evaluation.comparing.comparison_verdict import (
    describe_difference,
    join_words,
)
from dualnet.evaluation.comparing.cost_table import HEADER, cost_rows, has_costs
from dualnet.evaluation.table import COLUMNS
from dualnet.evaluation.text.caution import due_cautions
from dualnet.evaluation.text.columns import align
from dualnet.evaluation.text.verdict import (
    BEATS,
    WORSE,
    format_interval,
    format_number,
    format_p,
)
from dualnet.wording import describe_rows, number_of

MEAN = "Mean"
RUNS_WITH_INTERVALS = 3  # more do not fit beside each other in `COLUMNS`
WORDS = {BEATS: "better", WORSE: "worse"}
MEASURES = ("auroc", "average_precision")


def comparison_table(metrics: Mapping[str, Any]) -> pd.DataFrame:
    """Lists every run's score of every class, and its difference to the first run.

    Args:
        metrics: Plain values, as `compare` collects them.

    Returns:
        A row a run and class, after the classes of each run their mean: `run`,
        `finding`, `n_positive`, `n_negative`; for AUROC and average precision the
        score, its interval's ends `_low` and `_high`, its `_difference` to the first
        run with that one's ends; the tests; `outcome`. Empty where undefined, and for
        the first run's differences to itself.
    """
    rows = []
    for name, run in metrics["runs"].items():
        difference = metrics["differences"].get(name, {})
        entries = {**run["findings"], MEAN: run["macro"]}
        differences = {
            **difference.get("findings", {}),
            MEAN: {**difference.get("macro", {}), "outcome": difference.get("outcome")},
        }
        rows += [
            {"run": name, "finding": finding}
            | _list_scores(entry)
            | _list_differences(differences.get(finding, {}))
            for finding, entry in entries.items()
        ]
    return pd.DataFrame(rows).astype({"n_positive": "Int64", "n_negative": "Int64"})


def format_comparison(metrics: Mapping[str, Any]) -> str:
    """Writes the caution, if one is due, what was compared, the tables, the verdict.

    Args:
        metrics: Plain values, as `compare` collects them.

    Returns:
        Lines of at most `COLUMNS` characters, if the runs' names are short.
    """
    last = len(metrics["class_names"]) + 1
    blocks = [
        "\n".join(map(_fill, due_cautions(metrics))),
        "\n".join(_fill(line) for line in describe_shared_rows(metrics)),
        align(_scores_rows(metrics), left=(0,), rules=(1, last)),
    ]
    if has_costs(metrics):
        rows = [list(HEADER), *cost_rows(metrics)]
        blocks.append(f"Size and speed\n{align(rows, left=(0,), rules=(1,))}")
    for name in metrics["differences"]:
        title = f"{name} less {metrics['reference']}"
        cells = align(_difference_rows(metrics, name), left=(0, 6), rules=(1, last))
        blocks.append(f"{title}\n{cells}")
    blocks.append("\n".join(_fill(line) for line in metrics["verdict"]["lines"]))
    return "\n\n".join(block for block in blocks if block)


def _list_scores(entry: Mapping[str, Any]) -> dict[str, Any]:
    row = {key: entry.get(key) for key in ("n_positive", "n_negative")}
    for measure in MEASURES:
        ends = entry[f"{measure}_interval"]
        row[measure] = entry[measure]
        row |= {f"{measure}_{end}": ends[end] for end in ("low", "high")}
    return row


def _list_differences(entry: Mapping[str, Any]) -> dict[str, Any]:
    row = {}
    for measure in MEASURES:
        found = entry.get(measure, {})
        row[f"{measure}_difference"] = found.get("difference")
        row |= {
            f"{measure}_difference_{end}": found.get(end) for end in ("low", "high")
        }
    tests = ("standard_error", "p_value", "p_holm", "p_benjamini_hochberg")
    row |= {key: entry.get("auroc", {}).get(key) for key in tests}
    return row | {"outcome": entry.get("outcome")}


def describe_shared_rows(metrics: Mapping[str, Any]) -> list[str]:
    """Says which radiographs were compared, and which were left out.

    Args:
        metrics: Plain values, as `compare` collects them.

    Returns:
        Sentences, how many all runs share first.
    """
    shared = f"{describe_rows(metrics)} that all runs have predicted."
    fitted = metrics["num_fitted_left_out"]
    of_fitted = f"{number_of(fitted, 'radiograph')} of patients that a run was fitted on left out."
    left_out = [
        f"Left out of {name}: {run['num_left_out']:,} of "
        f"{number_of(run['num_predicted'], 'radiograph')}."
        for name, run in metrics["runs"].items()
        if run["num_left_out"]
    ]
    classes = metrics["unshared_classes"]
    unshared = [f"Not scored by all runs: {join_words(classes)}."] if classes else []
    return [shared, *([of_fitted] if fitted else []), *left_out, *unshared]


def _scores_rows(metrics: Mapping[str, Any]) -> list[list[str]]:
    runs = metrics["runs"]
    with_intervals = len(runs) <= RUNS_WITH_INTERVALS
    rows = [["AUROC", "n", *runs]]
    for name in order_classes(metrics):
        entries = [run["findings"][name] for run in runs.values()]
        count = f"{entries[0]['n_positive']:,}"
        cells = [_describe_area(entry, with_intervals) for entry in entries]
        rows.append([name.replace("_", " "), count, *cells])
    means = [_describe_area(run["macro"], with_intervals) for run in runs.values()]
    return [*rows, [name_mean(metrics), "", *means]]


def _difference_rows(metrics: Mapping[str, Any], name: str) -> list[list[str]]:
    difference = metrics["differences"][name]
    counts = metrics["runs"][name]["findings"]
    interval = f"[{metrics['intervals']['level'] * 100:.0f} % interval]"
    rows = [["Finding", "n", f"AUROC {interval}", f"AP {interval}", "p", "Holm", ""]]
    for finding in order_classes(metrics):
        cells = _difference_cells(difference["findings"][finding])
        count = f"{counts[finding]['n_positive']:,}"
        rows.append([finding.replace("_", " "), count, *cells])
    macro = {**difference["macro"], "outcome": difference["outcome"]}
    return [*rows, [name_mean(metrics), "", *_difference_cells(macro)]]


def _difference_cells(entry: Mapping[str, Any]) -> list[str]:
    area = entry["auroc"]
    # the negative class is none of the findings that are corrected for
    corrected = format_p(area["p_holm"]) if "outcome" in entry else ""
    return [
        *(describe_difference(entry[measure]) for measure in MEASURES),
        format_p(area["p_value"]),
        corrected,
        WORDS.get(entry.get("outcome", ""), ""),
    ]


def _describe_area(entry: Mapping[str, Any], with_interval: bool) -> str:
    number = format_number(entry["auroc"])
    if not with_interval or entry["auroc"] is None:
        return number
    return f"{number} {format_interval(entry['auroc_interval'])}"


def order_classes(metrics: Mapping[str, Any]) -> list[str]:
    """The findings, then the negative class if it is scored."""
    return sorted(metrics["class_names"], key=lambda name: name == metrics["negative"])


def name_mean(metrics: Mapping[str, Any]) -> str:
    """Names the row of the mean: over how many of the findings it is."""
    areas = next(iter(metrics["runs"].values()))["findings"]
    findings = [area for name, area in areas.items() if name != metrics["negative"]]
    defined = sum(area["auroc"] is not None for area in findings)
    return f"Mean of {defined} of {len(findings)}"


def _fill(line: str) -> str:
    return fill(line, COLUMNS, subsequent_indent="    ", break_on_hyphens=False)
