"""What each figure of an exploration shows and what follows, with its numbers."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from dualnet.explore.exploration import Exploration, PictureFacts, Shift, TableFacts
from dualnet.explore.labels import condition, rank_pairs
from dualnet.explore.metadata import ALL, CONTRASTS
from dualnet.explore.shift import SMALL
from dualnet.explore.stand_out import (
    ENOUGH,
    best_finding,
    largest_differences,
    name,
    percent,
    write_mean,
)
from dualnet.wording import format_number


def describe_findings(exploration: Exploration) -> str:
    """Says how common the findings are, and what `first` costs."""
    findings = exploration.table.findings
    negative = findings[findings["finding"] == exploration.vocabulary.negative].iloc[0]
    rows = findings[findings["finding"] != exploration.vocabulary.negative]
    largest = rows.sort_values("radiographs").iloc[-1]
    shown = (
        "How many radiographs have each label, and the part that the rule first would "
        f"drop. {name(negative['finding'])} ({negative['radiographs']:,}, "
        f"{percent(negative['share'], 1)}) is not drawn; the commonest is "
        f"{name(largest['finding'])} ({percent(largest['share'], 1)})."
    )
    if not rows["first_dropped"].any():
        return f"{shown} No rule drops anything: each radiograph has one label."
    worst = rows.dropna(subset="first_dropped_share")
    worst = worst.sort_values("first_dropped_share").iloc[-1]
    return (
        f"{shown} Trained by first, a model never learns from "
        f"{percent(worst['first_dropped_share'])} of the {name(worst['finding'])} "
        "labels; soft keeps all of them, in equal parts."
    )


def describe_pairs(exploration: Exploration) -> str:
    """Says which labels go together."""
    facts = exploration.table
    ranked = rank_pairs(
        facts.cooccurrence,
        exploration.vocabulary.class_names,
        facts.counts["radiographs"],
    )
    top = ranked.iloc[0]
    often = ranked[ranked["radiographs"] >= ENOUGH]
    lifted = (often if len(often) else ranked).sort_values("lift").iloc[-1]
    return (
        "How many radiographs have both labels; on the diagonal, the label at all. The "
        f"commonest pair is {name(top['first'])} with {name(top['second'])} "
        f"({top['radiographs']:,}). {name(lifted['first'])} and "
        f"{name(lifted['second'])} meet {lifted['lift']:.1f} times as often as chance "
        "would have it: a model that answers one label leaves the other out."
    )


def describe_conditional(exploration: Exploration) -> str:
    """Says which label implies which."""
    names = exploration.vocabulary.class_names
    counts = exploration.table.cooccurrence
    shares = condition(counts)
    np.fill_diagonal(shares, -1)
    shares[np.diag(counts) < min(ENOUGH, np.diag(counts).max())] = -1
    row, column = np.unravel_index(np.nanargmax(shares), shares.shape)
    return (
        "Read along a row: of the radiographs with its label, how many percent have "
        f"each other one. Of those with {name(names[row])}, "
        f"{percent(float(shares[row, column]))} have {name(names[column])} too: scores "
        "of such findings are not of one disease alone."
    )


def describe_ages(facts: TableFacts) -> str:
    """Says how age differs between the classes."""
    rows = facts.by_class[facts.by_class["age_median"].notna()]
    everyone = rows[rows["finding"] == ALL].iloc[0]
    rows = rows[rows["finding"] != ALL].sort_values("age_median")
    young, old = rows.iloc[0], rows.iloc[-1]
    return (
        f"Of all, the median is {everyone['age_median']:.0f} years. It is "
        f"lowest with {name(young['finding'])} ({young['age_median']:.0f}) and highest "
        f"with {name(old['finding'])} ({old['age_median']:.0f}): age alone tells "
        "something of the label, and other ages elsewhere will move the scores."
    )


def describe_shares(facts: TableFacts) -> str:
    """Says how sex, view and visit differ between the classes."""
    texts = []
    for column, what in (
        ("ap_share", "the AP view"),
        ("first_visit_share", "first visits"),
        ("female_share", "women"),
    ):
        known = facts.by_class[facts.by_class[column].notna()]
        rows = known[known["finding"] != ALL].sort_values(column)
        if len(rows):
            low, high = rows.iloc[0], rows.iloc[-1]
            texts.append(
                f"{what} from {percent(low[column])} ({name(low['finding'])}) to "
                f"{percent(high[column])} ({name(high['finding'])})"
            )
    return (
        f"Shares of each class: {'; '.join(texts)}. Where a dot lies far from "
        "the dotted line, the record says something of the label."
    )


def describe_contrasts(contrasts: Mapping[str, pd.DataFrame]) -> str:
    """Says which class differs most with view, visit and sex."""
    texts = []
    for kind, table in contrasts.items():
        rows = table[table["ratio"].notna() & (table["ratio"] > 0)]
        if not len(rows):
            continue
        row = rows.iloc[np.abs(np.log(rows["ratio"].to_numpy("float64"))).argmax()]
        first, second = CONTRASTS[kind]
        texts.append(
            f"{name(row['finding'])} {row['ratio']:.2g} times as common in {first} "
            f"({percent(row['first'], 1)}) as in {second} ({percent(row['second'], 1)})"
        )
    return (
        f"How many times as common each class is in one group as in another: at the "
        f"most, {'; '.join(texts)}. What a line keeps clear of 1, a model can learn "
        "from the group instead of from the disease: judge it in each group apart."
    )


def describe_patients(facts: TableFacts) -> str:
    """Says how radiographs are spread over patients."""
    rows = facts.per_patient
    many = rows[rows["low"] >= 6]
    return (
        f"{facts.counts['radiographs']:,} radiographs are of "
        f"{facts.counts['patients']:,} patients: {percent(rows['patient_share'].iloc[0])} "
        f"of the patients have one, and {percent(many['patient_share'].sum())} have six "
        f"or more, which make {percent(many['radiograph_share'].sum())} of the "
        "radiographs. Radiographs of one patient are alike: count patients, not "
        "pictures, when you judge how sure a score is."
    )


def describe_shift(shift: Shift) -> str:
    """Says how two parts differ."""
    rows = largest_differences(shift.table)
    sizes = [int(mask.sum()) for mask in shift.parts.masks]
    shown = (
        f"{shift.parts.second.capitalize()} ({sizes[1]:,} radiographs) less "
        f"{shift.parts.first} ({sizes[0]:,}), in standard deviations, with intervals by "
        "patient."
    )
    if not len(rows):
        return f"{shown} No measure differs by more than {SMALL:g} for sure."
    listed = "; ".join(
        f"{name(row['measure'])} {write_mean(row['measure'], row['first'])} to "
        f"{write_mean(row['measure'], row['second'])}"
        for _, row in rows.iterrows()
    )
    beyond = len(largest_differences(shift.table, len(shift.table)))
    return (
        f"{shown} {beyond} of {len(shift.table)} measures differ by more than {SMALL:g} "
        f"for sure, the most: {listed}. Scores on one do not hold for the other."
    )


def describe_shortcuts(exploration: Exploration) -> str:
    """Says what can be told without the lungs."""
    texts = []
    for probe in exploration.probes:
        best = best_finding(probe)
        highest = (
            f" (highest: {name(best[0])} {format_number(best[1], digits=2)})"
            if best
            else ""
        )
        several = len(probe.scores) > 2
        mean = format_number(probe.mean, digits=2)
        texts.append(f"{probe.name} {mean}{highest if several else ''}")
    return (
        "What boosted trees and logistic regression tell from a few numbers, scored "
        f"on patients they were not fitted on: {'; '.join(texts)}. .5 is chance. A model "
        "has shown that it reads the pictures only where it beats these."
    )


def describe_levels(pictures: PictureFacts, kind: str) -> str:
    """Says how brightness and contrast differ between groups."""
    table = pictures.distributions[kind]["brightness"].sort_values("median")
    low, high = table.iloc[0], table.iloc[-1]
    every = "class" if kind == "class" else "source"
    return (
        f"Mean and standard deviation of the gray levels by {every}: the boxes hold the "
        "middle half of the pictures, the whiskers nine tenths. Median brightness runs "
        f"from {low['median']:.0f} ({name(low['group'])}) to {high['median']:.0f} "
        f"({name(high['group'])}). Boxes that do not overlap would be a label that a "
        "model reads off the exposure."
    )


def describe_sizes(pictures: PictureFacts) -> str:
    """Says whether files give the class away."""
    table = pictures.distributions["class"]["kilobytes"].sort_values("median")
    low, high = table.iloc[0], table.iloc[-1]
    kinds = len(pictures.sizes)
    first = pictures.sizes.iloc[0]
    shape = f"{first['width']:,} by {first['height']:,} pixels, {first['mode']}"
    held = (
        f"All {pictures.num_pictures:,} pictures are {shape}"
        if kinds == 1
        else f"There are {kinds:,} kinds of file, the commonest {shape} "
        f"({first['pictures']:,} of {pictures.num_pictures:,})"
    )
    return (
        f"{held}. The median file has from {low['median']:.1f} kB "
        f"({name(low['group'])}) to {high['median']:.1f} kB ({name(high['group'])}): "
        "what compresses differently was made or drawn differently, and says so to a "
        "model too."
    )
