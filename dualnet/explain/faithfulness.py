"""Does a heat map say what the model read? Pixels taken away, and put back, in its order.

*Deletion*: the pixels that the map ranks highest are blurred first; the probability
should fall at once. *Insertion*: a blurred picture gets them back first; it should rise
at once. Each is scored by the area under the curve of the probability over the share of
pixels, beside the same in an order that knows nothing of the model: smooth noise as
coarse as a map, since pixels picked one by one change a picture in another way than
patches do.

Reference:
    Petsiuk et al., RISE, BMVC 2018, section 4.3. Theirs deletes to gray 0, which no
    radiograph has in its middle; this one blurs for both curves.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from scipy.ndimage import gaussian_filter

from dualnet.evaluation.intervals.bootstrap import PatientResamples
from dualnet.explain.heat_maps import enlarge_maps
from dualnet.explain.localisation import resample_scores

BLUR = 1 / 16  # standard deviation of what replaces pixels, as a share of the side
NOISE_SIDE = 8  # cells a side of the random order: a map of most branches has 8 to 16
NUM_STEPS = 8
AREAS = ("deletion", "insertion")


@dataclass(frozen=True, kw_only=True)
class Curves:
    """The probability of a class as pixels go and come.

    Args:
        deletion: With more and more pixels blurred, float64, shape (n, steps + 1).
        insertion: With more and more pixels put back, of the same shape.
    """

    deletion: np.ndarray
    insertion: np.ndarray

    @property
    def areas(self) -> np.ndarray:
        """Areas under the curves of `AREAS`, in [0, 1], shape (n, 2)."""
        curves = (self.deletion, self.insertion)
        return np.stack([_area(curve) for curve in curves], axis=1)


def compute_curves(
    model: keras.Model,
    inputs: Mapping[str, np.ndarray],
    columns: np.ndarray,
    maps: np.ndarray,
    *,
    seed: int = 0,
    num_steps: int = NUM_STEPS,
    batch_size: int = 32,
) -> Curves:
    """Computes deletion and insertion curves.

    Args:
        model: A dual classifier that sees pictures.
        inputs: By name: `image` (n, size, size, 1), gray values 0-255, and what else
            the model reads.
        columns: Whose probability is watched, a column a row, shape (n,).
        maps: What ranks the pixels, shape (n, size, size), at the picture's size.
        seed: Decides the order of pixels that the map ranks alike.
        num_steps: In how many equal shares pixels go.
        batch_size: Pictures at a time.

    Returns:
        The curves.
    """
    names = {tensor.name for tensor in model.inputs}
    others = {name: inputs[name] for name in names - {"image"}}
    images = np.asarray(inputs["image"], np.float32)
    ranks = rank_pixels(maps, seed=seed)
    blurred = blur(images)

    def ask(shown: np.ndarray) -> np.ndarray:
        pictures = np.where(shown[..., np.newaxis], images, blurred)
        given = {"image": pictures, **others}
        # `predict` sets up a data set each time, a tenth of a second
        said = [
            model.predict_on_batch({name: x[rows] for name, x in given.items()})
            for rows in _batches(len(images), batch_size)
        ]
        return np.concatenate(said).astype(np.float64)[np.arange(len(images)), columns]

    nothing = np.zeros_like(ranks, dtype=bool)
    whole, none = ask(~nothing), ask(nothing)
    num_pixels = ranks[0].size
    first = [
        ranks < round(step * num_pixels / num_steps) for step in range(1, num_steps)
    ]
    return Curves(
        deletion=np.stack([whole, *(ask(~one) for one in first), none], axis=1),
        insertion=np.stack([none, *(ask(one) for one in first), whole], axis=1),
    )


def describe_curves(
    curves: Curves, noise: Curves, draws: PatientResamples
) -> dict[str, Any]:
    """Describes curves beside those of an order that knows nothing.

    Args:
        curves: Of the map.
        noise: Of `draw_noise`, of the same rows.
        draws: Draws of patients over the rows.

    Returns:
        Plain values: `n`, `num_patients`; for each of `AREAS` the `area` and its
        `interval`, `noise` (that order's area), `minus_noise` (the difference with its
        interval), and the mean `curve` and `noise_curve`.
    """
    mine, its = curves.areas, noise.areas
    areas = resample_scores(draws, mine)
    differences = resample_scores(draws, mine - its).describe_differences()
    described = {
        name: {
            "area": float(areas.values[column]),
            "interval": areas.intervals()[column],
            "noise": float(its[:, column].mean()),
            "minus_noise": differences[column],
            "curve": getattr(curves, name).mean(axis=0).tolist(),
            "noise_curve": getattr(noise, name).mean(axis=0).tolist(),
        }
        for column, name in enumerate(AREAS)
    }
    return {"n": len(mine), "num_patients": draws.num_patients, **described}


def rank_pixels(maps: np.ndarray, *, seed: int) -> np.ndarray:
    """Ranks the pixels of each map, the highest first.

    Pixels that are alike, as all that a rectifier cut to 0, are ranked by chance: in
    reading order a map of nothing would delete the picture from its top.

    Args:
        maps: Shape (n, height, width).
        seed: Decides the order of those that are alike.

    Returns:
        From 0, int64, of the same shape.

    Example:
        >>> rank_pixels(np.array([[[1.0, 7.0], [3.0, 2.0]]]), seed=0).tolist()
        [[[3, 0], [1, 2]]]
    """
    flat = np.asarray(maps).reshape(len(maps), -1)
    chance = np.random.default_rng(seed).random(flat.shape)
    order = np.lexsort((chance, -flat), axis=1)
    ranks = np.empty_like(order)
    places = np.broadcast_to(np.arange(flat.shape[1]), flat.shape)
    np.put_along_axis(ranks, order, places, axis=1)
    return ranks.reshape(maps.shape)


def draw_noise(num_maps: int, size: int, *, seed: int) -> np.ndarray:
    """Draws maps that know nothing: smooth noise.

    Args:
        num_maps: How many.
        size: Pixels a side.
        seed: Decides them.

    Returns:
        Float32, shape (num_maps, size, size).
    """
    shape = (num_maps, NOISE_SIDE, NOISE_SIDE)
    cells = np.random.default_rng(seed).random(shape, dtype=np.float32)
    return enlarge_maps(cells, size)


def blur(images: np.ndarray) -> np.ndarray:
    """Blurs pictures until no finding can be seen.

    Args:
        images: Gray values, float32, shape (n, size, size, 1).

    Returns:
        The same, blurred by a Gaussian of `BLUR` of the side.
    """
    width = BLUR * images.shape[1]
    return gaussian_filter(images, (0, width, width, 0), mode="nearest")


def _batches(num_rows: int, batch_size: int) -> list[slice]:
    starts = range(0, num_rows, batch_size)
    return [slice(start, start + batch_size) for start in starts]


def _area(curve: np.ndarray) -> np.ndarray:
    """Area under curves of evenly spaced points over [0, 1], by trapezia."""
    ends = (curve[:, 0] + curve[:, -1]) / 2
    return (ends + curve[:, 1:-1].sum(axis=1)) / (curve.shape[1] - 1)
