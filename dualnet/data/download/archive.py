"""Pictures out of an archive that nobody vouches for.

Never `extractall`: members are read one after the other, and what counts of a name is
its last part, which has to be NIH's. An archive that holds a link, a device, a name
that leads out of it, one name twice, or more than pictures ever take, is refused whole;
so is one that is damaged. Pictures come into their folder when the last byte of the
archive has been read and its checksum (of gzip) agrees.

Reference:
    CVE-2007-4559, CVE-2025-4517 (tarfile); RFC 1952 (gzip).
"""

import gzip
import re
import shutil
import tarfile
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from dualnet.data.download import Stopped
from dualnet.errors import DownloadError, StorageError

# NIH's archives hold at most 10,000 pictures of up to 1 MB; 179 of all are RGBA.
MAX_MEMBERS = 20_000
MAX_PICTURE_BYTES = 2**23  # 8 MiB; a raw RGBA picture of 1024 pixels takes 4
MAX_BYTES = 2**33  # 8 GiB; the largest archive holds 4.2 GB
BLOCK_BYTES = 2**18

# `[0-9]`, as `\d` takes digits of every script
PICTURE = re.compile(r"(?:\./)?(?:images/)?(?P<name>[0-9]{8}_[0-9]{3}\.png)")
DAMAGE = (
    tarfile.TarError,
    gzip.BadGzipFile,
    zlib.error,
    EOFError,
    ValueError,
    OverflowError,
)
KINDS = {
    tarfile.SYMTYPE: "a symbolic link",
    tarfile.LNKTYPE: "a hard link",
    tarfile.CHRTYPE: "a device",
    tarfile.BLKTYPE: "a device",
    tarfile.FIFOTYPE: "a pipe",
    tarfile.GNUTYPE_SPARSE: "a file with holes",
}


@dataclass(frozen=True, kw_only=True)
class Unpacked:
    """What an archive held.

    Args:
        pictures: Length in bytes of each picture, by its name.
        num_others: Files that are no pictures by their name; left out.
    """

    pictures: dict[str, int]
    num_others: int


def unpack_pictures(
    archive: Path, folder: Path, *, stop: threading.Event | None = None
) -> Unpacked:
    """Unpacks the pictures of an archive, all or none.

    Args:
        archive: A gzipped tar.
        folder: Where the pictures are to lie, under their own names; made if absent.
        stop: Set from elsewhere to have the work stop.

    Returns:
        What was unpacked, and how much was left out.

    Raises:
        DownloadError: If the archive is damaged, or not one of pictures alone.
        StorageError: If a picture cannot be written.
        Stopped: If `stop` was set.
    """
    unfinished = folder.with_name(f".{folder.name}.{archive.name}.unpacking")
    shutil.rmtree(unfinished, ignore_errors=True)  # of a process that died
    try:
        unfinished.mkdir(parents=True)
        unpacked = _unpack(archive, unfinished, stop or threading.Event())
        folder.mkdir(exist_ok=True)
        for name in unpacked.pictures:
            (unfinished / name).replace(folder / name)
    except OSError as error:
        raise StorageError(
            f"{folder}: must be writable, with room on its disk. "
            f"Received: {error.strerror or type(error).__name__}. Free some space; "
            "the archive is kept, and nothing of it was unpacked."
        ) from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return unpacked


class _Source:
    """A decompressed stream that can only go on, and only so far.

    `tarfile` reads headers of any length at one stroke, and takes a broken header for
    the end of the archive: reads are bounded, and the last one is remembered.

    Args:
        stream: The decompressed bytes.
        where: The archive's name, for errors.
    """

    def __init__(self, stream: gzip.GzipFile, where: str) -> None:
        self.stream = stream
        self.where = where
        self.last = b""

    def read(self, size: int) -> bytes:
        if size > MAX_PICTURE_BYTES or self.stream.tell() + size > MAX_BYTES:
            _refuse(self.where, "more bytes than pictures ever take")
        self.last = self.stream.read(size)
        return self.last

    def tell(self) -> int:
        return self.stream.tell()

    def seek(self, position: int) -> int:
        missing = position - self.stream.tell()
        if missing < 0:
            _refuse(self.where, "members that overlap")
        while missing:
            block = self.read(min(missing, BLOCK_BYTES))
            if not block:
                break
            missing -= len(block)
        return self.stream.tell()


def _unpack(archive: Path, folder: Path, stop: threading.Event) -> Unpacked:
    pictures: dict[str, int] = {}
    num_others = 0
    with _reading(archive) as (source, members):
        for number, member in enumerate(members, start=1):
            if stop.is_set():
                raise Stopped
            where = f"{archive.name} member {number}"
            if number > MAX_MEMBERS:
                _refuse(archive.name, f"more than {MAX_MEMBERS:,} members")
            name = _check_member(member, where)
            if name is None:
                num_others += not member.isdir()
                continue
            if name in pictures:
                _refuse(where, f"{name} for the second time")
            _write(source, member, folder / name, where)
            pictures[name] = member.size
        _check_end(source, archive.name)
    if not pictures:
        _refuse(archive.name, f"no picture, {num_others:,} other files")
    return Unpacked(pictures=pictures, num_others=num_others)


@contextmanager
def _reading(archive: Path) -> Iterator[tuple[_Source, tarfile.TarFile]]:
    with gzip.open(archive) as stream:
        source = _Source(stream, archive.name)
        try:
            with tarfile.open(fileobj=source, mode="r:") as members:  # pyright: ignore[reportArgumentType, reportCallIssue]
                yield source, members
        except DownloadError:
            raise
        except DAMAGE as error:
            _refuse(archive.name, f"a damaged archive ({str(error)[:80]})")


def _check_member(member: tarfile.TarInfo, where: str) -> str | None:
    """Returns the picture's name; none for what is left out."""
    if member.name.startswith("/") or ".." in member.name.split("/"):
        _refuse(where, "a name that leads out of the archive")
    if member.isdir():
        return None
    if member.type not in {tarfile.REGTYPE, tarfile.AREGTYPE} or member.issparse():
        _refuse(where, KINDS.get(member.type, "a member of an unknown kind"))
    match = PICTURE.fullmatch(member.name)
    if match is None:
        return None
    if not 0 < member.size <= MAX_PICTURE_BYTES:
        _refuse(where, f"a picture of {member.size:,} bytes")
    return match["name"]


def _write(source: _Source, member: tarfile.TarInfo, path: Path, where: str) -> None:
    source.seek(member.offset_data)
    pixels = source.read(member.size)
    if len(pixels) != member.size:
        _refuse(where, "a picture that is cut short")
    path.write_bytes(pixels)


def _check_end(source: _Source, where: str) -> None:
    """Checks that the archive ended where `tarfile` stopped, down to the last byte."""
    if source.last.strip(b"\0"):
        _refuse(where, "a damaged header")
    while block := source.read(BLOCK_BYTES):
        if block.strip(b"\0"):
            _refuse(where, "bytes behind its end")


def _refuse(where: str, received: str) -> NoReturn:
    raise DownloadError(
        f"{where}: must be an archive of pictures, named as NIH names them. "
        f"Received: {received}. Nothing of the archive was unpacked; remove it, and "
        "run the command again."
    )
