"""Whether a cache is as it was written: sizes at every opening, checksums on request."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from dualnet.data.cache_manifest import REJECTS, Manifest, Shard, format_rejects
from dualnet.errors import CacheError
from dualnet.files import sha256
from dualnet.progress import Progress
from dualnet.wording import number_of


def find_unwhole(folder: Path, manifest: Manifest) -> list[Shard]:
    """Finds the shards whose file is absent or of another size; reads none.

    Args:
        folder: The cache.
        manifest: What it is to hold.

    Returns:
        These shards.
    """
    return [
        shard
        for shard in manifest.shards
        if _file_size(folder / shard.file_name) != shard.num_bytes
    ]


def find_damaged(
    folder: Path, manifest: Manifest, *, workers: int, progress: Progress | None
) -> list[Shard]:
    """Finds the shards that are absent or not as they were written; reads all.

    Args:
        folder: The cache.
        manifest: What it is to hold.
        workers: How many are read at once; each takes 256 KiB of memory.
        progress: Called after each shard with how many are done, and how many
            there are.

    Returns:
        These shards, in the manifest's order.
    """
    shards = manifest.shards
    damaged = []
    # Threads, as SHA-256 runs outside the interpreter's lock.
    with ThreadPoolExecutor(workers, thread_name_prefix="verify") as pool:
        wholes = pool.map(lambda shard: is_undamaged(folder, shard), shards)
        try:
            for done, (shard, whole) in enumerate(
                zip(shards, wholes, strict=True), start=1
            ):
                damaged += [] if whole else [shard]
                if progress is not None:
                    progress(done, len(shards))
        finally:
            pool.shutdown(cancel_futures=True)
    return damaged


def is_undamaged(folder: Path, shard: Shard) -> bool:
    """Recomputes a shard's checksum.

    Args:
        folder: The cache.
        shard: Which.

    Returns:
        Whether the file is as it was written.
    """
    try:
        return sha256(folder / shard.file_name) == shard.sha256
    except OSError:
        return False


def are_rejects_whole(folder: Path, manifest: Manifest) -> bool:
    """Compares `rejects.csv` with the manifest, byte by byte.

    Args:
        folder: The cache.
        manifest: What it holds.

    Returns:
        Whether the file is as it was written.
    """
    try:
        return (folder / REJECTS).read_bytes() == format_rejects(manifest)
    except OSError:
        return False


def open_shard(folder: Path, shard: Shard, image_size: int) -> np.ndarray:
    """Maps a shard into memory.

    Args:
        folder: The cache.
        shard: Which.
        image_size: Side of its pictures, in pixels.

    Returns:
        Its pictures, uint8, shape (pictures, image_size, image_size), read-only.

    Raises:
        CacheError: If the file is not the shard that the manifest describes.
    """
    shape = (len(shard.image_ids), image_size, image_size)
    path = folder / shard.file_name
    try:
        pixels = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        raise CacheError(explain_damage(folder, [shard])) from None
    if pixels.shape != shape or pixels.dtype != np.uint8:
        raise CacheError(explain_damage(folder, [shard]))
    return np.asarray(pixels)  # rows of np.memmap take half as long again


def explain_damage(
    folder: Path, shards: Sequence[Shard], *, rejects: bool = False
) -> str:
    """Says which files are not as they were written, and what to do.

    Args:
        folder: The cache.
        shards: The damaged or absent shards.
        rejects: Whether `rejects.csv` is damaged or absent too.

    Returns:
        The message of an error: the first file, what it holds, how many more.
    """
    files = describe_damage(shards, rejects=rejects)
    (name, what), others = next(iter(files.items())), len(files) - 1
    more = f", and {number_of(others, 'damaged file')} more" if others else ""
    return (
        f"{folder / name}: must be as it was written. Received: a damaged or absent "
        f"{what}{more}. Run `dualnet prepare --repair` on this dataset; only what is "
        "damaged is made again."
    )


def describe_damage(shards: Sequence[Shard], *, rejects: bool) -> dict[str, str]:
    """Returns what each damaged file holds, by the file's name."""
    files = {
        shard.file_name: f"shard of {number_of(len(shard.image_ids), 'picture')}, "
        f"{shard.image_ids[0]} to {shard.image_ids[-1]}"
        for shard in shards
    }
    return files | ({REJECTS: "table of refused pictures"} if rejects else {})


def _file_size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1
