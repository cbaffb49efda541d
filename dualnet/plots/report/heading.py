"""What stands first in a report: cautions, the verdict in words, the main numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dualnet.evaluation.text.caution import NOT_A_MEDICAL_DEVICE, due_cautions
from dualnet.evaluation.text.verdict import (
    display_baseline,
    format_interval,
    format_number,
)
from dualnet.plots.report.scores import gives_answers
from dualnet.wording import describe_rows, number_of


@dataclass(frozen=True, kw_only=True)
class Heading:
    """The top of a report.

    Args:
        title: What was judged.
        subtitle: On which rows, and how the intervals were made.
        cautions: What the scores must not be taken for.
        verdict: Sentences, each with the lines that belong to it.
        facts: The main numbers, each with what it is.
        files: Where every number can be found.
        summary: The headline above `verdict`.
        links: Other pages, each its address and what it is.
    """

    title: str
    subtitle: str
    cautions: Sequence[str]
    verdict: Sequence[tuple[str, Sequence[str]]]
    facts: Sequence[tuple[str, str]]
    files: str = (
        "Every number is in metrics.json, every probability in predictions.csv."
    )
    summary: str = "Verdict"
    links: Sequence[tuple[str, str]] = ()


def make_heading(metrics: Mapping[str, Any]) -> Heading:
    """Makes the top of a report.

    Args:
        metrics: Plain values, as `evaluate` collects them.

    Returns:
        The top.
    """
    about = metrics.get("about") or {}
    on = f" of {about['data']}" if about else ""
    return Heading(
        title=f"Evaluation of {about.get('model', 'a model')}",
        subtitle=(
            f"Part {metrics['part']}{on}: {describe_rows(metrics)}. "
            f"{describe_intervals(metrics)}"
        ),
        cautions=[NOT_A_MEDICAL_DEVICE, *due_cautions(metrics)],
        verdict=_group([*metrics["verdict"]["lines"], *metrics.get("notes", ())]),
        facts=_list_facts(metrics),
    )


def describe_intervals(metrics: Mapping[str, Any]) -> str:
    """Says how the intervals were made, and what `n/a` stands for.

    Args:
        metrics: Plain values, with `intervals`.

    Returns:
        Two sentences.
    """
    intervals = metrics["intervals"]
    return (
        f"Intervals hold {100 * intervals['level']:.0f} % of "
        f"{intervals['resamples']:,} resamples of {intervals['of']} "
        f"(seed {intervals['seed']}). n/a: these radiographs cannot give the score."
    )


def _group(lines: Sequence[str]) -> list[tuple[str, list[str]]]:
    """Puts lines that begin with spaces to the sentence above them."""
    groups: list[tuple[str, list[str]]] = []
    for line in lines:
        if line.startswith(" ") and groups:
            groups[-1][1].append(line.strip())
        else:
            groups.append((line.strip(), []))
    return groups


def _list_facts(metrics: Mapping[str, Any]) -> list[tuple[str, str]]:
    macro = metrics["model"]["macro"]
    facts = [
        (
            format_number(macro["auroc"]),
            f"macro AUROC {format_interval(macro['auroc_interval'])}, "
            f"mean of {number_of(macro['num_defined'], 'finding')}",
        )
    ]
    areas = {
        name: block["macro"]["auroc"]
        for name, block in metrics["baselines"].items()
        if block["macro"]["auroc"] is not None
    }
    if areas:
        best = max(areas, key=lambda name: areas[name])
        said = f"macro AUROC of {display_baseline(best)}, the best baseline"
        facts.append((format_number(areas[best]), said))
    return [*facts, *(_list_accuracies(metrics) if gives_answers(metrics) else [])]


def _list_accuracies(metrics: Mapping[str, Any]) -> list[tuple[str, str]]:
    first = metrics["model"]["first_label"]
    largest = _largest_class(metrics)
    share = max(map(sum, first["confusion_matrix"])) / metrics["num_images"]
    return [
        (
            format_number(first["accuracy"]),
            f"accuracy of the first label {format_interval(first['accuracy_interval'])}",
        ),
        (
            format_number(share),
            f"accuracy of always saying {display_baseline(largest)}",
        ),
    ]


def _largest_class(metrics: Mapping[str, Any]) -> str:
    counts = [sum(row) for row in metrics["model"]["first_label"]["confusion_matrix"]]
    return metrics["class_names"][counts.index(max(counts))]
