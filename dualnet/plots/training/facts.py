"""What is known of a training, as its run folder holds it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd

from dualnet.config import Config
from dualnet.findings import Vocabulary

SCORE = "val_macro_auroc"


@dataclass(frozen=True, kw_only=True)
class TrainingFacts:
    """What a run folder says of its training, while it goes on or after.

    Args:
        name: The run's.
        state: `running`, `stopped` before its end, or `finished`, calibration too.
        written: When this was read, in words.
        config: The whole configuration.
        certificate: Of the split.
        vocabulary: The classes.
        dataset: `name`, and whether it is a `phantom`.
        environment: Versions, device, precision, and at the end the time `spent`.
        history: One row an epoch.
        areas: `epoch`, then the AUROC of each finding on the val part, a row an epoch.
        halves: How the halves were fitted and joined; empty where they were not.
        reports: Pages of evaluations, as the page's own folder sees them.
    """

    name: str
    state: Literal["running", "stopped", "finished"]
    written: str
    config: Config
    certificate: Mapping[str, Any]
    vocabulary: Vocabulary
    dataset: Mapping[str, Any]
    environment: Mapping[str, Any]
    history: pd.DataFrame
    areas: pd.DataFrame
    halves: Mapping[str, Any] = field(default_factory=dict)
    reports: tuple[str, ...] = ()

    @property
    def finished(self) -> bool:
        """Whether all is done."""
        return self.state == "finished"

    @property
    def num_done(self) -> int:
        """Epochs that have ended."""
        return len(self.history)

    @property
    def num_epochs(self) -> int:
        """Epochs at most."""
        return self.config.training.epochs

    @property
    def keeps_last(self) -> bool:
        """Whether the last epoch is kept, however it scores."""
        return self.config.training.keep == "last"

    @property
    def kept(self) -> int | None:
        """The epoch whose model is kept, from 1; None before the first has ended."""
        scores = self.history[SCORE] if self.num_done else pd.Series(dtype=float)
        if self.num_done and self.keeps_last:
            return int(self.history["epoch"].iloc[-1])
        if not scores.notna().any():
            return None
        return int(self.history["epoch"].iloc[int(np.nanargmax(scores))])

    @property
    def kept_score(self) -> float | None:
        """Its macro AUROC on the validation part."""
        if self.kept is None:
            return None
        rows = self.history["epoch"] == self.kept
        return float(self.history.loc[rows, SCORE].iloc[0])

    @property
    def num_positive(self) -> Mapping[str, int]:
        """Radiographs of the validation part with each finding."""
        findings = self.certificate["parts"]["val"]["findings"]
        return {
            name: findings[name]["count"] if name in findings else 0
            for name in self.vocabulary.findings
        }

    def area_of(self, finding: str) -> np.ndarray:
        """Returns a finding's AUROC after each epoch, NaN where undefined.

        Args:
            finding: Its name.
        """
        return self.areas[finding].to_numpy(float)

    @property
    def findings(self) -> tuple[str, ...]:
        """The findings that have an AUROC, in the vocabulary's order."""
        return tuple(
            name
            for name in self.vocabulary.findings
            if name in self.areas and self.areas[name].notna().any()
        )

    @property
    def undefined(self) -> tuple[str, ...]:
        """The findings whose AUROC the validation part leaves undefined."""
        if not len(self.areas):
            return ()
        return tuple(
            name for name in self.vocabulary.findings if name not in self.findings
        )
