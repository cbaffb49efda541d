"""The folder of a cache: who may write to it, what does not belong there, what room."""

import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dualnet.data.cache_manifest import MANIFEST, Manifest, read_manifest
from dualnet.errors import CacheError, StorageError
from dualnet.files import lock_folder

logger = logging.getLogger(__name__)

ROOM_TO_SPARE = 16 * 2**20  # for the manifest, the rejects and the file system
UNFINISHED = (".shard-*.npy", ".manifest.*.json", ".rejects.*.csv")


def check_folder(folder: Path) -> None:
    """Checks that a folder is a cache, empty or absent.

    Args:
        folder: The cache.

    Raises:
        CacheError: If it is a file, or holds something else.
    """
    if folder.exists() and not folder.is_dir():
        raise CacheError(
            f"{folder}: must be a folder. Received: a file. Name another cache folder."
        )
    used = folder.is_dir() and any(p.name[0] != "." for p in folder.iterdir())
    # Asked last: the manifest is a cache's first file, also of one just being made.
    if used and not (folder / MANIFEST).exists():
        raise CacheError(
            f"{folder}: must be a cache or empty. Received: a folder with other "
            "files in it. Name another cache folder."
        )


@contextmanager
def lock_cache(folder: Path, *, wait: bool = True) -> Iterator[None]:
    """Lets one process at a time write to a cache; the system frees a dead one's.

    Args:
        folder: The cache; made if absent.
        wait: Whether to wait for another process's end.

    Raises:
        StorageError: If the folder is not writable.
        BlockingIOError: If another process writes to it and nobody waits.
    """

    def say_or_raise() -> None:
        if not wait:
            raise BlockingIOError
        logger.info("%s: another process prepares it; waiting for its end", folder)

    with lock_folder(folder, if_taken=say_or_raise):
        yield


def remove_leftovers(folder: Path, manifest: Manifest) -> None:
    """Removes files that a stopped preparation wrote and no manifest names.

    Args:
        folder: The cache, locked.
        manifest: What it holds.
    """
    for path in _find_leftovers(folder, manifest):
        path.unlink()


def tidy(folder: Path, manifest: Manifest) -> None:
    """Removes leftovers, unless another process is at work or the folder read-only.

    Args:
        folder: The cache.
        manifest: What it holds.
    """
    if _find_leftovers(folder, manifest):
        with suppress(OSError, StorageError), lock_cache(folder, wait=False):
            remove_leftovers(folder, read_manifest(folder))  # it may have grown


def check_room(folder: Path, num_bytes: int) -> None:
    """Checks that there is room for some bytes more.

    Args:
        folder: The cache.
        num_bytes: Of the shards to be written.

    Raises:
        StorageError: If there is not.
    """
    needed = num_bytes + ROOM_TO_SPARE
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise StorageError(
            f"{folder}: must have {needed / 1e9:.2f} GB free on its disk. "
            f"Received: {free / 1e9:.2f} GB. Free some space or name another folder."
        )


def _find_leftovers(folder: Path, manifest: Manifest) -> list[Path]:
    counted = {shard.file_name for shard in manifest.shards}
    unnamed = [p for p in folder.glob("shard-*.npy") if p.name not in counted]
    return unnamed + [p for pattern in UNFINISHED for p in folder.glob(pattern)]
