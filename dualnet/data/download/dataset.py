"""A release brought into a folder: tables as they are, archives as pictures."""

import logging
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path

from dualnet.data.download.archive import unpack_pictures
from dualnet.data.download.manifest import FOLDER, Manifest, lock_downloads
from dualnet.data.download.part_file import PartFile
from dualnet.data.download.release import Release, RemoteFile, compute_digest
from dualnet.data.download.room import check_room, plan_room
from dualnet.data.download.transfer import Patience, fetch_file
from dualnet.errors import DownloadError
from dualnet.progress import Progress

IMAGES = "images"

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Downloaded:
    """What lies in the folder now.

    Args:
        folder: The folder.
        num_tables: How many tables.
        num_archives: How many archives were asked for; their pictures are all there.
        num_pictures: How many pictures came out of them.
        num_others: How many files of the archives are no pictures by their name and
            were left out, of the archives that came now.
        num_new: How many of the tables and archives came now.
    """

    folder: Path
    num_tables: int
    num_archives: int
    num_pictures: int
    num_others: int
    num_new: int


def download_release(
    release: Release,
    folder: Path,
    *,
    numbers: Sequence[int] | None = None,
    keep_archives: bool = False,
    workers: int = 4,
    patience: Patience | None = None,
    progress: Progress | None = None,
) -> Downloaded:
    """Brings a release into a folder; what lies there already is left alone.

    A failure of one file does not keep the others from coming. Whenever the process is
    stopped, the next call goes on.

    Args:
        release: What to bring.
        folder: The dataset's folder; made if absent.
        numbers: Which archives, the first being 1; none: all. Tables come always.
        keep_archives: Whether archives stay in `download/` after they were unpacked.
        workers: How many files come at once.
        patience: How long to go on with a server that fails.
        progress: Called with the bytes that have come, and all that are to come.

    Returns:
        What lies there.

    Raises:
        DownloadError: If a file cannot be had, or is not as published.
    """
    archives = [
        archive
        for number, archive in enumerate(release.archives, start=1)
        if numbers is None or number in numbers
    ]
    with lock_downloads(folder / FOLDER):
        work = _Work(
            folder, Patience() if patience is None else patience, keep_archives
        )
        present = _scan_pictures(folder / IMAGES)
        waiting = [
            archive for archive in archives if not work.is_unpacked(archive, present)
        ]
        todo = [table for table in release.tables if not work.is_in_place(table)]
        work.check_room(waiting, workers)
        todo += waiting
        meter = _Meter(todo, progress)
        num_others, failures = _run_all(work, todo, meter, workers)
    if failures:
        raise DownloadError(_describe(failures))
    pictures = [work.manifest.read_pictures(archive) or {} for archive in archives]
    return Downloaded(
        folder=folder,
        num_tables=len(release.tables),
        num_archives=len(archives),
        num_pictures=sum(map(len, pictures)),
        num_others=num_others,
        num_new=len(todo),
    )


class _Work:
    """What is done to one file, from the server to its place."""

    def __init__(self, folder: Path, patience: Patience, keep_archives: bool) -> None:
        self.folder = folder
        self.patience = patience
        self.keep_archives = keep_archives
        self.manifest = Manifest(folder / FOLDER)
        self.stop = threading.Event()

    def is_unpacked(self, archive: RemoteFile, present: dict[str, int]) -> bool:
        """Whether all that came out of an archive lies there, at its length."""
        pictures = self.manifest.read_pictures(archive)
        return pictures is not None and pictures.items() <= present.items()

    def is_in_place(self, table: RemoteFile) -> bool:
        """Whether a table lies in the folder; one that differs is not overwritten."""
        return self._find_digest(table, self.folder / table.name) is not None

    def check_room(self, archives: Sequence[RemoteFile], workers: int) -> None:
        """Checks that the disk has room for archives and their pictures."""
        if not archives:
            return
        room = plan_room(
            [archive.num_bytes or 0 for archive in archives],
            [self._count_present(archive) for archive in archives],
            keep=self.keep_archives,
            workers=workers,
        )
        check_room(self.folder, room)

    def bring(self, remote: RemoteFile, report: Callable[[int], None]) -> int:
        """Fetches a file and puts it, or what is in it, in its place.

        Returns:
            How many files of an archive are no pictures, and were left out.
        """
        path = self.folder / FOLDER / remote.name
        digest = self._find_digest(remote, path)
        if digest is not None:
            report(path.stat().st_size)
        else:
            digest = fetch_file(
                replace(remote, digest=self.manifest.expect_digest(remote)),
                path,
                patience=self.patience,
                report=report,
                stop=self.stop,
            )
        num_others = 0
        if remote.is_archive:
            num_others = self._unpack(remote, path)
        else:
            path.replace(self.folder / remote.name)
        self.manifest.record(remote, digest)  # of a file that was of use
        return num_others

    def _unpack(self, remote: RemoteFile, path: Path) -> int:
        unpacked = unpack_pictures(path, self.folder / IMAGES, stop=self.stop)
        self.manifest.record_pictures(remote, unpacked.pictures)
        logger.info(
            "%s: %s pictures; left out: %s other files",
            remote.name,
            f"{len(unpacked.pictures):,}",
            f"{unpacked.num_others:,}",
        )
        if not self.keep_archives:
            path.unlink()
        return unpacked.num_others

    def _find_digest(self, remote: RemoteFile, path: Path) -> str | None:
        """Returns the checksum of a file that lies there; none if none does.

        Raises:
            DownloadError: If it is not the expected one.
        """
        if not path.exists():
            return None
        expected = self.manifest.expect_digest(remote)
        digest = compute_digest(path, like=expected)
        if expected not in (None, digest):
            raise DownloadError(
                f"{path}: must be the file that is published ({expected}). "
                f"Received: another ({digest}). Move it away; it is not overwritten."
            )
        return digest

    def _count_present(self, archive: RemoteFile) -> int:
        path = self.folder / FOLDER / archive.name
        return path.stat().st_size if path.exists() else PartFile(path).num_bytes


class _Meter:
    """Adds up how far the files are; called from several threads."""

    def __init__(self, files: Sequence[RemoteFile], progress: Progress | None) -> None:
        self.total = sum(remote.num_bytes or 0 for remote in files)
        self.progress = progress
        self.done = dict.fromkeys((remote.name for remote in files), 0)
        self.lock = threading.Lock()

    def report(self, name: str) -> Callable[[int], None]:
        def update(num_bytes: int) -> None:
            with self.lock:
                self.done[name] = num_bytes
                done = sum(self.done.values())
                if self.progress is not None:
                    self.progress(done, max(self.total, done))

        return update


def _run_all(
    work: _Work, files: Sequence[RemoteFile], meter: _Meter, workers: int
) -> tuple[int, dict[str, DownloadError]]:
    """Brings all files; returns how many were left out, and who failed, by name."""
    num_others = 0
    failures: dict[str, DownloadError] = {}
    with ThreadPoolExecutor(workers, thread_name_prefix="download") as pool:
        jobs = {
            pool.submit(work.bring, remote, meter.report(remote.name)): remote.name
            for remote in files
        }
        try:
            for job in as_completed(jobs):
                try:
                    num_others += job.result()
                except DownloadError as error:
                    failures[jobs[job]] = error
        except BaseException as error:  # a full disk, an interrupt: no file can go on
            work.stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            if isinstance(error, KeyboardInterrupt):
                logger.info("stopping; the same command goes on from here")
            raise
    return num_others, failures


def _describe(failures: dict[str, DownloadError]) -> str:
    first, *others = failures
    text = str(failures[first])
    if others:
        text += f" Also failed: {', '.join(others)}."
    return text


def _scan_pictures(folder: Path) -> dict[str, int]:
    if not folder.is_dir():
        return {}
    with os.scandir(folder) as entries:
        return {
            entry.name: entry.stat().st_size for entry in entries if entry.is_file()
        }
