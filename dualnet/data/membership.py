"""A two-class task by membership: is the finding among a radiograph's labels?

A radiograph labelled `Effusion|Pneumothorax` has a pneumothorax, whatever its label
that stands first. The task that takes the first label alone loses such radiographs, or
counts them among the others.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from dualnet.data.labels import label_matrix
from dualnet.errors import ConfigError
from dualnet.findings import Vocabulary


@dataclass(frozen=True, kw_only=True)
class Membership:
    """Which radiographs belong to which of two classes.

    Args:
        finding: The class that is asked for.
        against: The other class.
        positive: Whether `finding` is among the labels, bool, shape (rows,).
        negative: Whether `against` is, and `finding` is not, bool, shape (rows,).
        both: Whether both labels are there, bool, shape (rows,); such rows are
            positive.
    """

    finding: str
    against: str
    positive: np.ndarray
    negative: np.ndarray
    both: np.ndarray

    @property
    def selected(self) -> np.ndarray:
        """Which rows are of either class, bool, shape (rows,)."""
        return self.positive | self.negative

    @property
    def num_neither(self) -> int:
        """How many rows have neither label; they are of no class."""
        return int((~self.selected).sum())

    def class_names(self) -> np.ndarray:
        """Returns the class of each selected row, shape (selected rows,)."""
        return np.where(self.positive[self.selected], self.finding, self.against)


def select_members(
    findings: pd.Series,
    vocabulary: Vocabulary,
    *,
    finding: str,
    against: str,
    options: tuple[str, str] = ("--finding", "--against"),
) -> Membership:
    """Divides radiographs into those with a finding and those of another class.

    Args:
        findings: The label names of each radiograph, all of the vocabulary.
        vocabulary: The names that may be asked for.
        finding: The class that is asked for.
        against: The other class, such as `No Finding`.
        options: What a person calls the two, for the error.

    Returns:
        The two classes; a row with both labels has the finding.

    Raises:
        ConfigError: If a name is not of the vocabulary, or both are the same.

    Example:
        >>> from dualnet.findings import NIH
        >>> labels = pd.Series([("Effusion", "Pneumothorax"), ("No Finding",)])
        >>> select_members(
        ...     labels, NIH, finding="Pneumothorax", against="No Finding"
        ... ).positive.tolist()
        [True, False]
    """
    for option, name in zip(options, (finding, against), strict=True):
        if name not in vocabulary.class_names:
            raise ConfigError(
                f"{option}: must be one of {', '.join(vocabulary.class_names)}. "
                f"Received: {name!r}. Spell it as the dataset does."
            )
    if finding == against:
        raise ConfigError(
            f"{options[1]}: must be another class than {options[0]}. "
            f"Received: {against!r} "
            f"twice. Take {vocabulary.negative!r} for radiographs without a finding."
        )
    labels = label_matrix(findings, vocabulary.class_names)
    positive = labels[:, vocabulary.class_names.index(finding)]
    other = labels[:, vocabulary.class_names.index(against)]
    return Membership(
        finding=finding,
        against=against,
        positive=positive,
        negative=other & ~positive,
        both=other & positive,
    )
