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
        "The model with both halves beside what is left of it with one.",
    ),
    "missing_fields": (
        "Scores by which fields are missing",
        "Each row hides some fields of the record from the model.",
    ),
    "counterfactuals": (
        "What another record would change",
        "The same pictures with one field of the record changed. What moves "
        "then was read from the record and not from the picture.",
    ),
    "shortcuts": (
        "What is told without the lungs",
        "Scores with the centre hidden, from the border alone and from "
        "thumbnails. What is told there need not be disease.",
    ),
    "reliability": (
        "Reliability by finding",
        "How often a finding is there, by how likely it was said to be.",
    ),
    "subgroups": (
        "Scores by group",
        "A mark is a group's score, a bar its interval.",
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
