"""A run's probabilities for radiographs whose pictures a cache holds."""

import numpy as np
import pandas as pd

from dualnet.data.batches import Batches
from dualnet.data.cache import Cache
from dualnet.data.labels import find_columns
from dualnet.evaluation.evaluate import predict_probabilities
from dualnet.jobs.finished import FinishedRun, load_model


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
    batches = Batches(
        cache,
        cache.rows(table["image_id"]),
        run.encoder.transform(table),
        None,
        batch_size=run.config.evaluation.batch_size,
        modality=run.config.model.modality,
    )
    return spread_outputs(run, predict_probabilities(load_model(run), batches))


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
