"""What a person should know of a dataset before training on it, in sentences."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from dualnet.explore.exploration import (
    BORDER,
    FILE,
    GRAY,
    RECORD,
    Exploration,
    Shift,
)
from dualnet.explore.metadata import CONTRASTS
from dualnet.explore.shift import SMALL
from dualnet.explore.shortcuts import Probe
from dualnet.wording import format_number, number_of

ENOUGH = 30  # radiographs of a finding; ratios of fewer are luck
TELLING = 0.6  # an AUROC from which a shortcut is worth a warning
RATIO = 1.5  # how many times as common a finding must be to be told
DROPPED = 0.25  # share of a finding's labels that a rule must drop to be told
MAX_RATIOS = 3
SUBJECTS = {
    RECORD: "The record alone ({fields})",
    FILE: "The size of the file alone",
    GRAY: "Brightness and contrast alone",
    BORDER: "The border of the picture alone",
}


@dataclass(frozen=True)
class Remark:
    """One thing that stands out.

    Args:
        section: The report's section that shows it.
        text: The sentence, with its numbers.
    """

    section: str
    text: str

    def as_dict(self) -> dict[str, str]:
        """Returns plain values for JSON."""
        return asdict(self)


def find_remarks(exploration: Exploration) -> list[Remark]:
    """Finds what stands out; what matters most to a split or a score is first.

    Args:
        exploration: What was found out.

    Returns:
        The remarks.
    """
    return [
        *_leakage(exploration),
        *_duplicates(exploration),
        *_probes(exploration),
        *_contrasts(exploration),
        *_rules(exploration),
        *_pictures(exploration),
        *(remark for shift in exploration.table.shifts for remark in _shift(shift)),
        *_classes(exploration),
    ]


def percent(share: float, digits: int = 0) -> str:
    """Writes a share, as in `82.7 %`; one that is not 0 never as `0 %`.

    Args:
        share: In [0, 1].
        digits: After the point.

    Returns:
        The share in percent.

    Example:
        >>> percent(0.827, 1), percent(0.001), percent(0.9999)
        ('82.7 %', 'under 1 %', 'over 99 %')
    """
    if digits == 0 and 0 < share < 0.005:
        return "under 1 %"
    if digits == 0 and 0.995 <= share < 1:
        return "over 99 %"
    return f"{100 * share:.{digits}f} %"


def name(finding: str) -> str:
    """Writes a finding's name as a person does."""
    return finding.replace("_", " ")


def largest_differences(table: pd.DataFrame, number: int = 3) -> pd.DataFrame:
    """Returns the rows of a shift whose interval lies farthest beyond `SMALL`.

    Args:
        table: As `compare_parts` returns it.
        number: How many rows at most.

    Returns:
        Those whose whole interval is above `SMALL` in absolute value and on one side
        of 0, the largest difference first.
    """
    beyond = (table["low"] > SMALL) | (table["high"] < -SMALL)
    order = table["difference"].abs().sort_values(ascending=False).index
    chosen = table.loc[order]
    return chosen[beyond.loc[order].to_numpy()].head(number)


def _leakage(exploration: Exploration) -> Iterator[Remark]:
    facts = exploration.table
    unknown = facts.counts.get("pictures_without_patient", 0)
    if unknown:
        yield Remark(
            "patients",
            f"Whose a picture is, is not told for {unknown:,} of "
            f"{facts.counts['radiographs']:,}: each counts as a patient of its own, and "
            "one patient's pictures may lie in two parts of any split.",
        )
    leakage = facts.leakage
    if leakage is not None and leakage.expected >= 0.01:
        identity = ""
        if leakage.identity_auroc > 0.5:
            identity = (
                " Knowing the patient's number alone, without the picture, would then "
                f"score a mean AUROC of "
                f"{format_number(leakage.identity_auroc, digits=2)}."
            )
        yield Remark(
            "patients",
            f"A split by picture ({percent(leakage.test_share)} for testing) would put "
            f"the patients of {percent(leakage.expected, 1)} of the test pictures into "
            f"training.{identity} Split by patient, as dualnet does.",
        )
    recurring = facts.counts.get("patients_in_several_folders", 0)
    if recurring and facts.recurring is not None:
        worst = facts.recurring.sort_values("shared_share").iloc[-1]
        yield Remark(
            "patients",
            f"Of {number_of(facts.counts['patients'], 'patient')}, {recurring:,} "
            f"{'lies' if recurring == 1 else 'lie'} in more than one of the set's own "
            f"folders: {percent(worst['shared_share'])} of the pictures in "
            f"{worst['folder']} are theirs. Do not test on those folders; deal the "
            "patients anew.",
        )


def _duplicates(exploration: Exploration) -> Iterator[Remark]:
    if exploration.pictures is None:
        return
    found = exploration.pictures.duplicates
    if not len(found.pairs):
        return
    exact, near = found.count("exact"), found.count("near")
    others = int((~found.pairs["same_patient"]).sum())
    labels = int((~found.pairs["same_findings"]).sum())
    folders = ""
    if "same_folder" in found.pairs:
        across = int((~found.pairs["same_folder"]).sum())
        folders = f" {across:,} lie in different folders of the set."
    yield Remark(
        "duplicates",
        f"Of {number_of(found.num_pictures, 'picture')}, {number_of(exact, 'pair')} "
        f"{'is' if exact == 1 else 'are'} the same and "
        f"{near:,} nearly so; {others:,} of these pairs under two patients, so that even "
        f"a split by patient may part them, and {labels:,} with different labels."
        f"{folders}",
    )


def _probes(exploration: Exploration) -> Iterator[Remark]:
    several = len(exploration.vocabulary.findings) > 1
    for probe in exploration.probes:
        if not probe.mean >= TELLING:
            continue
        subject = SUBJECTS[probe.name].format(fields=", ".join(probe.fields))
        subject = subject.replace("_", "-")
        best = best_finding(probe)
        highest = (
            f", {name(best[0])} {format_number(best[1], digits=2)}"
            if several and best
            else ""
        )
        verb = "separate" if " and " in subject else "separates"
        yield Remark(
            "shortcuts",
            f"{subject} {verb} the {'findings' if several else 'classes'} with an "
            f"AUROC of {format_number(probe.mean, digits=2)}"
            f"{' in the mean' if several else ''}{highest}: "
            "the least that a model has to beat.",
        )


def best_finding(probe: Probe) -> tuple[str, float] | None:
    """Returns the finding that a probe tells best, among those with enough positives.

    Args:
        probe: The probe.

    Returns:
        Its name and AUROC; None if no finding has `ENOUGH` positives.
    """
    scores = probe.scores.iloc[:-1]
    scores = scores[(scores["positives"] >= ENOUGH) & scores["auroc"].notna()]
    if scores.empty:
        return None
    best = scores.sort_values("auroc").iloc[-1]
    return str(best["finding"]), float(best["auroc"])


def _contrasts(exploration: Exploration) -> Iterator[Remark]:
    counts = exploration.table.findings.set_index("finding")["radiographs"]
    for kind, table in exploration.table.contrasts.items():
        common = table[(table["finding"].map(counts) >= ENOUGH).to_numpy()]
        rows = _far_from_one(common)
        if not len(rows):
            continue
        first, second = CONTRASTS[kind]
        listed = ", ".join(
            f"{name(row['finding'])} {row['ratio']:.2g}\N{MULTIPLICATION SIGN}"
            for _, row in rows.iterrows()
        )
        yield Remark("record", f"Prevalence in {first} against {second}: {listed}.")


def _far_from_one(table: pd.DataFrame) -> pd.DataFrame:
    """Returns the ratios whose interval lies beyond `RATIO` either way."""
    ratios, low, high = (table[column] for column in ("ratio", "low", "high"))
    far = (((low > 1) & (ratios >= RATIO)) | ((high < 1) & (ratios <= 1 / RATIO))) & (
        ratios > 0
    )
    chosen = table[far]
    order = np.argsort(-np.abs(np.log(chosen["ratio"].to_numpy("float64"))))
    return chosen.iloc[order[:MAX_RATIOS]]


def _rules(exploration: Exploration) -> Iterator[Remark]:
    findings = exploration.table.findings
    dropped = findings[findings["first_dropped_share"] >= DROPPED]
    if dropped.empty:
        return
    several = exploration.table.counts["radiographs"] - (
        exploration.table.labels_per_radiograph.get(1, 0)
    )
    listed = ", ".join(
        f"{percent(row['first_dropped_share'])} of {name(row['finding'])} "
        f"({row['radiographs']:,} to {row['first_kept']:,})"
        for _, row in dropped.sort_values("first_dropped_share", ascending=False)
        .head(MAX_RATIOS)
        .iterrows()
    )
    yield Remark(
        "findings",
        f"{number_of(several, 'radiograph')} with several labels, of which the rule "
        f"'first' keeps one: it drops {listed}. 'soft' drops none.",
    )


def _pictures(exploration: Exploration) -> Iterator[Remark]:
    counts = exploration.table.counts
    absent = counts["radiographs"] - counts["with_picture"]
    if absent:
        yield Remark(
            "pictures",
            f"{absent:,} of {counts['radiographs']:,} rows have no picture on disk: "
            f"what is said of pictures is said of {counts['with_picture']:,}.",
        )
    if exploration.pictures is not None and exploration.pictures.num_refused:
        yield Remark(
            "pictures",
            f"{number_of(exploration.pictures.num_refused, 'picture')} could not be read "
            "and were left out.",
        )


def _shift(shift: Shift) -> Iterator[Remark]:
    rows = largest_differences(shift.table)
    if not len(rows):
        return
    listed = ", ".join(
        f"{row['measure'].replace('_', ' ')} {write_mean(row['measure'], row['first'])} "
        f"to {write_mean(row['measure'], row['second'])}"
        for _, row in rows.iterrows()
    )
    yield Remark(
        "shift",
        f"{shift.parts.name}: {shift.parts.first} and {shift.parts.second} differ: "
        f"{listed}.",
    )


def write_mean(measure: str, mean: float) -> str:
    """Writes a measure's mean: a share as percent, age and follow-up as numbers."""
    if measure.startswith(("Age", "Follow-up")):
        return f"{mean:.1f}"
    return percent(mean, 1)


def _classes(exploration: Exploration) -> Iterator[Remark]:
    findings = exploration.table.findings
    largest = findings.sort_values("radiographs").iloc[-1]
    if largest["share"] > 0.5:
        yield Remark(
            "findings",
            f"{percent(largest['share'])} of the radiographs are labelled "
            f"{name(largest['finding'])}: always saying so has that accuracy.",
        )
    positive = findings[findings["finding"] != exploration.vocabulary.negative]
    none = positive[positive["radiographs"] == 0]
    if len(none):
        listed = ", ".join(name(finding) for finding in none["finding"])
        yield Remark("findings", f"No radiograph has {listed}.")
    rare = positive[(positive["radiographs"] > 0) & (positive["patients"] < 150)]
    if len(rare):
        listed = ", ".join(
            f"{name(row['finding'])} ({row['radiographs']:,} of "
            f"{number_of(row['patients'], 'patient')})"
            for _, row in rare.sort_values("patients").head(MAX_RATIOS).iterrows()
        )
        yield Remark("findings", f"Rare, so that scores will be wide: {listed}.")
