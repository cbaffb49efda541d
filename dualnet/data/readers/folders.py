"""The files of a tree: hidden ones left out, links followed, but not in circles."""

import logging
import os
from collections.abc import Collection, Iterator
from pathlib import Path, PurePosixPath

from dualnet.errors import RecordError

JUNK = ("__MACOSX",)  # what macOS puts into a zip beside the files

logger = logging.getLogger(__name__)


def walk_files(
    root: Path, *, skip: Collection[str] = (), lenient: bool = False
) -> Iterator[str]:
    """Finds the files below a folder.

    Args:
        root: The folder.
        skip: Names of folders to leave out; hidden files and folders, and what macOS
            packs into a zip, are left out too.
        lenient: Whether to pass over, without a word, folders that cannot be listed:
            for looking what a folder is.

    Yields:
        Each file's path below `root`, parted by `/`; those of a folder sorted, and
        before those of the folders in it.

    Raises:
        RecordError: If a folder cannot be listed, unless `lenient`.
    """
    above: dict[str, set[str]] = {}  # the real folders that lead to a folder
    skip = (*JUNK, *skip)
    on_error = None if lenient else _refuse
    for place, folders, names in os.walk(root, onerror=on_error, followlinks=True):
        real = {*above.pop(place, ()), os.path.realpath(place)}
        shown = sorted(n for n in folders if n[0] != "." and n not in skip)
        folders[:] = []
        for name in shown:
            path = os.path.join(place, name)  # noqa: PTH118 - as os.walk joins them
            if os.path.realpath(path) not in real:
                folders.append(name)
                above[path] = real
            elif not lenient:
                logger.info("%s: leads back to a folder above it; not followed", path)
        below = PurePosixPath(Path(place).relative_to(root).as_posix())
        yield from (str(below / name) for name in sorted(names) if name[0] != ".")


def _refuse(error: OSError) -> None:
    """Refuses a folder that cannot be listed; `os.walk` would pass it over."""
    raise RecordError(
        f"{error.filename}: every folder of the dataset must be readable. "
        f"Received: {error.strerror}. Allow it to be listed, or move it away."
    )
