"""The audit in plain words."""

from collections.abc import Mapping
from typing import Any

from dualnet.evaluation.auditing.probes import BORDER_ONLY
from dualnet.evaluation.text.verdict import (
    BEATS,
    UNDEFINED,
    WORSE,
    format_interval,
    format_number,
    outcome,
)
from dualnet.wording import number_of

FIELD_NAMES = {"age": "age", "follow_up": "follow-up", "view": "view", "sex": "sex"}
COUNTERFACTUAL_NAMES = {
    "age_plus_20": "20 years older",
    "age_minus_20": "20 years younger",
    "first_visit": "at the first visit",
    "view_pa_to_ap": "taken AP instead of PA",
    "view_ap_to_pa": "taken PA instead of AP",
    "sex_m_to_f": "a woman instead of a man",
    "sex_f_to_m": "a man instead of a woman",
}


def say_audit(audit: Mapping[str, Any]) -> dict[str, list[str]]:
    """Says what an audit found.

    Args:
        audit: Plain values, as `dualnet.jobs.audit` collects them.

    Returns:
        `warnings`, which belong above all else, and `lines`, each a list of sentences.
    """
    lines = []
    if audit["modalities"]:
        lines += _say_modalities(audit["modalities"])
    if audit["counterfactuals"]:
        lines += _say_counterfactuals(audit["counterfactuals"])
    lines += _say_hidden(audit["probes"])
    for column, found in audit["sources"].items():
        lines.append(
            f"From the model's features {column} is told with AUROC {_area(found)} "
            f"({found['num_scored']} of {number_of(len(found['values']), 'value')}, "
            f"{found['num_images']:,} radiographs)."
        )
    return {"warnings": _say_shortcuts(audit["probes"]), "lines": lines}


def _say_modalities(found: Mapping[str, Any]) -> list[str]:
    fused = format_number(found["fused"]["macro"]["auroc"])
    image, metadata = found["image_only"], found["metadata_only"]
    lines = []
    for half, other, alone in (
        ("record", "picture", image["averaged"]),
        ("picture", "record", metadata["averaged"]),
    ):
        lines.append(
            f"{_say_gain(half, found['adds'][half]['macro_auroc'])} macro AUROC to what "
            f"the {other} says: {fused} with both, {_area(alone['macro'])} with the "
            f"{other} alone (the {half}s of {found['num_averaged']} patients averaged "
            "over)."
        )
    missing = _area(image["missing"]["macro"])
    taught = found["taught_missing"]
    untaught = [FIELD_NAMES[field] for field, number in taught.items() if not number]
    lines.append(
        f"Without the record, all fields missing, the model's macro AUROC is {missing}"
        + (
            f"; no training radiograph lacked {' or '.join(untaught)}, so what missing "
            "means was never taught."
            if untaught
            else "."
        )
    )
    if image["permuted"] is not None:
        lines.append(
            "With another patient's record it is "
            f"{_area(image['permuted']['macro'])}, with another patient's picture "
            f"{_area(metadata['permuted']['macro'])}."
        )
    return lines


def _say_gain(half: str, difference: Mapping[str, Any]) -> str:
    value = (
        f"{format_number(difference['difference'], sign=True)} "
        f"{format_interval(difference, sign=True)}"
    )
    kind = outcome(difference)
    if kind == BEATS:
        return f"The {half} adds {value}"
    if kind == WORSE:
        return f"The {half} takes away: {value}"
    if kind == UNDEFINED:
        return f"What the {half} adds cannot be told: {value}"
    return f"The {half} is not shown to add: {value}"


def _say_counterfactuals(found: Mapping[str, Any]) -> list[str]:
    """Names the one that changes most answers."""
    asked = {name: one for name, one in found.items() if one["num_images"]}
    if not asked:
        return []
    name = max(asked, key=lambda one: asked[one]["answers_changed"])
    one = asked[name]
    moved = max(
        one["classes"], key=lambda each: abs(one["classes"][each]["logit"]["mean"])
    )
    shift = one["classes"][moved]["probability"]
    ends = {"low": shift["quantiles"]["0.05"], "high": shift["quantiles"]["0.95"]}
    return [
        f"Were {'the patient' if name.startswith(('age', 'sex')) else 'the radiograph'} "
        f"{COUNTERFACTUAL_NAMES[name]}, the same picture would get another likeliest "
        f"class in {one['answers_changed']:.1%} of "
        f"{number_of(one['num_images'], 'radiograph')}; most moved is "
        f"{moved.replace('_', ' ')}, its probability by "
        f"{format_number(shift['mean'], sign=True)} on the mean (middle 90 %: "
        f"{format_interval(ends, sign=True)})."
    ]


def _say_hidden(probes: Mapping[str, Any]) -> list[str]:
    parts = {
        "centre_masked": "with the centre hidden",
        "border_only": "with only the border to be seen",
    }
    said = [
        f"{_area(probes[name]['macro'])} {words}"
        for name, words in parts.items()
        if name in probes
    ]
    if not said:
        return []
    whole = format_number(probes["model"]["macro"]["auroc"])
    return [f"On pictures alone its macro AUROC is {whole}, {', '.join(said)}."]


def _say_shortcuts(probes: Mapping[str, Any]) -> list[str]:
    """One sentence for the mean and each finding: the probe that tells it best."""
    said: dict[str | None, str] = {}
    for one in probes["shortcuts"]:  # the highest first
        finding = one["finding"]
        of = "on the mean" if finding is None else f"for {finding.replace('_', ' ')}"
        seen = (
            "This model, shown only the border,"
            if one["probe"] == BORDER_ONLY
            else "A model that sees only the border"
        )
        text = (
            f"{seen} scores {_area(one)} {of}, where this model scores "
            f"{format_number(one['model_auroc'])} on whole pictures: the border gives it "
            "away."
        )
        said.setdefault(finding, text)
    return list(said.values())


def _area(values: Mapping[str, Any]) -> str:
    return (
        f"{format_number(values['auroc'])} {format_interval(values['auroc_interval'])}"
    )
