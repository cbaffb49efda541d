"""Which pixels one unit of a stage can see: its receptive field, from the layers alone.

Reference:
    Araujo et al., Computing receptive fields of convolutional neural networks, Distill
    2019, equations 2 (size) and 5 (start); several paths as in its section on them.
"""

from dataclasses import dataclass
from typing import Any

import keras

from dualnet.explain.stages import CONVOLUTIONS, select_stages, tensors_of

WINDOWS = (
    *CONVOLUTIONS,
    keras.layers.MaxPooling2D,
    keras.layers.AveragePooling2D,
)
FRAMES = (keras.layers.ZeroPadding2D, keras.layers.Cropping2D)


@dataclass(frozen=True)
class ReceptiveField:
    """The pixels that the units of one stage see, the same along both sides.

    Unit `i` sees the pixels from `start + i * step`, `size` of them; some may lie
    outside the picture, where there is padding.

    Args:
        start: First pixel that unit 0 sees; negative in the padding.
        step: Pixels from one unit to the next.
        size: How many pixels a unit sees.
    """

    start: int
    step: int
    size: int

    def span(self, unit: int) -> tuple[int, int]:
        """Returns the first pixel that a unit sees, and the one after its last.

        Example:
            >>> ReceptiveField(start=-1, step=2, size=3).span(4)
            (7, 10)
        """
        first = self.start + unit * self.step
        return first, first + self.size


def compute_receptive_field(model: keras.Model, layer: str) -> ReceptiveField | None:
    """Computes which pixels each unit of a stage can see.

    Gates of one value a channel (squeeze and excitation) see all of the picture; they
    weigh a whole map, so what a unit sees is taken without them.

    Args:
        model: A functional model with square pictures and windows.
        layer: Name of a stage, as in `activation_layers`.

    Returns:
        The field; None where it is the whole picture or none of it: behind a flattening
        or a pooling of the whole map, and in the metadata branch.
    """
    (stage,) = select_stages(model, [layer])
    fields: dict[int, ReceptiveField | None] = {
        id(tensor): ReceptiveField(0, 1, 1)
        for tensor in model.inputs
        if len(tensor.shape) == 4
    }
    for one in model.layers:  # each stands after those that it takes from
        taken = tensors_of(one, "input")
        seen = [field for tensor in taken if (field := fields.get(id(tensor)))]
        for made in tensors_of(one, "output"):
            if seen and not isinstance(one, keras.layers.InputLayer):
                fields[id(made)] = _see(one, _join(seen), taken[0], made)
    return fields.get(id(stage.tensor))


def _see(
    layer: Any, field: ReceptiveField, taken: Any, made: Any
) -> ReceptiveField | None:
    """Returns what the units behind one layer see."""
    if len(made.shape) != 4 or _is_gate(taken, made):
        return None
    if isinstance(layer, FRAMES):
        sign = -1 if isinstance(layer, keras.layers.ZeroPadding2D) else 1
        frames: Any = getattr(layer, "padding", None) or layer.cropping
        start = field.start + sign * frames[0][0] * field.step
        return ReceptiveField(start, field.step, field.size)
    if not isinstance(layer, WINDOWS):
        return field
    width, stride, before = _window(layer, taken.shape[1])
    return ReceptiveField(
        start=field.start - before * field.step,
        step=field.step * stride,
        size=field.size + (width - 1) * field.step,
    )


def _window(layer: Any, side: int) -> tuple[int, int, int]:
    """Returns a layer's window, stride and the padding before the first pixel."""
    pooling = hasattr(layer, "pool_size")
    width = (layer.pool_size if pooling else layer.kernel_size)[0]
    dilation = 1 if pooling else layer.dilation_rate[0]
    width, stride = dilation * (width - 1) + 1, layer.strides[0]
    if layer.padding == "valid":
        return width, stride, 0
    total = (-(-side // stride) - 1) * stride + width - side
    return width, stride, max(0, total) // 2  # the odd one is behind, as Keras pads


def _is_gate(taken: Any, made: Any) -> bool:
    """Whether a map has been brought to one value a channel."""
    return made.shape[1] == 1 and taken.shape[1] != 1


def _join(fields: list[ReceptiveField]) -> ReceptiveField:
    """Returns the field that covers those of several paths with the same step."""
    start = min(field.start for field in fields)
    end = max(field.start + field.size for field in fields)
    return ReceptiveField(start, fields[0].step, end - start)
