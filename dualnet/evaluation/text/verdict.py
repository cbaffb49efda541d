"""The verdict in plain words: what a model is shown to beat, and what not.

A baseline counts as beaten only if the whole 95 % interval of the paired difference
lies on the model's side of zero.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dualnet.evaluation.scores.prediction import CALLED, Prediction, find_answers
from dualnet.evaluation.scores.truth import Truth
from dualnet.wording import format_number, number_of

ALWAYS = 0.99  # a class that is the answer to such a share of the rows is the only one
SAME = 1e-4  # probabilities that vary by less do not depend on the radiograph

SMALLEST_P = 0.001  # 1,000 resamples tell no more

BEATS = "beats"
UNSHOWN = "is not shown to beat"
WORSE = "is worse than"
UNDEFINED = "cannot be compared with"


def judge(
    metrics: Mapping[str, Any], model: Prediction, truth: Truth
) -> dict[str, Any]:
    """Says what the scores show.

    Args:
        metrics: Plain values, as `evaluate` collects them.
        model: What the model says.
        truth: What the rows are.

    Returns:
        `lines` (sentences, the gravest first), `outcomes` (by macro AUROC, for each
        baseline), `always_says` (a class name or None), `always_says_share` (of the
        rows, the commonest answer's; None if it gives no answers) and
        `ignores_its_input`.
    """
    answers = _count_answers(model, truth)
    commonest = int(answers.argmax())
    share = float(answers[commonest] / truth.num_images)
    always = truth.class_names[commonest] if share >= ALWAYS else None
    same = _says_the_same(model, truth)
    outcomes = {
        name: outcome(difference["macro_auroc"])
        for name, difference in metrics["differences"].items()
    }
    collapse = _describe_collapse(metrics, always, int(answers[commonest]), model)
    collapse += ["It says the same of every radiograph, whatever is in it."] * same
    lines = [
        *collapse,
        *_headline(outcomes),
        *_macro_lines(metrics, outcomes),
        *_first_label_lines(metrics),
    ]
    return {
        "lines": lines,
        "outcomes": outcomes,
        "always_says": always,
        "always_says_share": share if answers.any() else None,
        "ignores_its_input": same,
    }


def outcome(difference: Mapping[str, Any], *, larger_is_better: bool = True) -> str:
    """Reads a paired difference, model minus baseline.

    Args:
        difference: With its interval's ends `low` and `high`, None where undefined.
        larger_is_better: False for a loss.

    Returns:
        `beats`, `is not shown to beat`, `is worse than` or `cannot be compared with`.

    Example:
        >>> outcome({"low": -0.01, "high": 0.03})
        'is not shown to beat'
    """
    low, high = difference["low"], difference["high"]
    if low is None or high is None:
        return UNDEFINED
    if not larger_is_better:
        low, high = -high, -low
    if low > 0:
        return BEATS
    return WORSE if high < 0 else UNSHOWN


def display_baseline(name: str) -> str:
    """Returns a baseline's name in words.

    Example:
        >>> display_baseline("metadata_only")
        'metadata only'
    """
    return name.replace("_", " ")


def format_interval(values: Mapping[str, Any], *, sign: bool = False) -> str:
    """Returns the ends `low` and `high` in brackets, or `[n/a]`."""
    if values["low"] is None:
        return "[n/a]"
    ends = (format_number(values[end], sign=sign) for end in ("low", "high"))
    return f"[{', '.join(ends)}]"


def format_p(value: float | None) -> str:
    """Returns a p-value with three digits, `<.001` or `n/a`.

    Example:
        >>> format_p(0.0123), format_p(0.0001), format_p(None)
        ('.012', '<.001', 'n/a')
    """
    small = value is not None and value < SMALLEST_P
    return f"<{format_number(SMALLEST_P)}" if small else format_number(value)


def _count_answers(model: Prediction, truth: Truth) -> np.ndarray:
    # sigmoids answer with the likeliest finding that reaches CALLED, else with the
    # negative class; of scores that are no probabilities nobody knows what they call
    if model.probabilities is not None:
        answers = model.probabilities.argmax(axis=1)
    elif model.are_probabilities:
        negative = truth.vocabulary.negative
        scores = np.where(truth.is_finding, model.scores, np.nan)
        answers = find_answers(scores, truth.class_names, negative)
    else:
        answers = np.array([], dtype=np.int64)
    return np.bincount(answers, minlength=len(truth.class_names))


def _says_the_same(model: Prediction, truth: Truth) -> bool:
    if truth.num_images < 2:  # one radiograph shows nothing
        return False
    if model.probabilities is not None:
        return bool(np.ptp(model.probabilities, axis=0).max() < SAME)
    # sigmoids may all be tiny, and other scores of any size: next to the largest
    scores = np.nan_to_num(model.scores)
    return bool(np.ptp(scores, axis=0).max() <= SAME * np.abs(scores).max())


def _describe_collapse(
    metrics: Mapping[str, Any], always: str | None, answers: int, model: Prediction
) -> list[str]:
    if always is None:
        return []
    of_all = f"{answers:,} of {number_of(metrics['num_images'], 'radiograph')}"
    if model.probabilities is not None:
        accuracy = format_number(metrics["model"]["first_label"]["accuracy"])
        why = (
            f"it is the likeliest class of {of_all}. "
            f"Its accuracy, {accuracy}, is about that class's share."
        )
    elif always == metrics["negative"]:
        why = f"no finding reaches {CALLED} on {of_all}."
    else:
        why = f"it is the likeliest finding, and reaches {CALLED}, on {of_all}."
    return [f'This model always says "{always}": {why}']


def _headline(outcomes: Mapping[str, str]) -> list[str]:
    clauses = [
        f"{kind} {_join([display_baseline(name) for name in names])}"
        for kind in (WORSE, UNDEFINED, UNSHOWN, BEATS)
        if (names := [name for name, one in outcomes.items() if one == kind])
    ]
    return [f"By macro AUROC the model {_join(clauses)}."] if clauses else []


def _macro_lines(metrics: Mapping[str, Any], outcomes: Mapping[str, str]) -> list[str]:
    macro = metrics["model"]["macro"]
    num_findings = len(metrics["class_names"]) - 1
    undefined = f" (undefined: {', '.join(macro['undefined'])})"
    lines = [
        f"Macro AUROC {format_number(macro['auroc'])} "
        f"{format_interval(macro['auroc_interval'])} over {macro['num_defined']} of "
        f"{number_of(num_findings, 'finding')}{undefined if macro['undefined'] else ''}, "
        f"{number_of(metrics['num_images'], 'radiograph')} of "
        f"{number_of(metrics['num_patients'], 'patient')}."
    ]
    for name in outcomes:
        value = metrics["differences"][name]["macro_auroc"]
        auroc = metrics["baselines"][name]["macro"]["auroc"]
        lines.append(
            f"  against {display_baseline(name)} ({format_number(auroc)}): "
            f"{format_number(value['difference'], sign=True)} "
            f"{format_interval(value, sign=True)}"
        )
    return lines


def _first_label_lines(metrics: Mapping[str, Any]) -> list[str]:
    """Accuracy beside the majority, log-loss beside the prior: where each is strong."""
    why_undefined = metrics["model"]["first_label"]["undefined_because"]
    if why_undefined is not None:
        return [f"By first label nothing is scored: {why_undefined}."]
    lines = []
    for measure, baseline, larger in (
        ("accuracy", "majority", True),
        ("log_loss", "class_prior", False),
    ):
        if baseline not in metrics["baselines"]:
            continue
        value = metrics["differences"][baseline]["first_label"][measure]
        scores = [
            format_number(block["first_label"][measure])
            for block in (metrics["model"], metrics["baselines"][baseline])
        ]
        lines.append(
            f"By {measure.replace('_', '-')} of the first label ({scores[0]}) it "
            f"{outcome(value, larger_is_better=larger)} {display_baseline(baseline)} "
            f"({scores[1]}): {format_number(value['difference'], sign=True)} "
            f"{format_interval(value, sign=True)}."
        )
    return lines


def _join(words: Sequence[str]) -> str:
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"
