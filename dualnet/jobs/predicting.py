"""A run's probabilities for radiographs whose pictures a cache holds."""

import numpy as np
import pandas as pd

from dualnet.data.batches import Batches
from dualnet.data.cache import Cache
from dualnet.evaluation.evaluate import predict_probabilities
from dualnet.jobs.finished import FinishedRun, load_model


def predict_rows(run: FinishedRun, table: pd.DataFrame, cache: Cache) -> np.ndarray:
    """Predicts radiographs batch by batch, in the order of the table.

    Args:
        run: Whose model, encoder and modality to use.
        table: Records whose picture the cache holds.
        cache: The pictures.

    Returns:
        Probabilities, float32, shape (rows, classes).
    """
    batches = Batches(
        cache,
        cache.rows(table["image_id"]),
        run.encoder.transform(table),
        None,
        batch_size=run.config.evaluation.batch_size,
        modality=run.config.model.modality,
    )
    return predict_probabilities(load_model(run), batches)
