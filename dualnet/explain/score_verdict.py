"""The scores of heat maps in plain words, and as a table.

Maps are said to point where findings are only if the whole 95 % interval of the paired
difference lies above zero for each of three: chance, the centre prior, and the same
model with its weights shuffled.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from dualnet.evaluation.text.columns import align
from dualnet.evaluation.text.verdict import (
    BEATS,
    WORSE,
    format_interval,
    format_number,
    outcome,
)
from dualnet.explain.localisation import SCORES
from dualnet.wording import describe_rows, number_of, of_phantom

SHUFFLED, OTHER_PATIENT = "shuffled_weights", "other_patient"
NEEDED = ("chance", "centre_prior", SHUFFLED)
NAMES = {
    "chance": "chance",
    "centre_prior": "the centre prior",
    SHUFFLED: "shuffled weights",
    "usual_place": "the finding's usual place",
    OTHER_PATIENT: "another patient's map",
}
SCORE_NAMES = {
    "pointing": "pointing game",
    "energy": "energy inside",
    "iou": "IoU",
}
SURVIVES = 0.5  # of a map's rank correlation, after all weights were shuffled
FEW_PATIENTS = 50
AREAS = ("deletion", "insertion")


def say_scores(values: Mapping[str, Any]) -> list[str]:
    """Says what the scores show.

    Args:
        values: Plain values, as `dualnet.jobs.explanation_scores` collects them.

    Returns:
        Sentences, the verdict on the first method first.
    """
    lines = []
    for number, (name, block) in enumerate(values["methods"].items()):
        lines.append(_say_pointing(name, block, values, whole=number == 0))
        lines += _say_sanity(name, block)
        lines += _say_faithfulness(name, block)
        lines += _say_gaps(name, block)
    if values["num_patients"] < FEW_PATIENTS:
        lines.append(
            f"Only {number_of(values['num_patients'], 'patient')}: the intervals are "
            "wide, and may be too narrow still."
        )
    lines.append(
        "A map shows what moved the model, not what ails a patient. Not a medical device."
    )
    return lines


def score_table(values: Mapping[str, Any]) -> list[list[str]]:
    """Lists the scores of methods and of what they are compared with.

    Args:
        values: Plain values, as `dualnet.jobs.explanation_scores` collects them.

    Returns:
        The header, a row a method, each followed by itself with shuffled weights and
        with another patient's map, then the baselines.
    """
    rows = [["Map", *(f"{SCORE_NAMES[one]} [95 % interval]" for one in SCORES)]]
    for name, block in values["methods"].items():
        rows.append([name, *_cells(block["scores"])])
        for other in (SHUFFLED, OTHER_PATIENT):
            label = f"  {NAMES[other]}"
            rows.append([label, *_cells(block[other]["scores"])])
    for name, scores in values["baselines"].items():
        rows.append([NAMES[name], *_cells(scores)])
    return rows


def findings_table(values: Mapping[str, Any]) -> list[list[str]]:
    """Lists the pointing game by finding.

    Args:
        values: Plain values, as `dualnet.jobs.explanation_scores` collects them.

    Returns:
        The header, and a row a finding: boxes, each method's share of hits with its
        interval, and each baseline's.
    """
    methods, baselines = list(values["methods"]), list(values["baselines"])
    heads = [f"{name} [95 % interval]" for name in methods]
    rows = [["Pointing game by finding", "n", *heads, *(NAMES[b] for b in baselines)]]
    for one in values["findings"]:
        hits = {name: scores["pointing"] for name, scores in one["scores"].items()}
        rows.append(
            [
                one["finding"].replace("_", " "),
                f"{one['n']:,}",
                *(_cell(hits[name]) for name in methods),
                *(format_number(hits[name]["value"]) for name in baselines),
            ]
        )
    return rows


def format_scores(values: Mapping[str, Any]) -> str:
    """Writes verdict and tables as text.

    Args:
        values: Plain values, with their `verdict`.

    Returns:
        Lines, the verdict first.
    """
    tables = [
        align(rows, left=(0,), rules=(1,))
        for rows in (score_table(values), findings_table(values))
    ]
    return "\n\n".join(["\n".join(values["verdict"]), *tables]) + "\n"


def _say_pointing(
    name: str, block: Mapping[str, Any], values: Mapping[str, Any], *, whole: bool
) -> str:
    pointing = block["scores"]["pointing"]
    kinds = {
        other: outcome(scores["pointing"]) for other, scores in block["minus"].items()
    }
    said = (
        f"{name} points into the box in {_cell(pointing)} of "
        f"{number_of(values['num_boxed'], 'boxed finding')} "
        f"({describe_rows(values)}{of_phantom(values)}), "
        f"{_say_outcomes(kinds, block, values)}."
    )
    if not whole:
        return said
    true = all(kinds[other] == BEATS for other in NEEDED)
    head = "The maps point" if true else "The maps are not shown to point"
    return f"{head} where the findings are: {said}"


def _say_outcomes(
    kinds: Mapping[str, str], block: Mapping[str, Any], values: Mapping[str, Any]
) -> str:
    groups: dict[str, list[str]] = {"above": [], "not shown above": [], "below": []}
    for other, kind in kinds.items():
        word = {BEATS: "above", WORSE: "below"}.get(kind, "not shown above")
        scores = values["baselines"].get(other) or block[other]["scores"]
        score = format_number(scores["pointing"]["value"])
        groups[word].append(f"{NAMES[other]} ({score})")
    return "; ".join(f"{word} {_join(said)}" for word, said in groups.items() if said)


def _say_sanity(name: str, block: Mapping[str, Any]) -> list[str]:
    last = block["randomisation"]["stages"][-1]
    high = last["interval"]["high"]
    survives = high is None or high >= SURVIVES
    head = (
        f"{name} fails the sanity check"
        if survives
        else f"{name} passes the sanity check"
    )
    return [
        f"{head}: with all weights shuffled its maps' rank correlation with the model's "
        f"own is {format_number(last['correlation'])} "
        f"{format_interval(last['interval'])}; of different patients' maps it is "
        f"{format_number(block['randomisation']['other_patients'])}."
    ]


def _say_faithfulness(name: str, block: Mapping[str, Any]) -> list[str]:
    found = block["faithfulness"]
    deletion, insertion = (found[one]["minus_noise"] for one in AREAS)
    faithful = (
        outcome(deletion, larger_is_better=False) == BEATS
        and outcome(insertion) == BEATS
    )
    head = "is faithful" if faithful else "is not shown to be faithful"
    return [
        f"{name} {head} to what the model reads: pixels blurred in its order take the "
        f"area under the probability by {_difference(deletion)} against an order of "
        f"noise, pixels put back by {_difference(insertion)} "
        f"({number_of(found['n'], 'boxed finding')})."
    ]


def _say_gaps(name: str, block: Mapping[str, Any]) -> list[str]:
    lines = []
    if block["num_empty"]:
        lines.append(
            f"{number_of(block['num_empty'], 'map')} of {name} with nothing above 0 "
            "score 0."
        )
    if block[OTHER_PATIENT]["num_without"]:
        without = number_of(block[OTHER_PATIENT]["num_without"], "boxed finding")
        lines.append(
            f"For {without} no other patient's map of {name} is there: chance stands in."
        )
    return lines


def _difference(value: Mapping[str, Any]) -> str:
    number = format_number(value["difference"], sign=True)
    return f"{number} {format_interval(value, sign=True)}"


def _cells(scores: Mapping[str, Any]) -> list[str]:
    return [_cell(scores[name]) for name in SCORES]


def _cell(score: Mapping[str, Any]) -> str:
    return f"{format_number(score['value'])} {format_interval(score['interval'])}"


def _join(words: Sequence[str]) -> str:
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"
