"""Heat maps: where in the picture a class's logit comes from.

Arrays only, on any Keras back end, before saving and after loading alike; in float32,
whatever the model's own precision. A map explains a logit and not a probability: that
of a softmax also moves with what is said of every other class.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import keras
import numpy as np

from dualnet.errors import ConfigError, RecordError
from dualnet.explain.activations import check_inputs
from dualnet.explain.attribution import (
    compute_grad_cam,
    compute_hires_cam,
    integrate_gradients,
)
from dualnet.explain.cut_model import (
    CutModel,
    cut_at_layer,
    cut_at_picture,
    split_batches,
)
from dualnet.explain.full_precision import copy_weights, in_float32
from dualnet.explain.occlusion import count_cells, occlude

METHODS = ("grad_cam", "hires_cam", "integrated_gradients", "occlusion")
CAMS = {"grad_cam": compute_grad_cam, "hires_cam": compute_hires_cam}
BATCH_SIZE = 32


@dataclass(frozen=True, kw_only=True)
class HeatMaps:
    """One map a row, unscaled.

    Args:
        values: What each place adds to the logit, float32, shape (n, height, width):
            above 0 speaks for the class, below against it. Those of `grad_cam` are not
            below 0, by its definition, and are no shares of the logit.
        method: One of `METHODS`.
        layer: The layer whose maps were looked at, `image` for the picture itself.
    """

    values: np.ndarray
    method: str
    layer: str


def compute_heat_maps(
    model: keras.Model,
    inputs: Mapping[str, np.ndarray],
    columns: Sequence[int] | np.ndarray,
    *,
    method: str = "hires_cam",
    layer: str | None = None,
    batch_size: int = BATCH_SIZE,
) -> HeatMaps:
    """Computes one heat map for each row, of one logit each.

    Args:
        model: As `HeatMapper` takes it.
        inputs: As `HeatMapper.compute` takes them.
        columns: The logit of each row, shape (n,).
        method: As `HeatMapper` takes it.
        layer: As `HeatMapper` takes it.
        batch_size: Rows at a time.

    Returns:
        The maps.
    """
    mapper = HeatMapper(model, method=method, layer=layer, batch_size=batch_size)
    return mapper.compute(inputs, columns)


class HeatMapper:
    """Computes heat maps of one kind; for many calls, as it is made ready only once.

    Weights that are set in the model later are used.

    - `grad_cam`: the maps of a layer, each weighted by its mean gradient; what is below
      0 is cut off.
    - `hires_cam`: each value times its own gradient, summed over the channels. Where
      the logits are a linear function of the layer's maps, they are its shares exactly.
    - `integrated_gradients`: the way from a picture without content, flat at the
      picture's own mean gray, to the picture; what all places add is the difference
      of the logits, but for the error of `INTEGRATION_STEPS` steps. Of a layer: the way
      of its maps.
    - `occlusion`: by how much the logit falls if a place is hidden by that mean gray.

    Args:
        model: A functional model with the input `image` and the layer `logits`, built
            or loaded.
        method: One of `METHODS`.
        layer: The layer to look at, by its name; its maps are taken after the
            normalisation and the activation that follow it. None: the last one of the
            image branch with maps of at least 7x7, or for the latter two methods the
            picture itself.
        batch_size: Rows at a time.

    Raises:
        ConfigError: If the method is not known, or the layer not there, without maps,
            or not of use to the method.
        RunError: If the model reads no picture.

    Reference:
        Selvaraju et al., Grad-CAM, ICCV 2017, equations 1 and 2; Draelos and Carin, Use
        HiResCAM instead of Grad-CAM, arXiv:2011.08891; Sundararajan et al., Axiomatic
        attribution for deep networks, ICML 2017, equations 1 and 3; Zeiler and Fergus,
        Visualizing and understanding convolutional networks, ECCV 2014, section 4.2.
    """

    def __init__(
        self,
        model: keras.Model,
        *,
        method: str = "hires_cam",
        layer: str | None = None,
        batch_size: int = BATCH_SIZE,
    ) -> None:
        if method not in METHODS:
            raise ConfigError(
                f"method: must be one of {', '.join(METHODS)}. "
                f"Received: {method!r}. Name one of them."
            )
        if method == "occlusion" and layer is not None:
            raise ConfigError(
                "layer: occlusion hides parts of the picture, and looks at no layer. "
                f"Received: {layer!r}. Leave it out, or take another method."
            )
        self._model = model
        self._method = method
        self._batch_size = batch_size
        at_picture = method not in CAMS and layer is None
        self._exact = in_float32(model)
        self._cut = (
            cut_at_picture(self._exact)
            if at_picture
            else cut_at_layer(self._exact, layer)
        )

    def compute(
        self,
        inputs: Mapping[str, np.ndarray],
        columns: Sequence[int] | np.ndarray,
    ) -> HeatMaps:
        """Computes one heat map for each row, of one logit each.

        Args:
            inputs: One array per input of the model, by its name, batch axis first:
                `image` (n, size, size, 1), gray values 0-255; `metadata` (n, features).
                Inputs that the model does not have are left aside.
            columns: The logit of each row, from 0, shape (n,).

        Returns:
            The maps, at the resolution of the layer or the picture; of `occlusion`, of
            its cells.

        Raises:
            RecordError: If there is not one column and one row of each input, or a
                column is none of the model's.
        """
        arrays = check_inputs(self._model, inputs)
        chosen = np.asarray(columns)
        _check_rows(arrays, chosen, self._cut.num_outputs)
        if self._exact is not self._model:
            copy_weights(self._model, self._exact)
        height, width, _ = self._cut.shape
        if self._method == "occlusion":
            height, width = count_cells(height), count_cells(width)
        values = np.empty((len(chosen), height, width), np.float32)
        compute = _COMPUTE[self._method]
        for rows, batch in split_batches(
            arrays | {"columns": chosen}, self._batch_size
        ):
            of_logits = batch.pop("columns").astype(int)
            maps = compute(self._cut, batch, of_logits)
            values[rows] = maps[: rows.stop - rows.start]
        return HeatMaps(values=values, method=self._method, layer=self._cut.layer)


def enlarge_maps(values: np.ndarray, size: int) -> np.ndarray:
    """Enlarges maps to a picture's pixels, bilinearly.

    A map's cells tile the picture, so that cell `i` of `n` has its centre at
    `(i + .5) * size / n`; beyond the outermost centres values stay as they are there.

    Args:
        values: Shape (n, height, width).
        size: Side of the picture in pixels, not below either of them.

    Returns:
        float32, shape (n, size, size).

    Raises:
        ConfigError: If the maps are larger than that.

    Example:
        >>> enlarge_maps(np.array([[[0.0, 4.0]]]), 4)[0, 0].tolist()
        [0.0, 1.0, 3.0, 4.0]
    """
    height, width = values.shape[1:]
    if size < max(height, width):
        raise ConfigError(
            f"size: must be at least the maps' own, {height}x{width}. "
            f"Received: {size}. Enlarge to the picture's size."
        )
    rows, columns = _weigh_cells(height, size), _weigh_cells(width, size)
    return rows @ np.asarray(values, np.float32) @ columns.T


def _weigh_cells(num_cells: int, size: int) -> np.ndarray:
    """Returns how much each pixel takes of each cell, float32, shape (size, cells)."""
    centres = (np.arange(size) + 0.5) * num_cells / size - 0.5
    centres = np.clip(centres, 0, num_cells - 1)
    distances = np.abs(centres[:, np.newaxis] - np.arange(num_cells))
    return np.maximum(0, 1 - distances).astype(np.float32)


def _check_rows(
    arrays: Mapping[str, np.ndarray], columns: np.ndarray, num_outputs: int
) -> None:
    rows = {name: len(values) for name, values in arrays.items()}
    if columns.ndim != 1 or set(rows.values()) != {len(columns)}:
        told = ", ".join(f"{count} of {name}" for name, count in rows.items())
        raise RecordError(
            "columns: one logit and one row of each input must come together. "
            f"Received: {columns.size} columns, {told}. Give as many of each."
        )
    wrong = [one for one in columns if one not in range(num_outputs)]
    if wrong:
        raise RecordError(
            f"columns: each must be a logit of the model, 0 to {num_outputs - 1}. "
            f"Received: {wrong[0]}. Take a class that the model answers for."
        )


_Compute = Callable[[CutModel, dict[str, np.ndarray], np.ndarray], np.ndarray]
_COMPUTE: dict[str, _Compute] = {
    **CAMS,
    "integrated_gradients": integrate_gradients,
    "occlusion": occlude,
}
