"""Files and folders that are whole or absent: written beside themselves, then renamed."""

import fcntl
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dualnet.errors import StorageError

LOCK = ".lock"


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yields a path beside `path` to write to; it is renamed to `path` at the end.

    The parent folder is made. If the block raises, the unfinished file is removed
    and `path` is as it was.

    Args:
        path: The file to write.

    Yields:
        The path to write to: same folder, same suffix.

    Raises:
        StorageError: If the file cannot be written.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "a.txt"
        >>> with atomic_path(file) as unfinished:
        ...     _ = unfinished.write_text("whole")
        >>> file.read_text()
        'whole'
    """
    unfinished = path.with_name(f".{path.stem}.{_token()}{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield unfinished
        with unfinished.open("rb") as stream:
            os.fsync(stream.fileno())
        unfinished.replace(path)
    except OSError as error:
        raise StorageError(
            f"{path}: must be writable, with room on its disk. "
            f"Received: {error.strerror or type(error).__name__}. "
            "Free some space or name another folder; nothing was half-written."
        ) from error
    finally:
        with suppress(OSError):  # a parent that is a file has nothing in it
            unfinished.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yields a folder beside `path` to fill; it is renamed to `path` at the end.

    If the block raises, the unfinished folder is removed and `path` is as it was.

    Args:
        path: The folder to write; absent, or an empty folder.

    Yields:
        The folder to fill, in the same parent.

    Raises:
        StorageError: If the folder cannot be written.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp()) / "pictures"
        >>> with atomic_folder(folder) as unfinished:
        ...     _ = (unfinished / "a.txt").write_text("whole")
        >>> (folder / "a.txt").read_text()
        'whole'
    """
    path = path.resolve()  # a link to an empty folder cannot be renamed over
    unfinished = path.with_name(f".{path.name}.{_token()}")
    try:
        unfinished.mkdir(parents=True)
        yield unfinished
        unfinished.replace(path)
    except OSError as error:
        raise StorageError(
            f"{path}: must be writable, with room on its disk. "
            f"Received: {error.strerror or type(error).__name__}"
            f"{f' at {error.filename}' if error.filename else ''}. "
            "Free some space or name another folder; nothing was half-written."
        ) from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


@contextmanager
def durable_folder(path: Path) -> Iterator[Path]:
    """Yields a folder beside `path` to fill; what is found at `path` is on the disk.

    As `atomic_folder`, but every file is flushed before the folder is renamed, and the
    parent after: neither `kill -9` nor a power cut leaves a part of it. A folder that
    lies at `path` is replaced.

    Args:
        path: The folder to write; it holds files alone.

    Yields:
        The folder to fill, in the same parent.

    Raises:
        StorageError: If the folder cannot be written.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp()) / "checkpoint"
        >>> with durable_folder(folder) as unfinished:
        ...     _ = (unfinished / "a.txt").write_text("whole")
        >>> (folder / "a.txt").read_text()
        'whole'
    """
    with atomic_folder(path) as unfinished:
        yield unfinished
        for file in unfinished.iterdir():
            flush(file)
        flush(unfinished)
        shutil.rmtree(path, ignore_errors=True)
    flush(path.parent)


def flush(path: Path) -> None:
    """Waits until a file, or the list of a folder's files, is on the disk.

    Args:
        path: The file or the folder.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_folder(path: Path) -> None:
    """Removes a folder with all that is in it; a stop leaves all of it, or a remnant.

    Args:
        path: The folder, or nothing.
    """
    for remnant in path.parent.glob(f".{path.name}.*"):
        shutil.rmtree(remnant, ignore_errors=True)
    if path.is_dir():
        doomed = path.with_name(f".{path.name}.{_token()}")
        path.rename(doomed)
        shutil.rmtree(doomed, ignore_errors=True)


def empty_folder(path: Path, *, keep: Collection[str] = ()) -> None:
    """Removes what lies in a folder; the folder stays, and so does a link to it.

    Args:
        path: The folder.
        keep: Names of what stays in it.

    Raises:
        StorageError: If something cannot be removed.
    """
    try:
        for entry in path.iterdir():
            if entry.name in keep:
                continue
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()
    except OSError as error:
        raise StorageError(
            f"{path}: must be a folder that can be emptied. "
            f"Received: {error.strerror} at {error.filename}. "
            "Allow it, or name another folder."
        ) from error


def _token() -> str:
    """Returns what no other writer has: in containers process numbers are the same."""
    return secrets.token_hex(4)


def write_text(path: Path, text: str) -> None:
    """Writes a text file (UTF-8), whole or not at all.

    Args:
        path: The file.
        text: What it is to hold.
    """
    with atomic_path(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8")


def write_json(path: Path, values: object) -> None:
    """Writes plain values as JSON, keys in the order given, NaN refused.

    Args:
        path: The file.
        values: What `json.dumps` takes.
    """
    write_text(path, json.dumps(values, indent=2, allow_nan=False) + "\n")


def sha256(path: Path) -> str:
    """Returns the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextmanager
def lock_folder(folder: Path, *, if_taken: Callable[[], None]) -> Iterator[None]:
    """Lets one process at a time into a folder; the system frees a dead one's lock.

    Args:
        folder: The folder; made if absent.
        if_taken: Called if another process has the lock; where it does not raise, the
            end of that process is waited for.

    Yields:
        Nothing.

    Raises:
        StorageError: If the folder is not writable.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        stream = (folder / LOCK).open("wb")
    except OSError as error:
        raise StorageError(
            f"{folder}: must be writable. Received: {error.strerror}. "
            "Name another folder."
        ) from error
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if_taken()
            fcntl.flock(stream, fcntl.LOCK_EX)
        yield
