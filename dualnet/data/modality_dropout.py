"""Records shown as missing while training, so that a model learns to do without."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dualnet.data.metadata import hide_encoded

STREAM = 2  # others decide the order, and how pictures are changed


@dataclass(frozen=True)
class MetadataDropout:
    """Hides whole records, and single fields of the others, anew each epoch.

    A model that always saw a record has no calibrated answer without one: it has never
    been told what is likely then. Some data sets know every field of every row.

    Args:
        share: Of the rows whose whole record is hidden; of the fields of each other
            row, each on its own, that are hidden. In `[0, 1)`.
        field_columns: The columns of each field, its missing flag the last of them.

    Reference:
        Neverova et al., ModDrop: adaptive multi-modal gesture recognition, IEEE TPAMI
        38(8), 2016, section 4.2.
    """

    share: float
    field_columns: Sequence[slice]

    def draw(self, num_rows: int, *, seed: int, epoch: int) -> np.ndarray:
        """Draws what an epoch does not show.

        Args:
            num_rows: Rows of the epoch, in its order.
            seed: The run's.
            epoch: From 0.

        Returns:
            bool, shape (num_rows, fields).
        """
        random = np.random.default_rng((seed, epoch, STREAM))
        whole = random.random((num_rows, 1)) < self.share
        single = random.random((num_rows, len(self.field_columns))) < self.share
        return whole | single

    def hide(self, features: np.ndarray, hidden: np.ndarray) -> np.ndarray:
        """Shows what was drawn as missing.

        Args:
            features: Encoded records, shape (rows, features).
            hidden: Of these rows, shape (rows, fields).

        Returns:
            The features, as if these values were not known.
        """
        return hide_encoded(features, hidden, self.field_columns)
