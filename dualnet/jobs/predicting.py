"""A run's probabilities for radiographs whose pictures a cache holds."""

import numpy as np
import pandas as pd

from dualnet.data.batches import Batches
from dualnet.data.cache import Cache
from dualnet.data.labels import find_columns
from dualnet.evaluation.evaluate import predict_probabilities
from dualnet.jobs.finished import FinishedRun, load_model

BATCHES_AT_A_TIME = 64


def predict_rows(run: FinishedRun, table: pd.DataFrame, cache: Cache) -> np.ndarray:
    """Predicts radiographs batch by batch, in the order of the table.

    Args:
        run: Whose model, encoder and modality to use.
        table: Records whose picture the cache holds.
        cache: The pictures.

    Returns:
        Probabilities, float32, shape (rows, classes); NaN of a class that the model
        has no output for.
    """
    model, batch_size = load_model(run), run.config.evaluation.batch_size
    positions = cache.rows(table["image_id"])
    metadata = run.encoder.transform(table)
    # Keras keeps 10 kB of each batch until all are predicted; whole batches, so that
    # they are those of all rows
    size = BATCHES_AT_A_TIME * batch_size
    blocks = [
        predict_probabilities(
            model,
            Batches(
                cache,
                positions[start : start + size],
                metadata[start : start + size],
                None,
                batch_size=batch_size,
                modality=run.config.model.modality,
            ),
        )
        for start in range(0, max(1, len(positions)), size)
    ]
    return spread_outputs(run, np.concatenate(blocks))


def spread_outputs(run: FinishedRun, outputs: np.ndarray) -> np.ndarray:
    """Puts a model's outputs into the columns of the run's classes.

    Args:
        run: Whose model it is.
        outputs: Shape (rows, outputs).

    Returns:
        Shape (rows, classes); NaN of a class that the model has no output for.
    """
    if not run.unscored:
        return outputs
    spread = np.full((len(outputs), len(run.vocabulary.class_names)), np.nan)
    spread[:, find_columns(run.answered, run.vocabulary)] = outputs
    return spread.astype(outputs.dtype)
