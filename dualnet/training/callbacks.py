"""What happens around an epoch: its scores, the best model, the history.

Keras gives every callback the same `logs`; `EpochScores` comes first and fills it, the
others read it.
"""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd

from dualnet.data.batches import Batches
from dualnet.files import atomic_path
from dualnet.runs import write_table
from dualnet.scores import auroc_per_class, macro_auroc
from dualnet.training.backend import count_replicas
from dualnet.training.stop_at_nan import Logs, to_numpy

SCORE = "val_macro_auroc"
AREA = "val_auroc/"  # then a class
COLUMNS = (
    "epoch",
    "loss",
    "val_loss",
    SCORE,
    "learning_rate",
    "seconds",
    "images_per_second",
)
MIN_PROBABILITY = 1e-7  # where Keras clips before it takes the logarithm


class EpochScores(keras.callbacks.Callback):
    """Adds to an epoch's `logs` all that a row of the history holds.

    Args:
        val: Validation batches, in order, with targets.
        val_labels: All findings present, bool, shape (n, num_classes).
        scored: The findings whose mean AUROC is the score, bool, shape (num_classes,).
        num_images: Training radiographs an epoch.
        class_names: What the probabilities are of, the columns of `val_labels`.
        loss: What `val_loss` is of targets and probabilities; none: the cross-entropy.
    """

    def __init__(
        self,
        val: Batches,
        val_labels: np.ndarray,
        scored: np.ndarray,
        num_images: int,
        class_names: Sequence[str],
        loss: keras.losses.Loss | None = None,
    ) -> None:
        super().__init__()
        self.probabilities = np.zeros((0, len(class_names)), np.float32)
        self._class_names = tuple(class_names)
        self._loss = loss
        self._val = val
        self._val_labels = val_labels
        self._scored = scored
        self._num_images = num_images
        self._started: float | None = None
        self._before = 0.0

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Starts the clock."""
        del epoch, logs
        self._started = time.perf_counter() - self._before
        self._before = 0.0

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Scores the validation part."""
        train_seconds = self._seconds()
        logs = {} if logs is None else logs
        model: Any = self.model
        logs["epoch"] = epoch + 1
        logs.update(self.score(model))
        logs.update(self._score_classes())
        logs["learning_rate"] = float(to_numpy(model.optimizer.learning_rate))
        logs["seconds"] = self._seconds()
        logs["images_per_second"] = self._num_images / train_seconds
        self._started = None

    def get_state(self) -> dict[str, Any]:
        """Returns the seconds of the running epoch."""
        return {"seconds": self._seconds()}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Takes them back, for the epoch that begins next."""
        self._before = state["seconds"]

    def _seconds(self) -> float:
        return 0.0 if self._started is None else time.perf_counter() - self._started

    def score(self, model: keras.Model) -> dict[str, float]:
        """Returns a model's `val_loss` and `val_macro_auroc`.

        Args:
            model: A dual classifier that takes the validation batches.
        """
        self.probabilities, val_loss = score_batches(model, self._val, self._loss)
        score = macro_auroc(self._val_labels, self.probabilities, scored=self._scored)
        return {"val_loss": val_loss, SCORE: score}

    def _score_classes(self) -> dict[str, float]:
        """Returns the AUROC of each class, NaN where it is undefined."""
        areas = auroc_per_class(self._val_labels, self.probabilities)
        named = zip(self._class_names, areas, strict=True)
        return {f"{AREA}{name}": float(area) for name, area in named}


class BestModel(keras.callbacks.Callback):
    """Remembers the best weights, and stops when they have not been beaten for long.

    When training ends the model gets them back.

    Or keeps the last and never stops: where few patients choose, the epoch that scores
    best is a lucky one.

    Args:
        patience: Epochs without improvement after which training stops.
        keep: `best`, or `last`.
        counted_from: Epochs that do not count as such: those of a frozen branch.
    """

    def __init__(
        self, *, patience: int, keep: str = "best", counted_from: int = 0
    ) -> None:
        super().__init__()
        self.patience = patience
        self.keep = keep
        self.counted_from = counted_from
        self.score = -np.inf
        self.epoch = 0
        self.weights: list[np.ndarray] = []

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Keeps the weights if they are the best so far, or the last are kept."""
        model: Any = self.model
        score = (logs or {})[SCORE]
        if score > self.score or self.keep == "last":
            self.score, self.epoch = score, epoch + 1
            self.weights = [np.array(one) for one in model.get_weights()]
        elif epoch + 1 - max(self.epoch, self.counted_from) >= self.patience:
            model.stop_training = True

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Gives the model its best weights."""
        del logs
        model: Any = self.model
        if self.weights:
            model.set_weights(self.weights)

    def get_state(self) -> dict[str, Any]:
        """Returns the best score, its epoch and its weights."""
        return {"score": self.score, "epoch": self.epoch, "weights": self.weights}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Takes them back."""
        self.score, self.epoch = state["score"], state["epoch"]
        self.weights = state["weights"]


class HistoryFile(keras.callbacks.Callback):
    """Writes the history anew after each epoch, one row an epoch.

    Args:
        path: The CSV file.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.rows: list[Logs] = []

    @property
    def table(self) -> pd.DataFrame:
        """The epochs so far."""
        return pd.DataFrame(self.rows, columns=list(COLUMNS))

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Adds a row."""
        del epoch
        given = logs or {}
        self.rows.append({name: given[name] for name in COLUMNS})
        write_table(self.path, self.table)

    def get_state(self) -> dict[str, Any]:
        """Returns the rows so far."""
        return {"rows": self.rows}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Takes them back, and writes them: later ones are to be done again."""
        self.rows = list(state["rows"])
        write_table(self.path, self.table)


def score_batches(
    model: keras.Model, batches: Batches, loss: keras.losses.Loss | None = None
) -> tuple[np.ndarray, float]:
    """Predicts batch by batch; only the probabilities are kept.

    Args:
        model: A dual classifier.
        batches: Inputs and targets, in order.
        loss: Of targets and probabilities; none: the cross-entropy.

    Returns:
        The probabilities, float32, shape (n, num_classes), and the mean loss between
        targets and probabilities.
    """
    probabilities, targets = [], []
    for index in range(len(batches)):
        inputs, shares = batches[index][:2]
        probabilities.append(predict_rows(model, inputs))
        targets.append(shares)
    scores = np.concatenate(probabilities)
    if loss is not None:
        return scores, float(to_numpy(loss(np.concatenate(targets), scores)))
    logarithms = np.log(np.maximum(scores, MIN_PROBABILITY), dtype=np.float64)
    losses = -(np.concatenate(targets) * logarithms).sum(axis=1)
    return scores, float(losses.mean())


def predict_rows(model: keras.Model, inputs: dict[str, np.ndarray]) -> np.ndarray:
    """Predicts one batch, on one device or on several.

    JAX divides a batch among its devices if it can be divided: the last row is
    repeated until it can. TensorFlow's devices each answer all rows here, one after
    the other: the first answers are taken.

    Args:
        model: A dual classifier.
        inputs: By name, each of shape (n, ...).

    Returns:
        The probabilities, float32, shape (n, num_classes).
    """
    num_rows = len(next(iter(inputs.values())))
    if missing := -num_rows % count_replicas():
        rows = np.minimum(np.arange(num_rows + missing), num_rows - 1)
        inputs = {name: values[rows] for name, values in inputs.items()}
    return np.asarray(model.predict_on_batch(inputs))[:num_rows]


def save_model(model: keras.Model, path: Path) -> None:
    """Saves a model without its optimizer, whole or not at all.

    Args:
        model: A functional model.
        path: The `.keras` file.
    """
    inputs = {tensor.name: tensor for tensor in model.inputs}
    bare = keras.Model(inputs, model.outputs[0], name=model.name)
    with atomic_path(path) as unfinished:
        bare.save(unfinished)
