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
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import pandas as pd

from dualnet.data.images import PREPROCESSING
from dualnet.errors import CacheError
from dualnet.files import atomic_path, write_text

FORMAT = 1  # raised when a cache of before can no longer be read
MANIFEST = "manifest.json"
REJECTS = "rejects.csv"

_SHARD_ENTRY = re.compile(r'\{"file": "shard-')


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
        **_head(manifest.image_size),
        "shards": [
            {"file": shard.file_name, **asdict(shard)} for shard in manifest.shards
        ],
        "rejects": [asdict(reject) for reject in manifest.rejects],
    }
    write_text(folder / MANIFEST, _serialize(values))


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
        data = where.read_bytes()
        values = json.loads(data)
        del values["sha256"]
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
    # Every byte, as JSON has several ways to write one text.
    if data != _serialize(values).encode():
        raise CacheError(_explain_loss(where))
    _check_format(values, folder)
    return Manifest(
        image_size=values["image_size"],
        shards=tuple(_read_shard(shard) for shard in values["shards"]),
        rejects=tuple(Reject(**reject) for reject in values["rejects"]),
    )


def salvage_manifest(folder: Path, *, image_size: int) -> Manifest:
    """Reads what is whole of a damaged manifest.

    Each shard's entry proves itself by the shard's name, which is a digest of its
    members; the entry's checksum is the file's to prove. What was refused is left
    out, as nothing proves it: those pictures are tried again.

    Args:
        folder: The cache.
        image_size: Side of its pictures, in pixels.

    Returns:
        The shards whose entry is whole.

    Raises:
        CacheError: If what says how the pictures were made is damaged.
    """
    where = folder / MANIFEST
    text = where.read_bytes().decode("latin-1")
    if not text.startswith(json.dumps(_head(image_size))[:-1]):
        raise CacheError(
            f"{where}: must say how its pictures were made. Received: a damaged "
            "file, or a cache of another kind. Delete the cache's folder and run "
            "`dualnet prepare` again."
        )
    shards = [
        _salvage_shard(text, found.start()) for found in _SHARD_ENTRY.finditer(text)
    ]
    return Manifest(image_size, tuple(shard for shard in shards if shard is not None))


def write_rejects(folder: Path, manifest: Manifest) -> None:
    """Writes `rejects.csv`.

    Args:
        folder: The cache.
        manifest: What it holds.
    """
    with atomic_path(folder / REJECTS) as unfinished:
        unfinished.write_bytes(format_rejects(manifest))


def format_rejects(manifest: Manifest) -> bytes:
    """Returns what `rejects.csv` is to hold."""
    text = list_rejects(manifest).to_csv(index=False, lineterminator="\n")
    return text.encode(errors="backslashreplace")  # a file's name may be no UTF-8


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


def _head(image_size: int) -> dict[str, Any]:
    """What a manifest begins with: how the pictures were made."""
    return {
        "format": FORMAT,
        "preprocessing": PREPROCESSING,
        "image_size": image_size,
    }


def _serialize(values: Mapping[str, Any]) -> str:
    digest = hashlib.sha256(json.dumps(values).encode()).hexdigest()
    return json.dumps({**values, "sha256": digest}) + "\n"


def _salvage_shard(text: str, start: int) -> Shard | None:
    try:
        values, _ = json.JSONDecoder().raw_decode(text, start)
        shard = _read_shard(values)
        return shard if shard.file_name == values["file"] else None
    except (ValueError, LookupError, TypeError, RecursionError):
        return None


def _explain_loss(where: Path) -> str:
    return (
        f"{where}: must be as it was written. Received: a damaged file. "
        "Run `dualnet prepare --repair` on this dataset: shards that are still "
        "described are kept."
    )
