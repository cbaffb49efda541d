"""Files of weights, read as arrays alone: nothing in them can name code to run.

A file is read without building what it describes. Of a `.keras` archive only the arrays
are looked at; none may lie outside the file, and what it says of its size is checked
before anything is read.
"""

import io
import math
import re
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from dualnet.errors import ConfigError

LayerWeights = dict[str, list[np.ndarray]]
"""The arrays of each layer, by its name, in the order of `layer.get_weights()`."""

ARCHIVED = "model.weights.h5"  # in a `.keras` archive
MAX_BYTES = 2 * 2**30  # of all arrays; the largest backbone, convnextxlarge, has 1.4 GB
MAX_DEPTH = 12  # groups within groups; a flat model has 3
MAX_OBJECTS = 50_000
# h5py, and a zip archive, raise these for a damaged file
UNREADABLE = (OSError, KeyError, ValueError, RuntimeError, zipfile.BadZipFile)


def read_layer_weights(file: Path) -> LayerWeights:
    """Reads the arrays of a `.keras` or `.weights.h5` file.

    Args:
        file: As Keras 3 writes it.

    Returns:
        The arrays of each layer that has some, finite.

    Raises:
        ConfigError: If it is another kind of file, cannot be read, points out of
            itself, or holds more than a model does.
    """
    with _opened(file) as found:
        weights = {
            name: [np.asarray(dataset) for dataset in arrays] for name, arrays in found
        }
        for name, arrays in weights.items():
            if not all(np.isfinite(array).all() for array in arrays):
                raise ConfigError(
                    _refuse(
                        file, f"a value that is not finite in {name}", "Train again."
                    )
                )
        return weights


def count_parameters(file: Path) -> int:
    """Returns how many numbers a file of weights holds, without reading them.

    Args:
        file: As Keras 3 writes it.
    """
    with _opened(file) as found:
        return sum(math.prod(one.shape) for _, arrays in found for one in arrays)


def stable_names(named: Iterable[tuple[str, str]]) -> list[str]:
    """Names layers without regard to what else was built before.

    Keras calls a layer that nobody named by its class and a running number. Such
    layers are numbered from 1 for each class.

    Args:
        named: Class and name of each layer, in the order of the graph.

    Returns:
        A name for each.

    Example:
        >>> stable_names([("Conv2D", "stem"), ("Conv2D", "conv2d_7"), ("Conv2D", "conv2d")])
        ['stem', 'conv2d_1', 'conv2d_2']
    """
    counts: dict[str, int] = {}
    names = []
    for kind, name in named:
        plain = snake_case(kind)
        if re.fullmatch(rf"{re.escape(plain)}(_\d+)?", name):
            counts[plain] = counts.get(plain, 0) + 1
            name = f"{plain}_{counts[plain]}"
        names.append(name)
    return names


def snake_case(name: str) -> str:
    """Returns a class's name as Keras names its layers.

    Args:
        name: As in `ZeroPadding2D`.

    Example:
        >>> snake_case("ZeroPadding2D"), snake_case("DepthwiseConv2D"), snake_case("ReLU")
        ('zero_padding2d', 'depthwise_conv2d', 're_lu')
    """
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


@contextmanager
def _opened(file: Path) -> Iterator[list[tuple[str, list[h5py.Dataset]]]]:
    """Opens a file, checks it and yields the arrays of each layer, not read."""
    if not file.is_file():
        raise ConfigError(_refuse(file, "no such file", "Correct the path."))
    if file.suffix != ".keras" and not file.name.endswith(".weights.h5"):
        advice = "Load it where it was made, and save the weights with Keras 3."
        raise ConfigError(
            _refuse(file, f"`{file.suffix}`, whose reader may run code in it", advice)
        )
    try:
        with h5py.File(_open(file), "r") as opened:
            yield _find_layers(file, opened)
    except UNREADABLE as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(
            _refuse(file, f"{type(error).__name__} while reading", "Save it again.")
        ) from error


def _open(file: Path) -> Any:
    """Returns the file of arrays: itself, or what a `.keras` archive holds of it."""
    if file.suffix != ".keras":
        return file
    with zipfile.ZipFile(file) as archive:
        size = archive.getinfo(ARCHIVED).file_size
        if size > MAX_BYTES:
            raise ConfigError(
                _refuse(file, f"arrays of {size:,} bytes", "Name a model's file.")
            )
        return io.BytesIO(archive.read(ARCHIVED))


def _find_layers(file: Path, opened: h5py.File) -> list[tuple[str, list[h5py.Dataset]]]:
    if "layer_names" in opened.attrs or "model_weights" in opened:
        raise ConfigError(
            _refuse(file, "a file of Keras 2", "Save the weights with Keras 3.")
        )
    groups = sorted(_walk(file, opened), key=lambda one: _natural(one[0]))
    arrays = [_arrays(file, group) for _, group in groups]
    total = sum(dataset.nbytes for some in arrays for dataset in some)
    if total > MAX_BYTES:
        raise ConfigError(
            _refuse(file, f"arrays of {total:,} bytes", "Name a model's file.")
        )
    kinds = [
        (re.sub(r"_\d+$", "", path.split("/")[-1]), str(group.attrs.get("name", "")))
        for path, group in groups
    ]
    return list(zip(stable_names(kinds), arrays, strict=True))


def _walk(file: Path, opened: h5py.File) -> Iterator[tuple[str, h5py.Group]]:
    """Yields the groups `vars` that hold arrays, by the path of their layer."""
    waiting: list[tuple[str, h5py.Group]] = [("", opened)]
    seen = 0
    while waiting:
        path, group = waiting.pop()
        for key in group:
            seen += 1
            where = f"{path}/{key}"
            linked = isinstance(group.get(key, getlink=True), h5py.HardLink)
            if not linked or seen > MAX_OBJECTS or where.count("/") > MAX_DEPTH:
                raise ConfigError(
                    _refuse(file, "links to elsewhere", "Name a model's file.")
                )
            child = group[key]
            if not isinstance(child, h5py.Group):
                continue
            if key == "vars":
                if len(child):
                    yield path, child
            else:
                waiting.append((where, child))


def _arrays(file: Path, group: h5py.Group) -> list[h5py.Dataset]:
    """Returns a layer's arrays in order, each within the file and of numbers."""
    arrays = []
    for key in sorted(group, key=_natural):
        dataset = group[key]
        if (
            not isinstance(group.get(key, getlink=True), h5py.HardLink)
            or not isinstance(dataset, h5py.Dataset)
            or dataset.external
            or dataset.is_virtual
        ):
            raise ConfigError(
                _refuse(file, "links to elsewhere", "Name a model's file.")
            )
        if dataset.dtype.kind not in "fiu" or "dtype" in dataset.attrs:
            raise ConfigError(
                _refuse(file, "values that are no float32", "Save it in float32.")
            )
        arrays.append(dataset)
    return arrays


def _natural(text: str) -> list[tuple[int, str]]:
    """Orders `conv2d_10` behind `conv2d_9`."""
    parts = re.split(r"(\d+)", text)
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]


def _refuse(file: Path, received: str, advice: str) -> str:
    return (
        f"{file}: must be weights that Keras 3 saved, .keras or .weights.h5. "
        f"Received: {received}. {advice}"
    )
