"""The judged pictures, read once for all that an audit asks of them.

Each picture goes through the image branch three times: as it is, without its centre,
and with its border alone. What is kept of them is small, and of the hidden ones only
the answers.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from dualnet.data.batches import Batches, ImageSource
from dualnet.data.cache import Cache
from dualnet.data.hidden import HiddenPictures, all_but_centre, only_border
from dualnet.data.labels import SIGMOID
from dualnet.errors import ConfigError
from dualnet.evaluation.auditing.audit import (
    ROWS_AT_A_TIME,
    average_out,
    draw_references,
)
from dualnet.evaluation.auditing.probes import BORDER_ONLY, CENTRE_MASKED
from dualnet.jobs.finished import FinishedRun, load_model
from dualnet.jobs.predicting import spread_outputs
from dualnet.models.parts import Features, FusedParts, cut_at_fusion, show_features

MODEL = "model"


@dataclass(frozen=True, kw_only=True)
class ReadPictures:
    """What a run's model made of the judged pictures, and of less than them.

    Args:
        probabilities: What it says of each radiograph, shape (n, num_classes).
        features: What its image branch made of each picture, in the model's
            precision, shape (n, k).
        ask: Given encoded metadata and whose picture each row gets, what it says;
            None for a model without a record.
        alone: Its probabilities from the picture alone: `model`, `centre_masked` and
            `border_only`.
        references: The rows whose records were averaged over.
    """

    probabilities: np.ndarray
    features: np.ndarray
    ask: Any
    alone: Mapping[str, np.ndarray]
    references: np.ndarray


def read_pictures(run: FinishedRun, table: pd.DataFrame, cache: Cache) -> ReadPictures:
    """Computes once what an audit asks of the pictures.

    Args:
        run: Whose model, encoder and modality to use.
        table: Records whose picture the cache holds.
        cache: The pictures.

    Returns:
        What the model made of them.

    Raises:
        ConfigError: If the model sees no pictures.
    """
    modality = run.config.model.modality
    if modality == "metadata":
        raise ConfigError(
            f"--audit: needs a model that sees pictures. Received: modality={modality}. "
            "Leave --audit out, or name another run."
        )
    side = cache.image_size
    sources: dict[str, ImageSource] = {
        MODEL: cache,
        CENTRE_MASKED: HiddenPictures(cache, all_but_centre(side)),
        BORDER_ONLY: HiddenPictures(cache, only_border(side)),
    }
    positions = cache.rows(table["image_id"])
    views = {name: View(run, source, positions) for name, source in sources.items()}
    read = _read_fused if modality == "fused" else _read_image_only
    return read(run, table, views)


class View:
    """The judged pictures in one of their views, read some at a time.

    Args:
        run: Whose batches they are put in.
        source: The pictures.
        positions: Where they are in it, shape (n,).
    """

    def __init__(
        self, run: FinishedRun, source: ImageSource, positions: np.ndarray
    ) -> None:
        self._source = source
        self._positions = positions
        self._batch_size = run.config.evaluation.batch_size

    def read(self, what: Callable[[Batches], Sequence[np.ndarray]]) -> Features:
        """Reads all pictures; of each only what it is read for is kept.

        Args:
            what: Given batches of some rows, returns what to keep, each of shape
                (rows, ...).

        Returns:
            The same of all rows.
        """
        kept: Features = []
        num_rows = len(self._positions)
        # whole batches, so that they are those of all rows
        size = max(1, ROWS_AT_A_TIME // self._batch_size) * self._batch_size
        for start in range(0, num_rows, size):
            some = what(self._batches(start, start + size))
            kept = kept or [np.empty((num_rows, *x.shape[1:]), x.dtype) for x in some]
            for whole, one in zip(kept, some, strict=True):
                whole[start : start + size] = one
        return kept

    def _batches(self, start: int, end: int) -> Batches:
        positions = self._positions[start:end]
        return Batches(
            self._source,
            positions,
            np.empty((len(positions), 0)),
            None,
            batch_size=self._batch_size,
            modality="image",
        )


def _read_fused(
    run: FinishedRun, table: pd.DataFrame, views: Mapping[str, View]
) -> ReadPictures:
    """Keeps what the image branch makes of the pictures: 512 bytes of each."""
    parts = cut_at_fusion(load_model(run))
    metadata = run.encoder.transform(table)
    patient_ids = table["patient_id"].to_numpy(dtype=str)
    references = draw_references(patient_ids, seed=run.config.seed)
    kept = views[MODEL].read(parts.read_pictures)

    def ask(record: np.ndarray, whose: np.ndarray) -> np.ndarray:
        return spread_outputs(run, _ask(parts, kept, record, whose))

    def average(seen: Features) -> np.ndarray:
        said = average_out(
            lambda rows, others: _ask(parts, seen, metadata[others], rows),
            references,
            len(seen[0]),
            apart=run.activation == SIGMOID,
        )
        return spread_outputs(run, said)

    def read_alone(batches: Batches) -> list[np.ndarray]:
        return [average(parts.read_pictures(batches))]

    hidden = {name: view for name, view in views.items() if name != MODEL}
    return ReadPictures(
        probabilities=spread_outputs(
            run,
            parts.predict(kept, metadata, batch_size=run.config.evaluation.batch_size),
        ),
        features=_flatten(kept),
        ask=ask,
        alone={
            MODEL: average(kept),
            **{name: view.read(read_alone)[0] for name, view in hidden.items()},
        },
        references=references,
    )


def _ask(
    parts: FusedParts, kept: Features, record: np.ndarray, whose: np.ndarray
) -> np.ndarray:
    """Asks with a record and somebody's picture, some rows at a time."""
    blocks = [
        parts.predict(
            [one[whose[start : start + ROWS_AT_A_TIME]] for one in kept],
            record[start : start + ROWS_AT_A_TIME],
            batch_size=ROWS_AT_A_TIME,
        )
        for start in range(0, len(record), ROWS_AT_A_TIME)
    ]
    return np.concatenate(blocks)


def _read_image_only(
    run: FinishedRun,
    table: pd.DataFrame,  # noqa: ARG001 - such a model has no record
    views: Mapping[str, View],
) -> ReadPictures:
    model: Any = show_features(load_model(run))

    def read(batches: Batches) -> list[np.ndarray]:
        features, outputs = model.predict(batches, verbose=0)
        return [features, spread_outputs(run, outputs)]

    features, probabilities = views[MODEL].read(read)
    alone = {
        name: probabilities
        if name == MODEL
        else view.read(lambda batches: read(batches)[1:])[0]
        for name, view in views.items()
    }
    return ReadPictures(
        probabilities=np.asarray(probabilities, dtype=np.float32),
        features=_flatten([features]),
        ask=None,
        alone={name: np.asarray(one, np.float32) for name, one in alone.items()},
        references=np.empty(0, dtype=np.int64),
    )


def _flatten(features: Features) -> np.ndarray:
    """Returns one row a picture, in the model's precision; copies only if it must."""
    blocks = [one.reshape(len(one), -1) for one in features]
    return blocks[0] if len(blocks) == 1 else np.concatenate(blocks, axis=1)
