"""What a comparison of runs shows, in plain words."""

from collections.abc import Mapping, Sequence
from typing import Any

from dualnet.evaluation.text.verdict import (
    BEATS,
    UNDEFINED,
    UNSHOWN,
    WORSE,
    format_interval,
    format_number,
    format_p,
)
from dualnet.wording import number_of

FEW_PATIENTS = 20  # of fewer, DeLong's test finds too much: see `delong`
HALVES = {"record": "picture", "picture": "record"}
ADDITIONS = {
    BEATS: "The {added} adds to the {half}",
    UNSHOWN: "The {added} is not shown to add to the {half}",
    WORSE: "The {added} takes from the {half}",
    UNDEFINED: "Whether the {added} adds to the {half} cannot be told",
}
NOT_IN_INTERVALS = (
    "The intervals are over patients; what another seed of training would change is "
    "not in them."
)


def describe_comparison(metrics: Mapping[str, Any]) -> list[str]:
    """Says which run beats the first, what each half adds, and what is left out.

    Args:
        metrics: Plain values, as `compare` collects them.

    Returns:
        Sentences, the comparisons first.
    """
    lines = []
    for name, difference in metrics["differences"].items():
        lines += [_against_first(metrics, name), _by_finding(metrics, difference)]
    lines += [describe_addition(one) for one in metrics["additions"]]
    return [*lines, NOT_IN_INTERVALS]


def describe_difference(found: Mapping[str, Any]) -> str:
    """Returns a difference with its interval in brackets.

    Example:
        >>> describe_difference({"difference": 0.05, "low": 0.02, "high": 0.09})
        '+.050 [+.020, +.090]'
    """
    number = format_number(found["difference"], sign=True)
    return f"{number} {format_interval(found, sign=True)}"


def join_words(words: Sequence[str]) -> str:
    """Joins words as in a sentence.

    Args:
        words: Some, or none.

    Returns:
        The words with commas and `and`, or `none`.

    Example:
        >>> join_words(["Edema", "Mass", "Nodule"])
        'Edema, Mass and Nodule'
    """
    if len(words) < 2:
        return "".join(words) or "none"
    return f"{', '.join(words[:-1])} and {words[-1]}"


def _against_first(metrics: Mapping[str, Any], name: str) -> str:
    reference = metrics["reference"]
    difference = metrics["differences"][name]
    areas = [
        format_number(metrics["runs"][one]["macro"]["auroc"])
        for one in (name, reference)
    ]
    area = difference["macro"]["auroc"]
    count = len(metrics["differences"])
    corrected = f", corrected for {count} runs" if count > 1 else ""
    return (
        f"{name} {difference['outcome']} {reference} by macro AUROC: {areas[0]} to "
        f"{areas[1]}, difference {describe_difference(area)}, "
        f"p {format_p(area['p_holm'])}{corrected}."
    )


def _by_finding(metrics: Mapping[str, Any], difference: Mapping[str, Any]) -> str:
    outcomes = {
        name: one["outcome"]
        for name, one in difference["findings"].items()
        if "outcome" in one
    }
    better, worse, undefined = (
        [name for name, found in outcomes.items() if found == kind]
        for kind in (BEATS, WORSE, UNDEFINED)
    )
    counts = metrics["runs"][metrics["reference"]]["findings"]
    few = [
        name for name in better + worse if count_patients(counts[name]) < FEW_PATIENTS
    ]
    untold = f"; cannot be told for {join_names(undefined)}" if undefined else ""
    doubtful = (
        f" Doubtful, being of fewer than {FEW_PATIENTS} patients: {join_names(few)}."
    )
    return (
        f"  By finding, corrected for {number_of(len(outcomes), 'finding')}: better "
        f"for {join_names(better)}; worse for {join_names(worse)}{untold}."
        f"{doubtful if few else ''}"
    )


def count_patients(entry: Mapping[str, Any]) -> int:
    """Returns how many patients have a finding or lack it, whichever are fewer."""
    return min(entry["n_positive_patients"], entry["n_negative_patients"])


def join_names(names: Sequence[str]) -> str:
    """Joins names of findings as in a sentence."""
    return join_words([name.replace("_", " ") for name in names])


def describe_addition(addition: Mapping[str, Any]) -> str:
    """Says what one half of a model adds to the other.

    Args:
        addition: One of `additions`, as `compare` collects them.

    Returns:
        A sentence with the difference, its interval and its p-value.
    """
    added = addition["added"]
    said = ADDITIONS[addition["outcome"]].format(added=added, half=HALVES[added])
    area = addition["macro"]["auroc"]
    return (
        f"{said}: {describe_difference(area)} macro AUROC ({addition['with']} less "
        f"{addition['without']}, which differ in nothing else), "
        f"p {format_p(area['p_holm'])}."
    )
