"""What has been downloaded into a dataset's folder, kept in `FOLDER/download`.

    manifest.json                     each file's address and checksum
    images_001.tar.gz.pictures.csv    the pictures that came out of an archive
    images_001.tar.gz                 an archive, while it is needed or if it is kept
    images_001.tar.gz.part, .json     what has come of it so far

A file for which no checksum is published is checked against the one that was recorded
when it first came. The folder may be removed when all is there.
"""

import csv
import io
import json
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from dualnet.data.download.release import RemoteFile
from dualnet.errors import DownloadError
from dualnet.files import lock_folder, write_json, write_text

FOLDER = "download"
MANIFEST = "manifest.json"


class Manifest:
    """The record of a dataset's downloads; several threads may write to it.

    Args:
        folder: `FOLDER` in the dataset's folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()

    def expect_digest(self, remote: RemoteFile) -> str | None:
        """Returns a file's checksum: as published, else as recorded, else none."""
        if remote.digest is not None:
            return remote.digest
        return self._read().get(remote.name, {}).get("digest")

    def record(self, remote: RemoteFile, digest: str) -> None:
        """Records that a file has come.

        Args:
            remote: The file.
            digest: Its checksum.
        """
        with self._lock:
            entry = {"url": remote.url, "digest": digest}
            write_json(self.folder / MANIFEST, {**self._read(), remote.name: entry})

    def record_pictures(self, remote: RemoteFile, pictures: Mapping[str, int]) -> None:
        """Records what came out of an archive.

        Args:
            remote: The archive.
            pictures: Length in bytes of each picture, by its name.
        """
        os.sync()  # before the archive goes, its pictures have to be on the disk
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(
            [("picture", "num_bytes"), *pictures.items()]
        )
        write_text(self._list(remote), text.getvalue())

    def read_pictures(self, remote: RemoteFile) -> dict[str, int] | None:
        """Returns what came out of an archive; none if it was not unpacked."""
        try:
            lines = self._list(remote).read_text("utf-8").splitlines()[1:]
            return {name: int(num_bytes) for name, num_bytes in csv.reader(lines)}
        except (OSError, ValueError, csv.Error):
            return None

    def _list(self, remote: RemoteFile) -> Path:
        return self.folder / f"{remote.name}.pictures.csv"

    def _read(self) -> dict[str, dict[str, str]]:
        file = self.folder / MANIFEST
        if not file.exists():
            return {}
        try:
            return dict(json.loads(file.read_text("utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise DownloadError(
                f"{file}: must be the record of downloads. Received: "
                f"{type(error).__name__}. Remove it; checksums are recorded anew."
            ) from error


@contextmanager
def lock_downloads(folder: Path) -> Iterator[None]:
    """Lets one process at a time download into a folder; a dead one's lock is freed.

    Args:
        folder: `FOLDER` in the dataset's folder; made if absent.

    Yields:
        Nothing.

    Raises:
        DownloadError: If another process downloads into it.
        StorageError: If it cannot be written.
    """

    def refuse() -> None:
        raise DownloadError(
            f"{folder}: must be filled by one process at a time. Received: "
            "another download, which goes on. Wait for its end."
        )

    with lock_folder(folder, if_taken=refuse):
        yield
