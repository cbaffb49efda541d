"""What each figure is called and how it is read: the only table of them."""

from collections.abc import Mapping

from dualnet.plots.report.sections import Picture

CAPTIONS: Mapping[str, tuple[str, str]] = {
    "comparison": (
        "AUROC of each finding with its interval",
        "Findings by the model's AUROC, the best first. A mark is the "
        "score, a bar its interval; .5 is chance. Where the bars of model and "
        "metadata only lie on each other, the picture has not been shown to "
        "add anything.",
    ),
    "roc": (
        "ROC curve of each finding",
        "For each threshold, the share of radiographs with the finding "
        "that score above it, by the share of those without that do. The "
        "diagonal is chance. Where few radiographs have a finding, its curve "
        "has few steps.",
    ),
    "calibration": (
        "Reliability curve",
        "Below the diagonal the model is surer than it is right. Bins "
        "of few radiographs jump about.",
    ),
    "confusion": (
        "Confusion matrix",
        "A row is a first label, a column an answer; numbers are "
        "radiographs, shades shares of the row. A dark column is a class that "
        "the model gives whatever it sees.",
    ),
    "record_adds": (
        "What the record adds",
        "Above, the model with both halves, and what is left of it with one. Below, "
        "by finding, what the record adds to the picture; right of 0 it helps.",
    ),
    "missing_fields": (
        "Scores by which fields are missing",
        "Each row hides some fields of the record from the model.",
    ),
    "counterfactuals": (
        "What another record would change",
        "The same pictures with one field of the record changed. What moves "
        "then was read from the record and not from the picture. A logit is what the "
        "model says before probabilities are made of it; 1 more multiplies the odds "
        "by 2.7. Marks are medians, bars the middle half (thick) and 90 % (thin) of "
        "the radiographs.",
    ),
    "shortcuts": (
        "What is told without the lungs",
        "Scores with the centre hidden, from the border alone and from "
        "thumbnails. What is told there need not be disease.",
    ),
    "reliability": (
        "Reliability by finding",
        "How often a finding is there, by how likely it was said to be: on the "
        "diagonal as often. Hollow marks are of few radiographs, and jump about.",
    ),
    "macro": (
        "Mean AUROC of each model with its interval",
        "A mark is the mean over the findings, a bar its interval; .5 is chance. Bars "
        "that lie on each other do not tell whether two models differ: the paired "
        "difference does.",
    ),
    "findings": (
        "AUROC of each finding, the models beside each other",
        "Findings by the first model's AUROC, the best first. A mark is a score, a bar "
        "its interval; .5 is chance.",
    ),
    "differences": (
        "Difference in AUROC of each finding",
        "To the right of 0 the compared model is better, to the left the first. A "
        "filled mark is a difference that is shown after correction, an open one is "
        "not. Where few radiographs have a finding, its bar is long.",
    ),
    "costs": (
        "Score, size and speed of each model",
        "A mark is the mean over the findings, a bar beside it its interval. Bars from "
        "0: how many numbers the model holds, and how many radiographs a second it "
        "trained on and predicted, reading included, on the machine that trained it.",
    ),
    "subgroups": (
        "Scores by group",
        "A mark is a group's score, a bar its interval; the dotted line is the score "
        "of all radiographs. Filled marks: the gap to the rest is shown, corrected for "
        "how many gaps were asked.",
    ),
}


def show(*names: str) -> tuple[Picture, ...]:
    """Returns figures with their titles and captions.

    Args:
        *names: Of their files in `figures/`, without suffix; one that is not in
            `CAPTIONS` has its name for a title.
    """
    named = ((name, CAPTIONS.get(name, (_in_words(name), ""))) for name in names)
    return tuple(
        Picture(name=name, title=title, caption=caption)
        for name, (title, caption) in named
    )


def _in_words(name: str) -> str:
    return name.replace("_", " ").capitalize()
