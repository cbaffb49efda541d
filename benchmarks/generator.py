"""A cache beside a generator that opens every picture anew, on the same model.

    DUALNET_REAL_DATA=FOLDER python benchmarks/generator.py --branch xnet

The other way is that of CheXNet-Keras (github.com/brucechou1983/CheXNet-Keras): a
`keras.utils.Sequence`, today's `PyDataset`, opens each PNG of 1024 x 1024 pixels with
Pillow, resizes it with scikit-image and normalises it, batch by batch, epoch by epoch.
`opencv` is that with faster parts: decoded and resized by OpenCV. Both use as many
threads as there are cores. The cache's arm is what dualnet trains from, with
augmentation on; what preparing took, once, is printed beside it. All arms fit the same
model on as many pictures, in turns; the cache is measured twice.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np
import pandas as pd
from PIL import Image
from rounds import describe_machine, describe_rate, describe_ratio, run_rounds

from dualnet.config import TrainingConfig
from dualnet.data.augmentation import Augmentation
from dualnet.data.batches import Batches
from dualnet.data.cache import prepare_cache
from dualnet.findings import NIH
from dualnet.models.dual import build_dual_classifier
from dualnet.training.backend import find_device
from dualnet.training.precision import (
    dtype_policy,
    resolve_compilation,
    resolve_precision,
)
from dualnet.training.recipe import build_loss, build_optimizer

MEAN, DEVIATION = 0.485, 0.229  # of ImageNet's red channel, as CheXNet-Keras uses

AUGMENTATION = Augmentation(
    shift=13, rotation=10, zoom=0.1, contrast=0.2, brightness=0.1, horizontal_flip=True
)


def open_with_pillow(path: Path, size: int) -> np.ndarray:
    """Opens, resizes and normalises one picture as CheXNet-Keras does."""
    from skimage.transform import resize  # here: it takes a second

    image = np.asarray(Image.open(path).convert("L")) / 255.0
    return (resize(image, (size, size)) - MEAN) / DEVIATION


def open_with_opencv(path: Path, size: int) -> np.ndarray:
    """Opens, resizes and normalises one picture by faster parts."""
    image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    image = cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA)
    return (image / 255.0 - MEAN) / DEVIATION


class Generator(keras.utils.PyDataset):
    """Batches of pictures that are opened when they are asked for.

    Args:
        paths: The pictures' files.
        targets: One-hot, shape (n, num_classes).
        batch_size: Pictures a batch.
        size: Side of a picture, in pixels.
        read: Opens one.
    """

    def __init__(
        self,
        paths: list[Path],
        targets: np.ndarray,
        *,
        batch_size: int,
        size: int,
        read: Callable[[Path, int], np.ndarray],
    ) -> None:
        super().__init__(workers=os.cpu_count() or 1)
        self._paths = paths
        self._targets = targets
        self._batch_size = batch_size
        self._size = size
        self._read = read

    def __len__(self) -> int:
        return len(self._paths) // self._batch_size

    def __getitem__(self, index: int) -> Any:
        rows = slice(index * self._batch_size, (index + 1) * self._batch_size)
        images = [self._read(path, self._size) for path in self._paths[rows]]
        # the model rescales gray values of 0 to 255, so that both arms fit the same one
        pixels = np.stack(images)[..., None] * DEVIATION + MEAN
        return {"image": (255 * pixels).astype("float32")}, self._targets[rows]


def make_sources(
    folder: Path, cache_folder: Path, options: argparse.Namespace
) -> dict[str, Any]:
    """Prepares the cache, says what that took, and returns what is compared."""
    files = sorted(folder.rglob("*.png"))
    table = pd.DataFrame(
        {"image_id": [one.name for one in files], "path": list(map(str, files))}
    )
    began = time.perf_counter()
    cache = prepare_cache(
        table, cache_folder, image_size=options.size, workers=os.cpu_count() or 1
    )
    print(f"{len(files)} pictures prepared in {time.perf_counter() - began:.1f} s")
    count = options.batches * options.batch_size
    rows = np.arange(count) % len(files)
    paths = [files[row] for row in rows]
    targets = np.eye(len(NIH.class_names), dtype="float32")[np.arange(count) % 15]
    cached = partial(
        Batches,
        cache,
        cache.rows(table["image_id"].iloc[rows]),
        np.zeros((count, 1)),
        targets,
        batch_size=options.batch_size,
        seed=0,
        augmentation=AUGMENTATION,
        modality="image",
    )
    opened = partial(
        Generator, paths, targets, batch_size=options.batch_size, size=options.size
    )
    return {
        "cache": cached(),
        "cache again": cached(),
        "generator": opened(read=open_with_pillow),
        "opencv": opened(read=open_with_opencv),
    }


def build(options: argparse.Namespace) -> Any:
    """Builds and compiles the model that all arms fit."""
    device = find_device()
    with dtype_policy(resolve_precision("auto", device).value):
        model: Any = build_dual_classifier(
            image_size=options.size,
            num_features=0,
            class_names=NIH.class_names,
            modality="image",
            image_branch=options.branch,
            seed=0,
        )
    model.compile(
        build_optimizer(TrainingConfig(), num_batches=1000),
        build_loss(),
        jit_compile=resolve_compilation("auto", device).value,
    )
    return model


def main() -> None:
    """Runs the comparison."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="folder of PNGs")
    parser.add_argument("--branch", default="xnet")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--batches", type=int, default=8, help="in each round")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    folder = options.data or Path(os.environ["DUALNET_REAL_DATA"]) / "nih-1024"
    print(describe_machine())
    with tempfile.TemporaryDirectory() as cache_folder:
        sources = make_sources(folder, Path(cache_folder) / "cache", options)
        model = build(options)

        def fit(source: keras.utils.PyDataset) -> int:
            model.fit(source, shuffle=False, verbose=0)
            return options.batches * options.batch_size

        arms = {name: partial(fit, source) for name, source in sources.items()}
        run_rounds(arms, 1)  # compiles, and brings every file into memory
        rates, processor = run_rounds(arms, options.rounds)
    print(f"{options.branch}, {options.size} pixels, batches of {options.batch_size}")
    for name in arms:
        print(f"  {name:12} {describe_rate(rates[name])} pictures/s")
    for name, base, text in (
        ("cache", "generator", "cache to generator"),
        ("cache", "opencv", "cache to opencv"),
        ("cache again", "cache", "null pair"),
    ):
        wall = describe_ratio(rates, name, base)
        used = describe_ratio(processor, name, base)
        print(f"  {text}: {wall}, by processor time {used}")


if __name__ == "__main__":
    main()
