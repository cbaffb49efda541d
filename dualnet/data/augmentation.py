"""Augmentation fit for radiographs, before the model: one resampling a picture.

In the batches and not in the model: a batch is changed on a processor while the step
before it computes. Keras' geometric layers in the model take a quarter of a step on a
processor, and its contrast and brightness clip to a range that must be told them.

What is drawn comes from the seed, the epoch and a row's place in the order, and from
nothing else: a run that goes on within an epoch sees what an unbroken one sees.
"""

import math
from dataclasses import dataclass, replace
from typing import Self

import cv2
import numpy as np

STREAM = 1  # keeps these draws apart from those of the order
MAX_GRAY = 255

# One picture at a time is a tenth of a millisecond: threads would only take the cores
# from the step that is computing.
cv2.setNumThreads(0)


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """How far pictures are changed; each is drawn evenly between the two ends.

    None of it moves gray values beyond 0-255: they are clipped before the model
    rescales them. There is no vertical flip: nobody's radiograph hangs upside down.

    Args:
        shift: Pixels along each axis, at most.
        rotation: Degrees about the centre, at most, to either side.
        zoom: Share by which a picture is made larger, or as much smaller, at most: .1
            is from 1/1.1 to 1.1 times, even in the logarithm.
        contrast: Gray values' distance from the picture's mean is multiplied by 1 less
            or plus this, at most.
        brightness: Added to every gray value, at most, as a share of 255; or taken.
        horizontal_flip: Whether half of the pictures are mirrored. A mirrored
            radiograph shows a heart on the right, which is a finding (dextrocardia), and
            its side marker tells a lie: off unless a task has no side.
    """

    shift: int = 0
    rotation: float = 0.0
    zoom: float = 0.0
    contrast: float = 0.0
    brightness: float = 0.0
    horizontal_flip: bool = False

    @property
    def resamples(self) -> bool:
        """Whether pixels come to lie between those of the picture."""
        return self.rotation > 0 or self.zoom > 0

    @property
    def changes_gray(self) -> bool:
        """Whether gray values change."""
        return self.contrast > 0 or self.brightness > 0


@dataclass(frozen=True, kw_only=True)
class Draws:
    """What was drawn for each place in an epoch's order, each of shape (n, ...).

    Args:
        shift: Pixels down and to the right, int64, shape (n, 2).
        rotation: Degrees, clockwise, shape (n,).
        zoom: Above 1 is larger, shape (n,).
        contrast: About 1, shape (n,).
        brightness: Gray levels, shape (n,).
        flip: Bool, shape (n,).
    """

    shift: np.ndarray
    rotation: np.ndarray
    zoom: np.ndarray
    contrast: np.ndarray
    brightness: np.ndarray
    flip: np.ndarray

    def take(self, places: slice) -> Self:
        """Returns the draws of some places in the order."""
        return replace(self, **{key: all_[places] for key, all_ in vars(self).items()})


def draw(
    augmentation: Augmentation, shift: np.ndarray, *, seed: int, epoch: int
) -> Draws:
    """Draws an epoch's changes.

    Args:
        augmentation: How far they go.
        shift: Pixels down and to the right, drawn with the order, int, shape (n, 2).
        seed: The run's.
        epoch: From 0.

    Returns:
        One draw for each place in the order, whatever is switched on: to switch on one
        change leaves the draws of the others.
    """
    random = np.random.default_rng((seed, epoch, STREAM))
    even = random.uniform(-1, 1, (4, len(shift)))
    return Draws(
        shift=shift,
        rotation=augmentation.rotation * even[0],
        zoom=np.exp(math.log1p(augmentation.zoom) * even[1]),
        contrast=1 + augmentation.contrast * even[2],
        brightness=MAX_GRAY * augmentation.brightness * even[3],
        flip=augmentation.horizontal_flip & (random.random(len(shift)) < 0.5),
    )


def augment_images(
    images: np.ndarray, augmentation: Augmentation, draws: Draws
) -> np.ndarray:
    """Changes pictures: mirrored, then rotated, zoomed and moved at once, then gray.

    Args:
        images: Gray values, uint8, shape (n, height, width, 1); may be written to.
        augmentation: What is switched on.
        draws: What was drawn for these pictures.

    Returns:
        The changed pictures, of the same shape and type.
    """
    if draws.flip.any():
        images[draws.flip] = images[draws.flip, :, ::-1]
    if augmentation.resamples:
        images = _resample(images, draws)
    elif augmentation.shift:
        images = shift_images(images, draws.shift)
    if augmentation.changes_gray:
        images = _change_gray(images, draws)
    return images


def shift_images(images: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    """Moves each picture down and to the right, repeating its border.

    By whole pixels, so that no gray value changes.

    Args:
        images: Uint8, shape (n, height, width, 1).
        shifts: Pixels down and right, negative for up and left, int, shape (n, 2).

    Returns:
        The moved pictures, of the same shape and type.
    """
    height, width = images.shape[1:3]
    moved = np.empty_like(images)
    for row, (down, along) in enumerate(shifts.tolist()):
        top, bottom = max(down, 0), max(-down, 0)
        left, right = max(along, 0), max(-along, 0)
        kept = images[row, bottom : height - top, right : width - left, 0]
        cv2.copyMakeBorder(
            kept,
            top,
            bottom,
            left,
            right,
            cv2.BORDER_REPLICATE,
            dst=moved[row, ..., 0],
        )
    return moved


def _resample(images: np.ndarray, draws: Draws) -> np.ndarray:
    """Rotates, zooms and moves pictures by one bilinear resampling."""
    # Once, as each resampling blurs. The border is repeated, as `shift_images` repeats
    # it: black would end a bright shoulder in an edge that no radiograph has.
    height, width = images.shape[1:3]
    changed = np.empty_like(images)
    places = zip(draws.shift, draws.rotation, draws.zoom, strict=True)
    for row, ((down, right), rotation, zoom) in enumerate(places):
        centre = ((width - 1) / 2, (height - 1) / 2)
        # OpenCV turns counterclockwise by positive angles
        matrix = cv2.getRotationMatrix2D(centre, -rotation, zoom)
        matrix[:, 2] += (right, down)
        cv2.warpAffine(
            images[row, ..., 0],
            matrix,
            (width, height),
            dst=changed[row, ..., 0],  # a picture of its own costs a fifth more
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
    return changed


def _change_gray(images: np.ndarray, draws: Draws) -> np.ndarray:
    """Changes contrast about each picture's mean and brightness, clipped to 0-255."""
    grays = images[..., 0]
    # the exact sum, in a twentieth of the time of `mean`
    totals = np.array([cv2.sumElems(gray)[0] for gray in grays])
    mean = (totals / grays[0].size)[:, np.newaxis]
    levels = mean + draws.contrast[:, np.newaxis] * (np.arange(MAX_GRAY + 1) - mean)
    tables = levels + draws.brightness[:, np.newaxis]
    tables = np.rint(np.clip(tables, 0, MAX_GRAY)).astype(np.uint8)
    for gray, table in zip(grays, tables, strict=True):
        # a table of 256 levels: a third of the time of computing every pixel
        cv2.LUT(gray, table, dst=gray)
    return images
