"""What each place of a layer's maps, or of the picture, adds to a logit: by gradients."""

from collections.abc import Mapping

import numpy as np

from dualnet.explain.cut_model import PICTURE, CutModel

INTEGRATION_STEPS = 32


def compute_grad_cam(
    cut: CutModel, batch: Mapping[str, np.ndarray], columns: np.ndarray
) -> np.ndarray:
    """Weights each map by its mean gradient; what is below 0 is cut off.

    Args:
        cut: A model, cut at a layer.
        batch: Arrays by the names of its inputs.
        columns: The logit of each row.

    Returns:
        float32, shape (batch, height, width).

    Reference:
        Selvaraju et al., ICCV 2017, equations 1 and 2.
    """
    maps = cut.read_maps(batch)
    gradient = cut.differentiate(maps, batch, columns)
    weights = gradient.mean(axis=(1, 2))
    return np.maximum(0, np.einsum("bhwc,bc->bhw", maps, weights))


def compute_hires_cam(
    cut: CutModel, batch: Mapping[str, np.ndarray], columns: np.ndarray
) -> np.ndarray:
    """Multiplies each value by its gradient, and sums over the channels.

    Args:
        cut: A model, cut at a layer.
        batch: Arrays by the names of its inputs.
        columns: The logit of each row.

    Returns:
        float32, shape (batch, height, width).

    Reference:
        Draelos and Carin, arXiv:2011.08891; without the relu that is put on it there
        to show it.
    """
    maps = cut.read_maps(batch)
    gradient = cut.differentiate(maps, batch, columns)
    return np.einsum("bhwc,bhwc->bhw", maps, gradient)


def integrate_gradients(
    cut: CutModel, batch: Mapping[str, np.ndarray], columns: np.ndarray
) -> np.ndarray:
    """Integrates gradients on the straight way from a picture without content.

    That one is flat, at the picture's own mean gray: from a black one, what is dark
    in a radiograph (air where there should be none) could add nothing.

    Args:
        cut: A model, cut at a layer or at the picture.
        batch: Arrays by the names of its inputs.
        columns: The logit of each row.

    Returns:
        float32, shape (batch, height, width).

    Reference:
        Sundararajan et al., ICML 2017, equations 1 and 3; by midpoints.
    """
    maps = cut.read_maps(batch)
    start = cut.read_maps({**batch, PICTURE: flatten_pictures(batch[PICTURE])})
    way = maps - start
    total = np.zeros_like(maps)
    for step in range(INTEGRATION_STEPS):
        share = (step + 0.5) / INTEGRATION_STEPS
        total += cut.differentiate(start + share * way, batch, columns)
    return np.einsum("bhwc,bhwc->bhw", way, total / INTEGRATION_STEPS)


def flatten_pictures(pictures: np.ndarray) -> np.ndarray:
    """Returns pictures without content, each flat at its own mean gray.

    Args:
        pictures: Shape (batch, height, width, channels).

    Returns:
        float32, the same shape.
    """
    means = pictures.mean(axis=(1, 2, 3), keepdims=True, dtype=np.float64)
    return np.broadcast_to(means, pictures.shape).astype(np.float32)
