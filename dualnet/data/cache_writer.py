"""Fills a cache: what is missing or has changed is decoded, the rest is left alone.

Pictures are taken in the table's order, `SHARD_PICTURES` at a time; which pictures
belong together does not depend on the number of workers, nor on where an earlier
preparation was stopped, and so the files do not either.
"""

import fcntl
import logging
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from dualnet.data.cache_manifest import (
    MANIFEST,
    REJECTS,
    Manifest,
    Reject,
    Shard,
    explain_damage,
    find_unwhole,
    is_undamaged,
    name_shard,
    open_shard,
    read_manifest,
    write_manifest,
)
from dualnet.data.images import read_image
from dualnet.errors import CacheError, ImageError, StorageError
from dualnet.files import atomic_path, sha256

logger = logging.getLogger(__name__)

SHARD_PICTURES = 1024  # 64 MiB at 256 pixels; two shards are in memory at once
ROOM_TO_SPARE = 16 * 2**20  # for the manifest, the rejects and the file system
LOCK = ".lock"


@dataclass(frozen=True)
class Source:
    """A picture that is to be in the cache.

    Args:
        image_id: Its name in the table.
        path: Its file.
        signature: The file's size and time of change; `absent` where there is none.
    """

    image_id: str
    path: str
    signature: str


@dataclass(frozen=True)
class Block:
    """The pictures that one shard waits for.

    Args:
        sources: What is to be decoded.
        old: The shard in which these pictures have changed; none: a new shard.
    """

    sources: Sequence[Source]
    old: Shard | None = None


Progress = Callable[[int, int], None]
Decoded = dict[str, np.ndarray | str]  # pixels, or why there are none


def fill_cache(
    sources: Sequence[Source],
    folder: Path,
    *,
    image_size: int,
    workers: int,
    progress: Progress | None,
) -> None:
    """Brings a cache up to date; does nothing where nothing has changed.

    Args:
        sources: The pictures it is to hold.
        folder: The cache; made if absent.
        image_size: Side of the pictures, in pixels.
        workers: How many pictures are decoded at once.
        progress: Called with how many of the pictures to decode are done, and how
            many there are.
    """
    manifest = _read_or_start(folder, image_size)
    if not find_unwhole(folder, manifest) and not _plan(sources, manifest):
        return
    with _lock(folder):
        manifest = _drop_unwhole(folder, _read_or_start(folder, image_size))
        write_manifest(folder, manifest)
        _write_rejects(folder, manifest)
        _remove_leftovers(folder, manifest)
        blocks = _plan(sources, manifest)
        _check_room(folder, blocks, image_size)
        report = _count(sum(len(block.sources) for block in blocks), progress)
        with _pool(workers) as pool:
            for block, decoded in _decode(pool, blocks, image_size, report):
                manifest = _add(folder, manifest, block, decoded)
                decoded.clear()  # the next block is in memory by now


def find_sources(table: pd.DataFrame) -> list[Source]:
    """Looks at the file of each picture.

    Args:
        table: Rows with `image_id` and `path`.

    Returns:
        The pictures with their state, in the table's order.
    """
    pairs = zip(table["image_id"], table["path"], strict=True)
    return [Source(name, path, _sign(path)) for name, path in pairs]


def _sign(path: str) -> str:
    try:
        state = os.stat(path)  # noqa: PTH116  # a Path takes four times as long
    except OSError:
        return "absent"
    return f"{state.st_size}-{state.st_mtime_ns}"


def _read_or_start(folder: Path, image_size: int) -> Manifest:
    """Reads the manifest; where there is no cache yet, returns an empty one."""
    _check_folder(folder)
    if not (folder / MANIFEST).exists():
        return Manifest(image_size)
    manifest = read_manifest(folder)
    if manifest.image_size != image_size:
        raise CacheError(
            f"{folder}: must hold pictures of {image_size} pixels. Received: a cache "
            f"of {manifest.image_size} pixels. Name another cache folder."
        )
    return manifest


def _check_folder(folder: Path) -> None:
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


def _plan(sources: Sequence[Source], manifest: Manifest) -> list[Block]:
    """Divides what is to be decoded into blocks: changed shards, then new ones."""
    cached, rejected = manifest.cached, manifest.rejected
    changed, new = {}, []
    for source in sources:
        known = cached.get(source.image_id) or rejected.get(source.image_id)
        if known == source.signature:
            continue
        if source.image_id in cached:
            changed[source.image_id] = source
        else:
            new.append(source)
    blocks = [
        Block([changed[name] for name in shard.image_ids if name in changed], shard)
        for shard in (manifest.shards if changed else ())
    ]
    starts = range(0, len(new), SHARD_PICTURES)
    blocks += [Block(new[start : start + SHARD_PICTURES]) for start in starts]
    return [block for block in blocks if block.sources]


@contextmanager
def _lock(folder: Path) -> Iterator[None]:
    """Lets one process at a time write to a cache; the system frees a dead one's."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        stream = (folder / LOCK).open("wb")
    except OSError as error:
        raise StorageError(
            f"{folder}: must be writable. Received: {error.strerror}. "
            "Name another cache folder."
        ) from error
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            logger.info("%s: another process prepares it; waiting for its end", folder)
            fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def _drop_unwhole(folder: Path, manifest: Manifest) -> Manifest:
    for shard in find_unwhole(folder, manifest):
        logger.info("%s: absent or cut short; made again", folder / shard.file_name)
        manifest = manifest.with_shard(shard, None, ())
    return manifest


def _remove_leftovers(folder: Path, manifest: Manifest) -> None:
    """Removes files that a stopped preparation wrote and no manifest names."""
    counted = {shard.file_name for shard in manifest.shards}
    for path in folder.glob("shard-*.npy"):
        if path.name not in counted:
            path.unlink()
    for pattern in (".shard-*.npy", ".manifest.*.json", ".rejects.*.csv"):
        for path in folder.glob(pattern):
            path.unlink()


def _check_room(folder: Path, blocks: Sequence[Block], image_size: int) -> None:
    num_pictures = sum(
        len(block.old.image_ids if block.old else block.sources) for block in blocks
    )
    needed = num_pictures * image_size**2 + ROOM_TO_SPARE
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise StorageError(
            f"{folder}: must have {needed / 1e9:.2f} GB free on its disk. "
            f"Received: {free / 1e9:.2f} GB. Free some space or name another folder."
        )


def _count(total: int, progress: Progress | None) -> Callable[[], None]:
    done = 0

    def report() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, total)

    return report


@contextmanager
def _pool(workers: int) -> Iterator[ThreadPoolExecutor]:
    """Threads, as Pillow decodes outside the interpreter's lock; none outlive it."""
    pool = ThreadPoolExecutor(workers, thread_name_prefix="decode")
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _decode(
    pool: ThreadPoolExecutor,
    blocks: Sequence[Block],
    image_size: int,
    report: Callable[[], None],
) -> Iterator[tuple[Block, Decoded]]:
    """Decodes block after block; the next one is begun before the last is written."""

    def submit(block: Block) -> list[Future[np.ndarray | str]]:
        return [pool.submit(_try_read, s.path, image_size) for s in block.sources]

    waiting = submit(blocks[0]) if blocks else []
    for number, block in enumerate(blocks):
        decoded: Decoded = {}
        for source, future in zip(block.sources, waiting, strict=True):
            decoded[source.image_id] = future.result()
            report()
        waiting = submit(blocks[number + 1]) if number + 1 < len(blocks) else []
        yield block, decoded


def _try_read(path: str, image_size: int) -> np.ndarray | str:
    try:
        return read_image(Path(path), image_size=image_size)
    except ImageError as error:
        return str(error)


def _add(folder: Path, manifest: Manifest, block: Block, decoded: Decoded) -> Manifest:
    """Writes a block's shard, then the manifest that names it."""
    rejects = [
        Reject(source.image_id, source.path, reason, source.signature)
        for source in block.sources
        if isinstance(reason := decoded[source.image_id], str)
    ]
    new = _write_shard(folder, _collect(folder, manifest, block, decoded), manifest)
    manifest = manifest.with_shard(block.old, new, rejects)
    _write_rejects(folder, manifest)
    write_manifest(folder, manifest)
    if block.old is not None:
        (folder / block.old.file_name).unlink(missing_ok=True)
    return manifest


def _collect(
    folder: Path, manifest: Manifest, block: Block, decoded: Decoded
) -> list[tuple[str, str, np.ndarray]]:
    """Returns image id, signature and pixels of each picture of the new shard.

    Raises:
        CacheError: If the shard to be replaced is damaged.
    """
    pixels: Decoded = {}
    signatures: dict[str, str] = {}
    if block.old is not None:
        if not is_undamaged(folder, block.old):  # else its damage would be copied
            raise CacheError(explain_damage(folder / block.old.file_name))
        kept = open_shard(folder, block.old, manifest.image_size)
        pixels = dict(zip(block.old.image_ids, kept, strict=True))
        signatures = dict(zip(block.old.image_ids, block.old.signatures, strict=True))
    pixels |= decoded  # in the old shard's order, or in the table's
    signatures |= {source.image_id: source.signature for source in block.sources}
    return [
        (name, signatures[name], picture)
        for name, picture in pixels.items()
        if not isinstance(picture, str)
    ]


def _write_shard(
    folder: Path, rows: Sequence[tuple[str, str, np.ndarray]], manifest: Manifest
) -> Shard | None:
    if not rows:
        return None
    image_ids, signatures, pictures = zip(*rows, strict=True)
    path = folder / name_shard(image_ids, signatures)
    side = manifest.image_size
    header = {"descr": "|u1", "fortran_order": False, "shape": (len(rows), side, side)}
    with atomic_path(path) as unfinished, unfinished.open("wb") as stream:
        np.lib.format.write_array_header_1_0(stream, header)
        stream.writelines(pixels.data for pixels in pictures)
    return Shard(image_ids, signatures, path.stat().st_size, sha256(path))


def _write_rejects(folder: Path, manifest: Manifest) -> None:
    with atomic_path(folder / REJECTS) as unfinished:
        list_rejects(manifest).to_csv(unfinished, index=False)


def list_rejects(manifest: Manifest) -> pd.DataFrame:
    """Lists the pictures that were refused.

    Args:
        manifest: What the cache holds.

    Returns:
        A table of `image_id`, `path` and `reason`.
    """
    columns = ("image_id", "path", "reason")
    rows = [[getattr(reject, name) for name in columns] for reject in manifest.rejects]
    return pd.DataFrame(rows, columns=list(columns), dtype="str")
