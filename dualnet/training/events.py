"""TensorBoard's event files, written by TensorFlow where it is installed.

The back end may be another. `tf.summary.write` is used, not `tf.summary.scalar`: the
latter needs the tensorboard package, which only the person who looks needs.
"""

import io
import logging
import math
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
from PIL import Image

from dualnet.training.backend import read_peak_memory
from dualnet.training.callbacks import AREA

logger = logging.getLogger(__name__)

CURVES = {
    "loss": ("train", "epoch_loss"),
    "learning_rate": ("train", "epoch_learning_rate"),
    "images_per_second": ("train", "images_per_second"),
    "device_memory_mib": ("train", "device_memory_mib"),
    "process_memory_mib": ("train", "process_memory_mib"),
    "val_loss": ("validation", "epoch_loss"),
    "val_macro_auroc": ("validation", "epoch_macro_auroc"),
}
GRAPH_VERSION = b"1"  # TensorBoard lists no graph of a model without it
PARTS = ("train", "validation")
DATA_CLASSES = {"scalars": 1, "text": 2, "images": 3, "graph_keras_model": 0}


class EventFiles(keras.callbacks.Callback):
    """Writes what TensorBoard shows, training and validation side by side.

    One point an epoch to each curve; once, the configuration and the model, as a graph
    of its layers and as a table; and the images that it is given.

    Args:
        folder: The run's `tensorboard` folder.
        configuration: YAML; none is written where it is empty.
    """

    def __init__(self, folder: Path, *, configuration: str = "") -> None:
        super().__init__()
        self.folder = folder
        self._configuration = configuration
        self._summary: Any = _import_summary()
        self._writers: dict[str, Any] = {}
        self._made = int(time.time())
        # what a process before this one has written, and may have to be done again
        self._before = list(folder.iterdir()) if folder.is_dir() else []

    def on_train_begin(self, logs: Mapping[str, float] | None = None) -> None:
        """Writes the configuration and the model."""
        del logs
        if self._summary is None or not self._configuration:
            return
        model: Any = self.model
        table: list[str] = []
        model.summary(line_length=88, print_fn=lambda text, **_: table.append(text))
        with self._writer("train").as_default():
            configuration, self._configuration = self._configuration, ""  # once
            self._summary.write("text", "configuration", _as_code(configuration))
            self._summary.write("text", "model", _as_code("\n".join(table)))
            self._summary.write("graph_keras_model", "keras", model.to_json())

    def on_epoch_begin(
        self, epoch: int, logs: Mapping[str, float] | None = None
    ) -> None:
        """Takes back the points from the first epoch on that is done again."""
        del logs
        parts, self._before = self._before, []
        for part in parts:
            if self._summary is not None and part.name in PARTS:
                self._summary.forget(part, epoch, now=self._made)

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Writes what `logs` holds."""
        if self._summary is None:
            return
        for name, value in {**(logs or {}), **_measure_memory()}.items():
            part, curve = _find_curve(name)
            if curve and math.isfinite(value):
                with self._writer(part).as_default():
                    self._summary.write("scalars", curve, float(value), step=epoch)
        self._flush()

    def write_images(self, images: Mapping[str, np.ndarray], *, step: int) -> None:
        """Writes pictures; those of the training part are called `samples`.

        Args:
            images: By name, uint8, shape (height, width, 3) or (height, width).
            step: The epoch, from 0.
        """
        if self._summary is None:
            return
        for name, pixels in images.items():
            part = "train" if name == "samples" else "validation"
            height, width = pixels.shape[:2]
            values = [str(width), str(height), _as_png(pixels)]
            with self._writer(part).as_default():
                self._summary.write("images", name, values, step=step)
        self._flush()

    def on_train_end(self, logs: Mapping[str, float] | None = None) -> None:
        """Ends the files; a follower that comes after may still write."""
        del logs
        self._flush()

    def _flush(self) -> None:
        for writer in self._writers.values():
            writer.flush()

    def _writer(self, part: str) -> Any:
        if part not in self._writers:
            self._writers[part] = self._summary.open(self.folder / part)
        return self._writers[part]


class _Summary:
    def __init__(self, tensorflow: Any) -> None:
        self._tf = tensorflow

    def open(self, folder: Path) -> Any:
        return self._tf.summary.create_file_writer(str(folder))

    def forget(self, folder: Path, step: int, *, now: int) -> None:
        """Tells TensorBoard to forget what the files there have of a step and after.

        It reads files in the order of their names: this one comes before those that
        the second `now`, or a later one, begins.
        """
        v1 = self._tf.compat.v1
        start = v1.SessionLog(status=v1.SessionLog.START)
        path = folder / f"events.out.tfevents.{now:010d}.{socket.gethostname()}"
        with self._tf.io.TFRecordWriter(str(path)) as writer:
            for said in ({"file_version": "brain.Event:2"}, {"session_log": start}):
                event = v1.Event(wall_time=now, step=step, **said)
                writer.write(event.SerializeToString())

    def write(self, plugin: str, name: str, value: Any, step: int = 0) -> None:
        metadata = self._tf.compat.v1.SummaryMetadata(data_class=DATA_CLASSES[plugin])
        metadata.plugin_data.plugin_name = plugin
        if plugin == "graph_keras_model":
            metadata.plugin_data.content = GRAPH_VERSION
        kind = self._tf.float32 if plugin == "scalars" else self._tf.string
        tensor = self._tf.constant(value, kind)
        self._tf.summary.write(name, tensor, step=step, metadata=metadata)


def _find_curve(name: str) -> tuple[str, str]:
    """Returns the part and the curve of one of the `logs`; an empty name: it has none."""
    if name.startswith(AREA):
        return "validation", f"auroc/{name.removeprefix(AREA)}"
    return CURVES.get(name, ("", ""))


def _measure_memory() -> dict[str, float]:
    """Returns the most memory used until now, under the name of what has it."""
    peak = read_peak_memory()
    return {} if peak is None else {f"{peak[0]}_memory_mib": peak[1] / 2**20}


def _as_code(text: str) -> str:
    """Writes text so that Markdown shows it as it is."""
    return "\n".join(f"    {line}" for line in text.splitlines())


def _as_png(pixels: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def _import_summary() -> _Summary | None:
    try:
        import tensorflow
    except ImportError:
        logger.info("tensorboard: no event files, TensorFlow is not installed")
        return None
    return _Summary(tensorflow)
