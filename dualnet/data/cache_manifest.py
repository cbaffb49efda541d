"""What a cache holds: its manifest, the only file that says which shards count.

    cache/<name>/
      manifest.json        format, side, preprocessing; image ids and checksum per shard
      shard-<digest>.npy   uint8, shape (pictures, side, side); named after its members
      rejects.csv          image_id, path, reason of each picture that was refused

A shard is written first and named in the manifest after. So a stop at any moment
leaves a cache that is whole, and at most a file that nobody counts.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np

from dualnet.data.images import PREPROCESSING
from dualnet.errors import CacheError
from dualnet.files import sha256, write_text

FORMAT = 1  # raised when a cache of before can no longer be read
MANIFEST = "manifest.json"
REJECTS = "rejects.csv"


@dataclass(frozen=True)
class Shard:
    """Some pictures in one file.

    Args:
        image_ids: The pictures, in the file's order.
        signatures: The state of each picture's source when it was read.
        num_bytes: Size of the file.
        sha256: Its checksum.
    """

    image_ids: tuple[str, ...]
    signatures: tuple[str, ...]
    num_bytes: int
    sha256: str

    @cached_property
    def file_name(self) -> str:
        """Name of the file."""
        return name_shard(self.image_ids, self.signatures)


@dataclass(frozen=True)
class Reject:
    """A picture that was refused.

    Args:
        image_id: Which.
        path: Where it lies.
        reason: Why.
        signature: The state of the file then; it is tried again when that changes.
    """

    image_id: str
    path: str
    reason: str
    signature: str


@dataclass(frozen=True)
class Manifest:
    """All that a cache counts as its own.

    Args:
        image_size: Side of the pictures, in pixels.
        shards: The shards, in the order in which they were written.
        rejects: The pictures that were refused.
    """

    image_size: int
    shards: tuple[Shard, ...] = ()
    rejects: tuple[Reject, ...] = ()

    @cached_property
    def cached(self) -> dict[str, str]:
        """Signature of each picture in the cache, by its image id."""
        pairs = (zip(s.image_ids, s.signatures, strict=True) for s in self.shards)
        return {image_id: signature for pair in pairs for image_id, signature in pair}

    @cached_property
    def rejected(self) -> dict[str, str]:
        """Signature of each refused picture, by its image id."""
        return {reject.image_id: reject.signature for reject in self.rejects}

    def with_shard(
        self, old: Shard | None, new: Shard | None, rejects: Iterable[Reject]
    ) -> Self:
        """Returns the manifest with a shard added, replaced or taken away.

        Args:
            old: The shard that goes; none: `new` is added at the end.
            new: The shard that comes in its place; none: no picture was left.
            rejects: Pictures refused meanwhile; one that is cached is no reject.

        Returns:
            The new manifest.
        """
        shards = [new if shard is old else shard for shard in self.shards]
        shards = [*shards, new] if old is None else shards
        kept = tuple(shard for shard in shards if shard is not None)
        by_id = {reject.image_id: reject for reject in (*self.rejects, *rejects)}
        for image_id in new.image_ids if new else ():
            by_id.pop(image_id, None)
        return replace(self, shards=kept, rejects=tuple(by_id.values()))


def name_shard(image_ids: Iterable[str], signatures: Iterable[str]) -> str:
    """Names a shard after its members.

    A shard in which a picture changes gets another name, so that the old file is
    whole until the manifest names the new one.

    Args:
        image_ids: The pictures.
        signatures: The states of their sources.

    Returns:
        The file name.
    """
    members = json.dumps([list(image_ids), list(signatures)])
    return f"shard-{hashlib.sha256(members.encode()).hexdigest()[:16]}.npy"


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Writes `manifest.json`, whole or not at all, with a checksum of itself.

    Args:
        folder: The cache.
        manifest: What it holds.
    """
    values = {
        "format": FORMAT,
        "preprocessing": PREPROCESSING,
        "image_size": manifest.image_size,
        "shards": [
            {"file": shard.file_name, **asdict(shard)} for shard in manifest.shards
        ],
        "rejects": [asdict(reject) for reject in manifest.rejects],
    }
    write_text(
        folder / MANIFEST, json.dumps({**values, "sha256": _digest(values)}) + "\n"
    )


def read_manifest(folder: Path) -> Manifest:
    """Reads `manifest.json`.

    Args:
        folder: The cache.

    Returns:
        What it holds.

    Raises:
        CacheError: If the folder is no cache, its manifest is damaged, or it was
            written in another format.
    """
    where = folder / MANIFEST
    try:
        values = json.loads(where.read_bytes())
        digest = values.pop("sha256")
    except (FileNotFoundError, NotADirectoryError):
        raise CacheError(
            f"{folder}: must be a cache. Received: no {MANIFEST} in it. "
            "Make it with `dualnet prepare`."
        ) from None
    except (
        OSError,
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
        RecursionError,
    ):
        raise CacheError(_explain_loss(where)) from None
    if digest != _digest(values):
        raise CacheError(_explain_loss(where))
    _check_format(values, folder)
    return Manifest(
        image_size=values["image_size"],
        shards=tuple(_read_shard(shard) for shard in values["shards"]),
        rejects=tuple(Reject(**reject) for reject in values["rejects"]),
    )


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
        raise CacheError(explain_damage(path)) from None
    if pixels.shape != shape or pixels.dtype != np.uint8:
        raise CacheError(explain_damage(path))
    return np.asarray(pixels)  # rows of np.memmap take half as long again


def explain_damage(path: Path) -> str:
    """Says that a shard is not as it was written, and what to do.

    Args:
        path: The shard.

    Returns:
        The message of an error.
    """
    return (
        f"{path}: must be as it was written. Received: a damaged or absent shard. "
        "Delete it and run `dualnet prepare` again; only what is missing is redone."
    )


def _read_shard(values: Mapping[str, Any]) -> Shard:
    return Shard(
        image_ids=tuple(values["image_ids"]),
        signatures=tuple(values["signatures"]),
        num_bytes=values["num_bytes"],
        sha256=values["sha256"],
    )


def _check_format(values: Mapping[str, Any], folder: Path) -> None:
    found = (values.get("format"), values.get("preprocessing"))
    if found != (FORMAT, PREPROCESSING):
        raise CacheError(
            f"{folder}: must be a cache of format {FORMAT}, {PREPROCESSING}. "
            f"Received: format={found[0]}, preprocessing={found[1]}. "
            "Name another folder, or delete this one."
        )


def _digest(values: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()


def _file_size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1


def _explain_loss(where: Path) -> str:
    return (
        f"{where}: must be as it was written. Received: a damaged file. "
        "Delete the cache's folder and run `dualnet prepare` again."
    )
