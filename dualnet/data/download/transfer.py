"""One file over HTTP: whole and as published, or not at all.

A try that fails is followed by another, which goes on where the last one stopped. The
rules, each learnt from a client that broke without it:

- No `Accept-Encoding`: servers that compress on the way pass over `Range`, and the
  whole file then follows the part (huggingface_hub #3778).
- `If-Range` with the ETag, so that a file that changed meanwhile is not spliced. Where
  the server names no ETag and no checksum is published, there is no going on.
- An answer is looked at before anything on disk is touched: an error or a web page
  never replaces the part that came before (kaggle-cli #1179).
- Lengths are counted, not believed; the checksum has the last word.

Reference:
    RFC 9110, HTTP Semantics.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import requests
from urllib3.exceptions import HTTPError

from dualnet.data.download import Stopped
from dualnet.data.download.answers import (
    Answer,
    Setback,
    check_beginning,
    check_length,
    read_answer,
    refuse,
)
from dualnet.data.download.part_file import Origin, PartFile
from dualnet.data.download.release import RemoteFile, compute_digest
from dualnet.errors import StorageError

BLOCK_BYTES = 2**18
HEAD_BYTES = 512  # enough to tell a gzip file or a table from a web page
MAX_BYTES = 2**36  # of a file whose length nobody told: 64 GiB

logger = logging.getLogger(__name__)

Report = Callable[[int], None]
"""Called with how many bytes of a file lie on disk; less than before if begun anew."""


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long to go on with a server that fails.

    Args:
        tries: Tries in a row that bring the file no further, before giving up.
        tries_unanswered: The same, while the server has never sent a byte of it.
        worthwhile_bytes: What counts as bringing it further.
        first_wait_seconds: The pause after a failed try; doubled each time in a row.
        longest_wait_seconds: The longest pause, also where the server asks for more.
        connect_seconds: How long to wait for a connection.
        read_seconds: How long to wait for the next bytes.
    """

    tries: int = 10  # pauses of 6 minutes in all
    tries_unanswered: int = 5
    worthwhile_bytes: int = 2**20
    first_wait_seconds: float = 1.0
    longest_wait_seconds: float = 120.0
    connect_seconds: float = 20.0
    read_seconds: float = 30.0


def fetch_file(
    remote: RemoteFile,
    path: Path,
    *,
    patience: Patience | None = None,
    report: Report | None = None,
    stop: threading.Event | None = None,
) -> str:
    """Brings a file, going on with the part of it that has come before.

    Args:
        remote: The file.
        path: Where it is to lie. `PATH.part` beside it holds what has come so far.
        patience: How long to go on with a server that fails.
        report: Called as bytes arrive.
        stop: Set from elsewhere to have the download stop.

    Returns:
        The file's digest, `algorithm:hexadecimal`, checked where one is published.

    Raises:
        DownloadError: If the file cannot be had, or is not the one published.
        StorageError: If it cannot be written.
        Stopped: If `stop` was set.
    """
    transfer = _Transfer(
        remote,
        PartFile(path),
        patience or Patience(),
        report or (lambda _: None),
        stop or threading.Event(),
    )
    try:
        return transfer.run()
    except requests.RequestException as error:  # an OSError too, but not the disk's
        refuse(remote, f"must be at {remote.url}", type(error).__name__)
    except OSError as error:
        raise StorageError(
            f"{path}: must be writable, with room on its disk. "
            f"Received: {error.strerror or type(error).__name__}. Free some space or "
            "name another folder; what has come is kept."
        ) from error


class _Transfer:
    def __init__(
        self,
        remote: RemoteFile,
        part: PartFile,
        patience: Patience,
        report: Report,
        stop: threading.Event,
    ) -> None:
        self.remote = remote
        self.part = part
        self.patience = patience
        self.report = report
        self.stop = stop
        self.answered = False
        self.furthest = 0
        self.fails = 0
        self.mismatches = 0

    def run(self) -> str:
        self.furthest = self._resume_at()
        with requests.Session() as session:
            session.headers.update({"User-Agent": "dualnet"})
            while True:
                try:
                    if not self._is_whole():
                        self._request(session)
                    digest = self._check()
                except Setback as setback:
                    self._recover(setback)
                else:
                    self.part.finish()
                    return digest

    def _is_whole(self) -> bool:
        origin = self.part.read_origin()
        total = self.remote.num_bytes
        if total is None and origin is not None:
            total = origin.num_bytes
        return total is not None and self._resume_at() == total

    def _resume_at(self) -> int:
        """Returns the first byte that is to be asked for."""
        origin = self.part.read_origin()
        if origin is None or origin.url != self.remote.url:
            return 0
        if origin.validator is None and self.remote.digest is None:
            return 0  # nothing would tell a splice of two files
        num_bytes = self.part.num_bytes
        total = self.remote.num_bytes or origin.num_bytes
        return num_bytes if total is None or num_bytes <= total else 0

    def _request(self, session: requests.Session) -> None:
        offset = self._resume_at()
        origin = self.part.read_origin() if offset else None
        try:
            response = session.get(
                self.remote.url,
                headers=_headers(offset, origin),
                stream=True,
                timeout=(self.patience.connect_seconds, self.patience.read_seconds),
            )
        except requests.exceptions.SSLError:
            refuse(
                self.remote,
                "must come over a trusted connection",
                "a certificate that is not trusted (behind a proxy that opens TLS, name "
                "its certificates in REQUESTS_CA_BUNDLE)",
            )
        except (requests.ConnectionError, requests.Timeout) as error:
            raise Setback(f"no connection ({type(error).__name__})") from error
        with response:
            answer = read_answer(
                self.remote,
                status=response.status_code,
                headers=response.headers,
                final_url=response.url,
                offset=offset,
                origin=origin,
            )
            if response.status_code != 416:
                self._write(answer, _iterate(response))

    def _write(self, answer: Answer, blocks: Iterator[bytes]) -> None:
        """Writes a body behind what has come, or in its stead."""
        if answer.start == 0:
            head = _take_head(blocks)
            if not head:
                raise Setback("the server sent nothing")
            check_beginning(self.remote, head)
            check_length(self.remote, answer.origin.num_bytes)
            self.part.begin(answer.origin)
            blocks = chain([head], blocks)
        else:
            check_length(self.remote, answer.origin.num_bytes)
        position = answer.start
        with self.part.path.open("ab") as stream:
            for block in blocks:
                if self.stop.is_set():
                    raise Stopped
                self.answered = True
                position += len(block)
                self._check_length(position)
                stream.write(block)
                self.report(position)
        total = answer.origin.num_bytes or self.remote.num_bytes
        if total is not None and position < total:
            raise Setback(f"the connection ended at {position:,} of {total:,} bytes")

    def _check_length(self, position: int) -> None:
        most = self.remote.num_bytes or MAX_BYTES
        if position > most:
            self.part.discard()
            refuse(self.remote, f"must have {most:,} bytes", "more than these")

    def _check(self) -> str:
        """Compares length and checksum; a file that differs is thrown away."""
        remote, num_bytes = self.remote, self.part.num_bytes
        digest = compute_digest(self.part.path, like=remote.digest)
        if num_bytes == (remote.num_bytes or num_bytes) and digest == (
            remote.digest or digest
        ):
            return digest
        self.part.discard()
        self.mismatches += 1
        if self.mismatches > 1:  # not an accident of the way
            length = f"{remote.num_bytes or num_bytes:,} bytes"
            refuse(
                remote,
                f"must have {length}, {remote.digest or 'as published'}",
                f"{num_bytes:,} bytes, {digest}",
            )
        raise Setback("it is not the file that was published", restart=True)

    def _recover(self, setback: Setback) -> None:
        """Gives up, or waits for the next try."""
        if self.stop.is_set():
            raise Stopped
        if setback.restart:
            self.part.discard()
            self.report(0)
        reached = self.part.num_bytes
        if reached >= self.furthest + self.patience.worthwhile_bytes:
            self.fails = 0
        self.furthest = max(self.furthest, reached)
        self.fails += 1
        patience = self.patience
        tries = patience.tries if self.answered else patience.tries_unanswered
        if self.fails >= tries:
            refuse(
                self.remote,
                "must come whole",
                f"{setback.reason}, {self.fails} tries in a row (what came is kept)",
            )
        wait = setback.wait_seconds
        if wait is None:
            wait = patience.first_wait_seconds * 2 ** (self.fails - 1)
        wait = min(wait, patience.longest_wait_seconds)
        logger.info(
            "%s: %s; next try in %.0f s", self.remote.name, setback.reason, wait
        )
        if self.stop.wait(wait):
            raise Stopped


def _headers(offset: int, origin: Origin | None) -> dict[str, str]:
    headers = {"Accept-Encoding": "identity"}
    if offset:
        headers["Range"] = f"bytes={offset}-"
        if origin is not None and origin.validator is not None:
            headers["If-Range"] = origin.validator
    return headers


def _iterate(response: requests.Response) -> Iterator[bytes]:
    """Yields the body as it was sent: a gzip file stays one whatever the headers say."""
    try:
        while block := response.raw.read1(BLOCK_BYTES, decode_content=False):
            yield block
    except (HTTPError, OSError) as error:
        raise Setback(f"the connection broke ({type(error).__name__})") from error


def _take_head(blocks: Iterator[bytes]) -> bytes:
    head = b""
    while len(head) < HEAD_BYTES and (block := next(blocks, b"")):
        head += block
    return head
