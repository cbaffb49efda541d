"""TensorBoard's event files, written by TensorFlow where it is installed.

The back end may be another. `tf.summary.write` is used, not `tf.summary.scalar`: the
latter needs the tensorboard package, which only the person who looks needs.
"""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras

logger = logging.getLogger(__name__)

CURVES = {
    "loss": ("train", "epoch_loss"),
    "learning_rate": ("train", "epoch_learning_rate"),
    "images_per_second": ("train", "images_per_second"),
    "val_loss": ("validation", "epoch_loss"),
    "val_macro_auroc": ("validation", "epoch_macro_auroc"),
}


class EventFiles(keras.callbacks.Callback):
    """Writes one point an epoch to each curve, training and validation side by side.

    Args:
        folder: The run's `tensorboard` folder.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        self._summary: Any = _import_summary()
        self._writers: dict[str, Any] = {}

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Writes what `logs` holds."""
        if self._summary is None:
            return
        for name, value in (logs or {}).items():
            if name in CURVES:
                part, curve = CURVES[name]
                with self._writer(part).as_default():
                    self._summary.write_scalar(curve, value, epoch)
        for writer in self._writers.values():
            writer.flush()

    def on_train_end(self, logs: Mapping[str, float] | None = None) -> None:
        """Closes the files."""
        del logs
        for writer in self._writers.values():
            writer.close()

    def _writer(self, part: str) -> Any:
        if part not in self._writers:
            self._writers[part] = self._summary.open(self.folder / part)
        return self._writers[part]


class _Summary:
    def __init__(self, tensorflow: Any) -> None:
        self._tf = tensorflow
        self._metadata = tensorflow.compat.v1.SummaryMetadata(data_class=1)  # scalar
        self._metadata.plugin_data.plugin_name = "scalars"

    def open(self, folder: Path) -> Any:
        return self._tf.summary.create_file_writer(str(folder))

    def write_scalar(self, name: str, value: float, epoch: int) -> None:
        tensor = self._tf.constant(value, self._tf.float32)
        self._tf.summary.write(name, tensor, step=epoch, metadata=self._metadata)


def _import_summary() -> _Summary | None:
    try:
        import tensorflow
    except ImportError:
        logger.info("tensorboard: no event files, TensorFlow is not installed")
        return None
    return _Summary(tensorflow)
