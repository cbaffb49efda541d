"""What the channels of a stage do: how active they are, and which are dead."""

from dataclasses import dataclass

import numpy as np

LOW_PERCENTILE, HIGH_PERCENTILE = 1, 99


@dataclass(frozen=True, kw_only=True)
class ChannelStatistics:
    """What the channels of one stage do for one input.

    Args:
        dead: Whether each channel has no value above 0, or the same value
            everywhere; bool, shape (channels,).
        activity: Mean absolute value of each channel, shape (channels,).
        mean: Mean of each channel, shape (channels,).
        deviation: Standard deviation of each channel over its places, shape
            (channels,).
        maximum: Greatest value of each channel, shape (channels,).
        positive: Share of each channel's values that are above 0, in [0, 1], shape
            (channels,).
        order: The channels, most active first, the dead ones last.
        low: 1st percentile of the whole stage: the low end of the colour scale.
        high: 99th percentile, above `low` wherever the stage is not constant.
    """

    dead: np.ndarray
    activity: np.ndarray
    mean: np.ndarray
    deviation: np.ndarray
    maximum: np.ndarray
    positive: np.ndarray
    order: np.ndarray
    low: float
    high: float

    @property
    def num_channels(self) -> int:
        """How many channels there are."""
        return len(self.dead)

    @property
    def num_dead(self) -> int:
        """How many channels are dead for this input."""
        return int(self.dead.sum())


def compute_statistics(values: np.ndarray) -> ChannelStatistics:
    """Computes what the channels of one stage do for one input.

    Args:
        values: Activations without batch axis, shape (height, width, channels) or
            (channels,); or of several inputs together, batch axis first.

    Returns:
        The statistics; of a vector, a unit is dead if it is not above 0.

    Example:
        >>> maps = np.array([[[0.0, 1.0, -2.0]], [[0.0, 5.0, -4.0]]])  # (2, 1, 3)
        >>> statistics = compute_statistics(maps)
        >>> statistics.dead.tolist(), statistics.order.tolist()
        ([True, False, True], [1, 2, 0])
    """
    flat = np.asarray(values, np.float32).reshape(-1, values.shape[-1])
    maximum = flat.max(axis=0)
    dead = maximum <= 0
    if len(flat) > 1:
        dead |= maximum == flat.min(axis=0)
    activity = np.abs(flat).mean(axis=0)
    low, high = color_ends(flat)
    return ChannelStatistics(
        dead=dead,
        activity=activity,
        mean=flat.mean(axis=0),
        deviation=flat.std(axis=0),
        maximum=maximum,
        positive=(flat > 0).mean(axis=0),
        order=np.lexsort((np.arange(len(dead)), -activity, dead)),
        low=low,
        high=high,
    )


def color_ends(values: np.ndarray) -> tuple[float, float]:
    """Returns the ends of a colour scale: the 1st and the 99th percentile.

    Args:
        values: All that is drawn on the scale, in any shape.

    Returns:
        Low and high; where nearly all values are alike, the whole range says more.
    """
    low, high = np.percentile(values, (LOW_PERCENTILE, HIGH_PERCENTILE))
    if low == high:
        low, high = values.min(), values.max()
    return float(low), float(high)
