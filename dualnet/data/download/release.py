"""What a publisher offers: its files, where each lies, how long it is, its checksum."""

import hashlib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import yaml


@dataclass(frozen=True, kw_only=True)
class RemoteFile:
    """A file as its publisher offers it.

    Args:
        name: Its name on disk.
        url: Where to ask for it; an answer may redirect.
        page: Where a person finds it with a browser.
        num_bytes: Its published length; none: not published.
        digest: Its published checksum as `algorithm:hexadecimal`, such as `md5:fe8e…`;
            none: not published.
    """

    name: str
    url: str
    page: str
    num_bytes: int | None = None
    digest: str | None = None

    @property
    def is_archive(self) -> bool:
        """Whether it is a gzipped tar, by its name."""
        return self.name.endswith(".gz")


@dataclass(frozen=True, kw_only=True)
class Release:
    """A dataset as its publisher offers it.

    Args:
        tables: Files that lie beside the pictures as they are.
        archives: Archives of pictures; the first is number 1.
    """

    tables: tuple[RemoteFile, ...]
    archives: tuple[RemoteFile, ...]


def read_nih_release() -> Release:
    """Returns NIH ChestX-ray14's release, from `nih.yaml` beside this module."""
    text = (
        resources.files("dualnet.data.download").joinpath("nih.yaml").read_text("utf-8")
    )
    values = yaml.safe_load(text)
    return Release(
        tables=_read_files(values, "tables", urls=values["table_urls"]),
        archives=_read_files(values, "archives", urls=values["archive_urls"]),
    )


def compute_digest(path: Path, *, like: str | None = None) -> str:
    """Computes a file's checksum.

    Args:
        path: The file.
        like: A digest whose algorithm is to be used; none: SHA-256.

    Returns:
        `algorithm:hexadecimal`.
    """
    algorithm = like.partition(":")[0] if like else "sha256"
    # the publisher chose MD5: it tells damage, and TLS tells who sent it
    new = hashlib.new(algorithm, usedforsecurity=False)
    with path.open("rb") as stream:
        return f"{algorithm}:{hashlib.file_digest(stream, lambda: new).hexdigest()}"


def _read_files(
    values: dict[str, Any], key: str, *, urls: str
) -> tuple[RemoteFile, ...]:
    return tuple(
        RemoteFile(
            name=row["name"],
            url=urls.format(link=row["link"]),
            page=values["page"],
            num_bytes=row["num_bytes"],
            digest=row["digest"],
        )
        for row in values[key]
    )
