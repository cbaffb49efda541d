"""The packed uint8 cache: decoded once, mapped into memory, read at random.

The files are described in `cache_manifest`, how they are filled in `cache_writer`, how
damage is found in `cache_check`.
"""

import hashlib
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from dualnet.data.cache_check import (
    are_rejects_whole,
    describe_damage,
    explain_damage,
    find_damaged,
    find_unwhole,
    open_shard,
)
from dualnet.data.cache_folder import lock_cache
from dualnet.data.cache_manifest import (
    MANIFEST,
    REJECTS,
    Manifest,
    list_rejects,
    read_manifest,
    salvage_manifest,
    write_manifest,
    write_rejects,
)
from dualnet.data.cache_writer import fill_cache, find_sources
from dualnet.errors import CacheError
from dualnet.progress import Progress
from dualnet.wording import number_of

logger = logging.getLogger(__name__)


class Cache:
    """Pictures of one size, ready to read. Opened by `open_cache`.

    Args:
        folder: Where it lies.
        manifest: What it holds.

    Attributes:
        folder: Where it lies.
        image_size: Side of each picture, in pixels.
        image_ids: The pictures it holds, in the order of their positions, shape (n,).
        rejects: The pictures that were refused: `image_id`, `path`, `reason`.
    """

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self.folder = folder
        self.image_size = manifest.image_size
        names = [name for shard in manifest.shards for name in shard.image_ids]
        self.image_ids = np.array(names, dtype=np.str_)
        self.rejects = list_rejects(manifest)
        self._index = pd.Index(names)
        sizes = [len(shard.image_ids) for shard in manifest.shards]
        self._ends = np.cumsum(sizes, dtype=np.int64)
        self._starts = self._ends - sizes
        self._checksums = np.array([shard.sha256 for shard in manifest.shards])
        self._shards = [
            open_shard(folder, shard, manifest.image_size) for shard in manifest.shards
        ]

    def __len__(self) -> int:
        return len(self.image_ids)

    def rows(self, image_ids: Sequence[str] | np.ndarray | pd.Series) -> np.ndarray:
        """Finds pictures.

        Args:
            image_ids: Which; shape (n,).

        Returns:
            The position of each, int64, shape (n,), to be given to `read`.

        Raises:
            CacheError: If the cache does not hold one of them.
        """
        wanted = pd.Index(image_ids)
        positions = self._index.get_indexer(wanted).astype(np.int64)
        absent = np.flatnonzero(positions < 0)
        if len(absent):
            raise CacheError(
                f"{self.folder}: must hold every picture that is asked for. Received: "
                f"{len(absent):,} of {len(wanted):,} that it does not hold, the first "
                f"is {wanted[absent[0]]!r}. Run `dualnet prepare` on this dataset."
            )
        return positions

    def digest(self, positions: np.ndarray) -> str:
        """Computes the digest of pictures, from the checksums in the manifest.

        Args:
            positions: Where they are, integers, shape (n,).

        Returns:
            SHA-256 in hexadecimal; the same whatever else the cache holds.
        """
        shards = np.searchsorted(self._ends, positions, side="right")
        digest = hashlib.sha256(np.asarray(positions - self._starts[shards]).tobytes())
        digest.update(self._checksums[shards].tobytes())
        return digest.hexdigest()

    def read(self, positions: np.ndarray) -> np.ndarray:
        """Reads pictures.

        Args:
            positions: Where they are, integers, shape (n,), in any order.

        Returns:
            Gray values 0 to 255, uint8, shape (n, image_size, image_size, 1).
        """
        positions = np.asarray(positions, dtype=np.int64)
        shards = np.searchsorted(self._ends, positions, side="right")
        rows = positions - self._starts[shards]
        side = self.image_size
        pixels = np.empty((len(positions), side, side), dtype=np.uint8)
        # Picture by picture: half again as fast as fancy indexing by shard.
        places = zip(shards.tolist(), rows.tolist(), strict=True)
        for index, (shard, row) in enumerate(places):
            pixels[index] = self._shards[shard][row]
        return pixels[..., np.newaxis]


def prepare_cache(
    table: pd.DataFrame,
    folder: Path,
    *,
    image_size: int,
    workers: int,
    progress: Progress | None = None,
) -> Cache:
    """Makes, continues or reuses the cache of a table's pictures.

    What the cache already holds is not decoded again, unless the picture's file has
    changed. A stop at any moment keeps every shard that was finished, and whatever
    the stops and the number of workers, the files come out byte for byte the same.
    Pictures that cannot be read are listed in `rejects.csv`, and tried again when
    their file has changed.

    Args:
        table: Records with `image_id` and `path`; the pictures must be on disk.
        folder: The cache; made if absent. One that holds more is used as it is.
        image_size: Side of the cached pictures, in pixels.
        workers: How many pictures are decoded at once.
        progress: Called after each picture with how many of the pictures to decode
            are done, and how many there are.

    Returns:
        The cache.

    Raises:
        CacheError: If the folder is something else, or no picture can be read.
    """
    sources = find_sources(table)
    fill_cache(
        sources, folder, image_size=image_size, workers=workers, progress=progress
    )
    cache = open_cache(folder)
    names = table["image_id"]
    refused = int(names.isin(cache.rejects["image_id"]).sum())
    if refused == len(table):
        raise CacheError(
            f"{folder}: at least one picture must be readable. Received: "
            f"{number_of(refused, 'picture')}, all refused. See {folder / 'rejects.csv'} for the reasons."
        )
    logger.info(
        "%s: %s ready, %s refused (rejects.csv)",
        folder,
        number_of(len(table) - refused, "picture"),
        f"{refused:,}",
    )
    return cache


def open_cache(folder: Path) -> Cache:
    """Opens a cache; the size of each shard is checked, its content is not.

    Args:
        folder: Where it lies.

    Returns:
        The cache.

    Raises:
        CacheError: If it is no cache, or a shard is absent or of another size.
    """
    manifest = read_manifest(folder)
    if unwhole := find_unwhole(folder, manifest):
        raise CacheError(explain_damage(folder, unwhole))
    return Cache(folder, manifest)


def verify_cache(
    folder: Path, *, workers: int = 1, progress: Progress | None = None
) -> None:
    """Reads every file of a cache and compares it with what was written.

    Args:
        folder: The cache.
        workers: How many shards are read at once.
        progress: Called after each shard with how many are done, and how many
            there are.

    Raises:
        CacheError: If a file is not as it was written. Each such file, and the
            pictures it holds, is a log line; the error names the first.
    """
    manifest = read_manifest(folder)
    damaged = find_damaged(folder, manifest, workers=workers, progress=progress)
    rejects = not are_rejects_whole(folder, manifest)
    for name, what in describe_damage(damaged, rejects=rejects).items():
        logger.info("%s: damaged or absent %s", folder / name, what)
    if damaged or rejects:
        raise CacheError(explain_damage(folder, damaged, rejects=rejects))
    logger.info(
        "%s: the manifest, %s and %s verified",
        folder,
        REJECTS,
        number_of(len(manifest.shards), "shard"),
    )


def repair_cache(
    folder: Path,
    *,
    image_size: int,
    workers: int = 1,
    progress: Progress | None = None,
) -> None:
    """Throws away what is damaged, so that `prepare_cache` makes just that again.

    Args:
        folder: The cache; nothing is done where there is none yet.
        image_size: Side of its pictures, in pixels.
        workers: How many shards are read at once.
        progress: Called after each shard with how many are done, and how many
            there are.
    """
    if not (folder / MANIFEST).is_file():
        return
    with lock_cache(folder):
        try:
            manifest = read_manifest(folder)
        except CacheError:
            manifest = salvage_manifest(folder, image_size=image_size)
            logger.info(
                "%s: damaged; it still describes %s",
                folder / MANIFEST,
                number_of(len(manifest.shards), "shard"),
            )
        damaged = find_damaged(folder, manifest, workers=workers, progress=progress)
        for shard in damaged:
            (folder / shard.file_name).unlink(missing_ok=True)
        write_rejects(folder, manifest)
        write_manifest(folder, manifest)
    logger.info(
        "%s: %s of %s damaged or absent",
        folder,
        f"{len(damaged):,}",
        number_of(len(manifest.shards), "shard"),
    )
