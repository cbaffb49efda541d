"""The patches of pictures that excite a channel most, found in one pass over many.

Of each picture counts the one place where the channel answers most. What is kept is a
few numbers a channel, whatever the number of pictures.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import keras
import numpy as np

from dualnet.explain.activations import activation_layers, read_activations
from dualnet.explain.receptive_fields import ReceptiveField

NUM_PATCHES = 9


@dataclass(frozen=True, kw_only=True)
class TopPatches:
    """Where the channels of one stage answer most; the strongest answer first.

    Args:
        answers: What it answers, float32, shape (channels, patches).
        rows: Which picture each is in, int64, shape (channels, patches).
        places: Row and column of the unit in the map, int64, shape
            (channels, patches, 2).
        num_pictures: How many pictures were looked at.
    """

    answers: np.ndarray
    rows: np.ndarray
    places: np.ndarray
    num_pictures: int

    @property
    def dead(self) -> np.ndarray:
        """Whether each channel is above 0 in no picture; bool, shape (channels,)."""
        return self.answers[:, 0] <= 0


def find_patches(
    model: keras.Model,
    batches: Iterable[Mapping[str, np.ndarray]],
    layers: Sequence[str] | None = None,
    *,
    num_patches: int = NUM_PATCHES,
) -> dict[str, TopPatches]:
    """Finds the places of many pictures at which each channel answers most.

    Args:
        model: A functional model, as `build_dual_classifier` makes it.
        batches: Inputs of each batch, as `compute_activations` takes them; pictures are
            numbered in their order.
        layers: Names or patterns, as in `select_stages`; None is every stage. Of them
            those that are maps are searched.
        num_patches: How many places a channel, each in another picture.

    Returns:
        Name of each stage that is maps to what was found.
    """
    found: dict[str, TopPatches] = {}
    for _, activations in read_activations(model, batches, layers):
        for name, maps in activations.items():
            if maps.ndim == 4:
                found[name] = _merge(found.get(name), _find_maxima(maps), num_patches)
    order = [name for name, _ in activation_layers(model, layers)]
    return {name: found[name] for name in order if name in found}


def crop_patch(
    picture: np.ndarray, field: ReceptiveField | None, place: Sequence[int]
) -> np.ma.MaskedArray:
    """Cuts out what one unit sees of a picture.

    Args:
        picture: Gray values, shape (size, size).
        field: What the units of the stage see; None: the whole picture.
        place: Row and column of the unit.

    Returns:
        A square as wide as the field, but no wider than the picture, about the unit's
        centre; what lies outside the picture is masked.
    """
    side = len(picture)
    if field is None:
        return np.ma.masked_array(picture)
    width = min(field.size, side)
    ranges = []
    for unit in place:
        first, end = field.span(int(unit))
        start = (first + end - width) // 2
        ranges.append(np.arange(start, start + width))
    rows, columns = np.ix_(*ranges)
    outside = (rows < 0) | (rows >= side) | (columns < 0) | (columns >= side)
    values = picture[rows.clip(0, side - 1), columns.clip(0, side - 1)]
    return np.ma.masked_array(values, outside)


def _find_maxima(maps: np.ndarray) -> TopPatches:
    """Finds each picture's place of each channel; maps (n, height, width, channels)."""
    num_pictures, _, width, channels = maps.shape
    flat = maps.reshape(num_pictures, -1, channels)
    places = flat.argmax(axis=1).T
    rows = np.broadcast_to(np.arange(num_pictures), (channels, num_pictures))
    return TopPatches(
        answers=flat.max(axis=1).T,
        rows=rows,
        places=np.stack([places // width, places % width], axis=-1),
        num_pictures=num_pictures,
    )


def _merge(found: TopPatches | None, more: TopPatches, num_patches: int) -> TopPatches:
    """Keeps the strongest of both; of equal ones those that came first."""
    before = found.num_pictures if found else 0
    answers, rows, places = more.answers, more.rows + before, more.places
    if found:
        answers = np.concatenate([found.answers, answers], axis=1)
        rows = np.concatenate([found.rows, rows], axis=1)
        places = np.concatenate([found.places, places], axis=1)
    order = np.argsort(-answers, axis=1, kind="stable")[:, :num_patches]
    return TopPatches(
        answers=np.take_along_axis(answers, order, axis=1),
        rows=np.take_along_axis(rows, order, axis=1),
        places=np.take_along_axis(places, order[..., np.newaxis], axis=1),
        num_pictures=before + more.num_pictures,
    )
