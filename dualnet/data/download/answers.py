"""What a server's answer to a request for a file means, and what it must not mean.

Reference:
    RFC 9110, HTTP Semantics: section 8.8.3 (ETag), 10.2.3 (Retry-After), 13.1.5
    (If-Range), 14.4 (Content-Range), 15.3.7 (206), 15.5.17 (416).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import NoReturn
from urllib.parse import urlsplit

from dualnet.data.download.part_file import Origin
from dualnet.data.download.release import RemoteFile
from dualnet.errors import DownloadError

PASSING = (408, 425, 429, 500, 502, 503, 504)  # may be gone at the next try
GZIP_MAGIC = b"\x1f\x8b"  # RFC 1952 section 2.3.1

_RANGE = re.compile(r"bytes (?P<start>\d+)-(?P<end>\d+)/(?P<total>\d+|\*)")
_UNSATISFIED = re.compile(r"bytes \*/(?P<total>\d+)")


class Setback(Exception):  # noqa: N818 - not an error yet: the next try may do
    """A try that failed; the next one may do.

    Args:
        reason: What happened, in a few words.
        wait_seconds: How long the server asks to wait; none: it does not.
        restart: Whether what has come so far is of no use.
    """

    def __init__(
        self, reason: str, *, wait_seconds: float | None = None, restart: bool = False
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.wait_seconds = wait_seconds
        self.restart = restart


@dataclass(frozen=True, kw_only=True)
class Answer:
    """An answer that carries bytes of the file.

    Args:
        start: Where in the file the first byte of the body belongs.
        origin: Whose bytes they are.
    """

    start: int
    origin: Origin


def read_answer(
    remote: RemoteFile,
    *,
    status: int,
    headers: Mapping[str, str],
    final_url: str,
    offset: int,
    origin: Origin | None,
) -> Answer:
    """Reads the status and the headers of an answer.

    Args:
        remote: The file that was asked for.
        status: The status code.
        headers: The headers; names in any case.
        final_url: Who answered, after redirects.
        offset: The first byte that was asked for.
        origin: Whose bytes have come before; none: nothing has.

    Returns:
        What the body is.

    Raises:
        Setback: If another try may do.
        DownloadError: If none will.
    """
    if status in PASSING:
        raise Setback(
            f"the server answered {status}",
            wait_seconds=parse_retry_after(headers.get("Retry-After")),
        )
    if status not in (200, 206, 416):
        refuse(remote, f"must be at {remote.url}", f"HTTP status {status}")
    _check_sender(remote, headers, final_url)
    if status == 416:
        return _read_unsatisfied(remote, headers, offset)
    start, total = _read_extent(status, headers, offset)
    validator = _find_validator(headers)
    if start and _has_changed(origin, total, validator):
        raise Setback("the file has changed on the server", restart=True)
    url = remote.url
    return Answer(
        start=start, origin=Origin(url=url, validator=validator, num_bytes=total)
    )


def refuse(remote: RemoteFile, expected: str, received: str) -> NoReturn:
    """Gives a file up.

    Args:
        remote: The file.
        expected: What must be.
        received: What is.

    Raises:
        DownloadError: Always.
    """
    raise DownloadError(
        f"{remote.name}: {expected}. Received: {received}. Run the command again "
        f"later, or get the file with a browser from {remote.page}."
    )


def check_beginning(remote: RemoteFile, head: bytes) -> None:
    """Checks that a body begins as such a file does, and is no web page.

    Args:
        remote: The file.
        head: Its first bytes.

    Raises:
        DownloadError: If it does not.
    """
    if head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"<":
        _refuse_page(remote)
    if remote.is_archive and not head.startswith(GZIP_MAGIC):
        refuse(remote, "must be a gzip file", f"first bytes {head[:8]!r}")
    if not remote.is_archive and head.startswith(GZIP_MAGIC):
        refuse(remote, "must be a text file", "a gzip file")


def check_length(remote: RemoteFile, num_bytes: int | None) -> None:
    """Checks the length that an answer announces; asked before the bytes are taken.

    Args:
        remote: The file.
        num_bytes: The whole file's length as announced; none: it is not.

    Raises:
        DownloadError: If it is not the published one.
    """
    if num_bytes is not None and remote.num_bytes not in (None, num_bytes):
        refuse(
            remote,
            f"must have {remote.num_bytes:,} bytes, as published",
            f"{num_bytes:,} bytes offered",
        )


def parse_retry_after(text: str | None, *, now: datetime | None = None) -> float | None:
    """Reads a `Retry-After` header.

    Args:
        text: Seconds or a date; none: no such header.
        now: The time that a date is compared with; none: the clock's.

    Returns:
        Seconds to wait, 0 or more; none where the header is absent or means nothing.

    Example:
        >>> parse_retry_after("120")
        120.0
        >>> now = datetime(2026, 1, 1, tzinfo=UTC)
        >>> parse_retry_after("Thu, 01 Jan 2026 00:01:00 GMT", now=now)
        60.0

    Reference:
        RFC 9110 section 10.2.3.
    """
    if text is None:
        return None
    if text.strip().isdecimal():
        return float(text)
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    if date.tzinfo is None:  # "-0000": a time of no named zone, taken as UTC
        date = date.replace(tzinfo=UTC)
    return max(0.0, (date - (now or datetime.now(UTC))).total_seconds())


def _refuse_page(remote: RemoteFile) -> NoReturn:
    kind = "a gzip file" if remote.is_archive else "a text file"
    refuse(remote, f"must be {kind}", "a web page, such as a login or a proxy's notice")


def _check_sender(
    remote: RemoteFile, headers: Mapping[str, str], final_url: str
) -> None:
    if urlsplit(remote.url).scheme == "https" != urlsplit(final_url).scheme:
        refuse(
            remote, "must come by https", f"a redirect to {urlsplit(final_url).scheme}"
        )
    if headers.get("Content-Type", "").lower().startswith("text/html"):
        _refuse_page(remote)


def _read_unsatisfied(
    remote: RemoteFile, headers: Mapping[str, str], offset: int
) -> Answer:
    match = _UNSATISFIED.fullmatch(headers.get("Content-Range", "").strip())
    if match is None or int(match["total"]) != offset:
        raise Setback("the server has no such bytes", restart=True)
    return Answer(start=offset, origin=Origin(url=remote.url, num_bytes=offset))


def _read_extent(
    status: int, headers: Mapping[str, str], offset: int
) -> tuple[int, int | None]:
    """Returns where the body belongs and how long the whole file is."""
    text = headers.get("Content-Range")
    if status == 200:
        # Some servers send the bytes asked for under 200; others the whole file with a
        # header of no meaning. Nothing tells which: asked without a range, it is clear.
        if text is not None and offset:
            raise Setback("the server contradicts itself", restart=True)
        length = headers.get("Content-Length", "").strip()
        return 0, int(length) if length.isdecimal() else None
    match = _RANGE.fullmatch((text or "").strip())
    if match is None or int(match["start"]) != offset:
        raise Setback("the server sent other bytes than asked for", restart=True)
    return offset, None if match["total"] == "*" else int(match["total"])


def _find_validator(headers: Mapping[str, str]) -> str | None:
    """Returns what changes when the file does; a weak ETag says too little."""
    etag = headers.get("ETag", "").strip()
    if etag.startswith('"'):
        return etag
    return headers.get("Last-Modified")


def _has_changed(
    origin: Origin | None, total: int | None, validator: str | None
) -> bool:
    if origin is None:
        return False
    return _differ(origin.num_bytes, total) or _differ(origin.validator, validator)


def _differ(before: object, now: object) -> bool:
    return before is not None and now is not None and before != now
