"""What the page of a training says, in sections of words, tables and figures."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from dualnet.evaluation.text.caution import NOT_A_MEDICAL_DEVICE, ON_THE_PHANTOM
from dualnet.plots.report.heading import Heading
from dualnet.plots.report.sections import Picture, Section, Table
from dualnet.plots.style import display_name
from dualnet.plots.training.background import (
    format_seconds,
    make_configuration,
    make_split,
    make_time,
)
from dualnet.plots.training.charts import CURVES, FINDINGS
from dualnet.plots.training.curves import area_at_kept
from dualnet.plots.training.facts import SCORE, TrainingFacts
from dualnet.wording import format_number, number_of

SAMPLES = "samples"
SHOWN_EPOCHS = 200  # rows of the table of epochs; history.csv has all


def make_training_heading(facts: TrainingFacts) -> Heading:
    """Makes the top of the page: how far it is, and which epoch is kept.

    Args:
        facts: What the run folder says.

    Returns:
        The top.
    """
    phantom = [ON_THE_PHANTOM] if facts.dataset.get("phantom") else []
    parts = facts.certificate["parts"]
    return Heading(
        title=f"Training of {facts.name}",
        subtitle=(
            f"On {facts.dataset['name']}: {parts['train']['radiographs']:,} training "
            f"and {parts['val']['radiographs']:,} validation radiographs. "
            f"Written {facts.written}."
        ),
        cautions=[NOT_A_MEDICAL_DEVICE, *phantom],
        summary="Where it stands",
        verdict=[(line, ()) for line in describe_state(facts)],
        facts=_list_tiles(facts),
        links=[(page, f"Evaluation: {page}") for page in facts.reports],
        files="Every number is in history.csv, finding_history.csv and split.json.",
    )


def make_training_sections(
    facts: TrainingFacts, figures: Mapping[str, Any]
) -> list[Section]:
    """Makes the sections of the page.

    Args:
        facts: What the run folder says.
        figures: The figures there are, by name; the page shows no other.

    Returns:
        The sections that have something to say.
    """
    made = (
        _make_curves(facts),
        _make_findings(facts) if len(facts.areas) else None,
        _make_halves(facts) if facts.halves else None,
        _make_samples() if SAMPLES in figures else None,
        _make_epochs(facts) if facts.num_done else None,
        make_time(facts),
        make_split(facts),
        make_configuration(facts),
    )
    return [section for section in made if section is not None]


def describe_state(facts: TrainingFacts) -> list[str]:
    """Says in sentences how far a training is, and what is kept of it.

    Args:
        facts: What the run folder says.

    Returns:
        One sentence or more.
    """
    done, most = facts.num_done, facts.num_epochs
    if facts.finished:
        early = (
            f"; none was better for {number_of(facts.config.training.patience, 'epoch')}"
            if done < most
            else ""
        )
        state = f"Finished after {done:,} of {number_of(most, 'epoch')}{early}."
    elif facts.state == "stopped":
        where = f"in epoch {done + 1:,}" if done < most else "after the last epoch"
        state = f"Stopped {where} of {most:,}. dualnet train --resume goes on."
    elif done < most:
        state = f"Running, epoch {done + 1:,} of {most:,}. Reload to see more."
    else:
        state = f"Running, all {number_of(most, 'epoch')} done; the rest is being made."
    if facts.kept is None:
        return [state]
    kept = (
        f"Epoch {facts.kept} is kept: validation macro AUROC "
        f"{format_number(facts.kept_score)}, "
        f"{'as the last is kept' if facts.keeps_last else 'the highest'}."
    )
    return [state, kept, *_describe_fusion(facts)]


def _describe_fusion(facts: TrainingFacts) -> list[str]:
    if facts.halves:
        joined = format_number(facts.halves["fused"][SCORE])
        return [
            "That is the image half; joined with the record the model has "
            f"{joined} on the same radiographs, which chose the weights too."
        ]
    if facts.config.model.modality == "fused" and facts.config.training.halves_first:
        return ["The epochs are the image half's; it is joined with the record last."]
    return []


def _list_tiles(facts: TrainingFacts) -> list[tuple[str, str]]:
    if facts.kept is None:
        return []
    history = facts.history
    return [
        (format_number(facts.kept_score), "validation macro AUROC of the epoch kept"),
        (f"{facts.kept} of {facts.num_done}", "epoch kept, of those done"),
        (
            f"{history['images_per_second'].median():,.0f}",
            "pictures a second in training, median epoch",
        ),
        (format_seconds(history["seconds"].sum()), "in epochs, with their scoring"),
    ]


def _make_curves(facts: TrainingFacts) -> Section:
    return Section(
        key="curves",
        title="Loss, score, rate and speed",
        paragraphs=(
            "The loss on training radiographs is the mean over an epoch in which the "
            "weights change, with dropout and changed pictures; that on validation "
            "radiographs is taken after it, without. Where the validation loss rises "
            "while the other falls, the model learns its training radiographs by heart.",
        )
        if facts.num_done
        else ("No epoch has ended yet.",),
        pictures=(
            Picture(
                name=CURVES,
                title="Loss, macro AUROC, learning rate and pictures a second by epoch",
                caption="The dotted line stands at the epoch that is kept, "
                f"{'the last' if facts.keeps_last else 'that of the highest'}"
                f"{'' if facts.keeps_last else ' validation macro AUROC'}.",
            ),
        )
        if facts.num_done
        else (),
    )


def _make_epochs(facts: TrainingFacts) -> Section:
    shown = facts.history.tail(SHOWN_EPOCHS)
    left_out = len(facts.history) - len(shown)
    table = Table(
        caption="One row an epoch",
        header=[
            "epoch",
            "loss",
            "validation loss",
            "macro AUROC",
            "learning rate",
            "seconds",
            "pictures/s",
        ],
        rows=[
            [
                f"{int(row['epoch'])}{' (kept)' if row['epoch'] == facts.kept else ''}",
                format_number(row["loss"]),
                format_number(row["val_loss"]),
                format_number(row[SCORE]),
                f"{row['learning_rate']:.2g}",
                f"{row['seconds']:,.1f}",
                f"{row['images_per_second']:,.0f}",
            ]
            for row in shown.to_dict("records")
        ],
        note=f"{number_of(left_out, 'epoch')} before are in history.csv."
        if left_out
        else "",
    )
    return Section(key="epochs", title="Epochs", tables=(table,))


def _make_findings(facts: TrainingFacts) -> Section:
    undefined = [display_name(name) for name in facts.undefined]
    rows = [
        [
            display_name(name),
            f"{facts.num_positive[name]:,}",
            format_number(area_at_kept(facts, name)),
            *_best(facts, name),
        ]
        for name in facts.vocabulary.findings
    ]
    return Section(
        key="findings",
        title="Each finding",
        paragraphs=(
            "Each finding is scored on every validation radiograph: is it among the "
            "labels. Of one that few radiographs have the AUROC jumps from epoch to "
            "epoch, which is luck: the macro AUROC above, which chooses the epoch, is "
            "of the findings that at least five patients of that part have.",
        ),
        tables=(
            Table(
                caption="AUROC on the validation part",
                header=["finding", "n", "at the epoch kept", "highest", "in epoch"],
                rows=rows,
                note=f"Undefined, as none or all radiographs have it: "
                f"{', '.join(undefined)}."
                if undefined
                else "",
            ),
        ),
        pictures=(
            Picture(
                name=FINDINGS,
                title="AUROC of each finding by epoch",
                caption="The menu leaves one finding beside the macro AUROC; a name in "
                "the legend switches its line.",
            ),
        )
        if facts.findings
        else (),
    )


def _best(facts: TrainingFacts, finding: str) -> list[str]:
    if finding not in facts.findings:
        return ["n/a", ""]
    areas = facts.area_of(finding)
    best = int(np.nanargmax(areas))
    return [
        format_number(float(areas[best])),
        str(int(facts.areas["epoch"].iloc[best])),
    ]


def _make_halves(facts: TrainingFacts) -> Section:
    losses = facts.halves["metadata_half"]["val_loss"]
    weights = facts.halves["record_weights"]
    return Section(
        key="halves",
        title="The two halves",
        paragraphs=(
            f"The metadata half was fitted alone first: validation loss "
            f"{format_number(min(losses))} after {int(np.argmin(losses)) + 1} of "
            f"{number_of(len(losses), 'epoch')}. Then came the image half, whose "
            "epochs are above: macro AUROC "
            f"{format_number(facts.halves['image_half'][SCORE])}. Their logits were "
            "added, those of the record with a weight for each class, chosen on the "
            "validation part: 0 leaves the record out, 1 counts it in full, 2 is the "
            f"most. Joined: {format_number(facts.halves['fused'][SCORE])}.",
        ),
        tables=(
            Table(
                caption="How much the record counts",
                header=["class", "weight"],
                rows=[
                    [display_name(name), format_number(weight, digits=2)]
                    for name, weight in weights.items()
                ],
            ),
        ),
    )


def _make_samples() -> Section:
    return Section(
        key="samples",
        title="What the model is fed",
        paragraphs=(
            "From the first batch of the first epoch, pixel for pixel: shifted, turned "
            "or toned as the configuration says, with their labels and their record. "
            "Look for pictures that are upside down, cut off, inverted or empty.",
        ),
        pictures=(
            Picture(
                name=SAMPLES, title="Training pictures with their labels", caption=""
            ),
        ),
    )
