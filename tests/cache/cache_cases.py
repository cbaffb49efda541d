"""What the tests of the cache share: pictures, a table, how a cache is compared."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from dualnet.data.cache import Cache, prepare_cache
from dualnet.data.images import read_image

SIDE = 16
NUM_PICTURES = 20
PER_SHARD = 8


def draw(path: Path, seed: int) -> None:
    values = np.random.default_rng(seed).integers(0, 256, (2 * SIDE, 2 * SIDE))
    Image.fromarray(values.astype(np.uint8)).save(path)


def make_table(folder: Path, num_pictures: int) -> pd.DataFrame:
    folder.mkdir(exist_ok=True)
    names = [f"{number:08d}_000.png" for number in range(num_pictures)]
    for number, name in enumerate(names):
        if not (folder / name).exists():
            draw(folder / name, number)
    paths = [str(folder / name) for name in names]
    return pd.DataFrame({"image_id": names, "path": paths})


class Calls:
    """A progress callback that remembers, and stops the work on request."""

    def __init__(self, stop_at: int | None = None) -> None:
        self.seen: list[tuple[int, int]] = []
        self.stop_at = stop_at

    def __call__(self, done: int, total: int) -> None:
        self.seen.append((done, total))
        if done == self.stop_at:
            raise KeyboardInterrupt


def prepare(
    table: pd.DataFrame,
    folder: Path,
    *,
    workers: int = 2,
    progress: Callable[[int, int], None] | None = None,
) -> Cache:
    return prepare_cache(
        table, folder, image_size=SIDE, workers=workers, progress=progress
    )


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def check_pixels(cache: Cache, table: pd.DataFrame) -> None:
    pixels = cache.read(cache.rows(table["image_id"]))
    expected = [read_image(Path(path), image_size=SIDE) for path in table["path"]]
    np.testing.assert_array_equal(pixels, np.stack(expected)[..., np.newaxis])
