"""What a stage makes of one class of pictures beside another: means, and how far apart.

One pass over the pictures; of each the mean of every channel is kept, of the maps only
the two sums.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import keras
import numpy as np

from dualnet.explain.activations import activation_layers, read_activations

NUM_SHUFFLES = 200
CHANCE_PERCENTILE = 95
LEAST_SPREAD = 1e-6  # of float32 activations
IMAGE = "image"  # the input's name, and of no stage


@dataclass(frozen=True, kw_only=True)
class ClassMeans:
    """Mean activations of two classes.

    Args:
        means: Name of each stage to the mean of either class, float32, shape
            (2, height, width, channels) or (2, units): the asked class, the other.
        levels: Name of each stage to each picture's mean of each channel, float32,
            shape (n, channels).
        images: Mean picture of either class, gray values 0-255, float32, shape
            (2, size, size); None for a model of the metadata alone.
        members: Which pictures are of the asked class, bool, shape (n,).
        dead: Name of each stage to whether each channel is above 0 in no picture of
            either class, bool, shape (channels,).
    """

    means: Mapping[str, np.ndarray]
    levels: Mapping[str, np.ndarray]
    images: np.ndarray | None
    members: np.ndarray
    dead: Mapping[str, np.ndarray]


@dataclass(frozen=True, kw_only=True)
class Effects:
    """How far apart two classes are, channel by channel.

    Args:
        sizes: Difference of the classes' means in pooled standard deviations (Cohen's
            d), the asked class less the other, shape (channels,); 0 where a channel is
            the same for all.
        chance: The greatest size of any channel that 95 % of shuffles of the classes
            stay below.
        order: The channels, the greatest size first, whatever its sign.
    """

    sizes: np.ndarray
    chance: float
    order: np.ndarray


def compute_class_means(
    model: keras.Model,
    batches: Iterable[Mapping[str, np.ndarray]],
    members: np.ndarray,
    layers: Sequence[str] | None = None,
) -> ClassMeans:
    """Computes the mean activations of two classes in one pass.

    Args:
        model: A functional model, as `build_dual_classifier` makes it.
        batches: Inputs of each batch, as `compute_activations` takes them.
        members: Which pictures are of the asked class, the others are of the other;
            bool, shape (n,), with at least one of both.
        layers: Names or patterns, as in `select_stages`; None is every stage.

    Returns:
        Both means, and each picture's channels.
    """
    groups = _Groups()
    levels: dict[str, list[np.ndarray]] = {}
    seen = 0
    for inputs, activations in read_activations(model, batches, layers):
        asked = members[seen : seen + len(next(iter(activations.values())))]
        seen += len(asked)
        for name, values in activations.items():
            places = tuple(range(1, values.ndim - 1))
            levels.setdefault(name, []).append(values.mean(axis=places))
            groups.add(name, values, asked)
        if "image" in inputs:
            groups.add(IMAGE, inputs["image"], asked)
    means = groups.means()
    images = means.pop(IMAGE, None)
    order = [name for name, _ in activation_layers(model, layers)]
    return ClassMeans(
        means={name: means[name] for name in order},
        levels={name: np.concatenate(levels[name]) for name in order},
        images=None if images is None else images[..., 0],
        members=members,
        dead={name: ~groups.alive[name] for name in order},
    )


def compute_effects(levels: np.ndarray, members: np.ndarray, *, seed: int) -> Effects:
    """Computes how far apart two classes are, and how far chance would put them.

    Pictures are shuffled between the classes, so each must be of another patient.

    Args:
        levels: Each picture's mean of each channel, shape (n, channels).
        members: Which pictures are of the asked class, bool, shape (n,).
        seed: Decides the shuffles.

    Returns:
        The effects. Comparing each with the greatest of all channels corrects for
        their number.

    Reference:
        Westfall and Young, Resampling-based multiple testing, 1993, algorithm 2.5: the
        maximum over all tests. Cohen, Statistical power analysis, 1988, equation 2.2.1.
    """
    random = np.random.default_rng(seed)
    sizes = _compute_sizes(levels, members)
    greatest = [
        np.abs(_compute_sizes(levels, random.permutation(members))).max()
        for _ in range(NUM_SHUFFLES)
    ]
    return Effects(
        sizes=sizes,
        chance=float(np.percentile(greatest, CHANCE_PERCENTILE)),
        order=np.argsort(-np.abs(sizes), kind="stable"),
    )


def _compute_sizes(levels: np.ndarray, members: np.ndarray) -> np.ndarray:
    asked, other = levels[members], levels[~members]
    squares = len(asked) * asked.var(axis=0, dtype=np.float64)
    squares += len(other) * other.var(axis=0, dtype=np.float64)
    deviation = np.sqrt(squares / max(1, len(levels) - 2))
    difference = asked.mean(axis=0, dtype=np.float64) - other.mean(
        axis=0, dtype=np.float64
    )
    sizes = np.zeros(len(deviation))
    # a channel that is nearly the same for all has no spread to measure by
    return np.divide(difference, deviation, out=sizes, where=deviation > LEAST_SPREAD)


class _Groups:
    """Sums of either class, stage by stage."""

    def __init__(self) -> None:
        self.alive: dict[str, np.ndarray] = {}
        self._sums: dict[str, np.ndarray] = {}
        self._counts: dict[str, np.ndarray] = {}

    def add(self, name: str, values: np.ndarray, asked: np.ndarray) -> None:
        """Adds the values of some pictures."""
        groups = (values[asked], values[~asked])
        sums = np.stack([one.sum(axis=0, dtype=np.float64) for one in groups])
        counts = np.array([len(one) for one in groups])
        alive = np.asarray((values.reshape(-1, values.shape[-1]) > 0).any(axis=0))
        if name not in self._sums:
            self._sums[name], self._counts[name] = sums, counts
            self.alive[name] = alive
            return
        self._sums[name] += sums
        self._counts[name] += counts
        self.alive[name] |= alive

    def means(self) -> dict[str, np.ndarray]:
        """Returns the means of both classes, float32, shape (2, ...)."""
        return {
            name: (sums.T / self._counts[name]).T.astype(np.float32)
            for name, sums in self._sums.items()
        }
