"""Fills a cache: what is missing or has changed is decoded, the rest is left alone.

Pictures are taken in the table's order, `SHARD_PICTURES` at a time; which pictures
belong together does not depend on the number of workers, nor on where an earlier
preparation was stopped, and so the files do not either.
"""

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from dualnet.data.cache_check import (
    explain_damage,
    find_unwhole,
    is_undamaged,
    open_shard,
)
from dualnet.data.cache_folder import (
    check_folder,
    check_room,
    lock_cache,
    remove_leftovers,
    tidy,
)
from dualnet.data.cache_manifest import (
    MANIFEST,
    Manifest,
    Reject,
    Shard,
    name_shard,
    read_manifest,
    write_manifest,
    write_rejects,
)
from dualnet.data.images import read_image
from dualnet.errors import CacheError, ImageError
from dualnet.files import atomic_path, sha256
from dualnet.progress import Progress
from dualnet.wording import number_of

logger = logging.getLogger(__name__)

SHARD_PICTURES = 1024  # 64 MiB at 256 pixels; two shards are in memory at once


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
        lost: Whether the old shard's file is gone, so that nothing of it is kept.
    """

    sources: Sequence[Source]
    old: Shard | None = None
    lost: bool = False


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
    if not _plan(sources, manifest, find_unwhole(folder, manifest)):
        tidy(folder, manifest)
        return
    with lock_cache(folder):
        manifest = _read_or_start(folder, image_size)
        write_manifest(folder, manifest)
        write_rejects(folder, manifest)
        remove_leftovers(folder, manifest)
        blocks = _plan(sources, manifest, find_unwhole(folder, manifest))
        check_room(folder, _count_pictures(blocks) * image_size**2)
        _report_lost(folder, blocks)
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
    check_folder(folder)
    if not (folder / MANIFEST).exists():
        return Manifest(image_size)
    manifest = read_manifest(folder)
    if manifest.image_size != image_size:
        raise CacheError(
            f"{folder}: must hold pictures of {image_size} pixels. Received: a cache "
            f"of {manifest.image_size} pixels. Name another cache folder."
        )
    return manifest


def _plan(
    sources: Sequence[Source], manifest: Manifest, lost: Sequence[Shard]
) -> list[Block]:
    """Divides what is to be decoded into blocks: changed shards, then new ones."""
    # A lost shard is made again in its old place, and so with its old bytes.
    cached, rejected = manifest.cached, manifest.rejected
    files = {shard.file_name for shard in lost}
    gone = {name for shard in lost for name in shard.image_ids}
    changed, new = {}, []
    for source in sources:
        known = cached.get(source.image_id) or rejected.get(source.image_id)
        if known == source.signature and source.image_id not in gone:
            continue
        if source.image_id in cached:
            changed[source.image_id] = source
        else:
            new.append(source)
    blocks = [
        Block(
            [changed[name] for name in shard.image_ids if name in changed],
            shard,
            lost=shard.file_name in files,
        )
        for shard in (manifest.shards if changed or lost else ())
    ]
    starts = range(0, len(new), SHARD_PICTURES)
    blocks += [Block(new[start : start + SHARD_PICTURES]) for start in starts]
    return [block for block in blocks if block.sources or block.lost]


def _count_pictures(blocks: Sequence[Block]) -> int:
    """Counts the pictures that are to be written, with those of changed shards."""
    return sum(
        len(block.old.image_ids if block.old else block.sources) for block in blocks
    )


def _report_lost(folder: Path, blocks: Sequence[Block]) -> None:
    for block in blocks:
        if block.old is not None and block.lost:
            logger.info(
                "%s: absent or cut short; %s of its %s, as many as the dataset has, are "
                "made again",
                folder / block.old.file_name,
                f"{len(block.sources):,}",
                number_of(len(block.old.image_ids), "picture"),
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
    write_rejects(folder, manifest)
    write_manifest(folder, manifest)
    if block.old is not None and block.old.file_name != (new and new.file_name):
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
    if block.old is not None and not block.lost:
        if not is_undamaged(folder, block.old):  # else its damage would be copied
            raise CacheError(explain_damage(folder, [block.old]))
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
