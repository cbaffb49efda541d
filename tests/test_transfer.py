"""A file over HTTP is the source's bytes, or one clear line and nothing in place."""

import errno
import gzip
import hashlib
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import requests
from http_server import (
    Behaviour,
    Served,
    Server,
    announce_less,
    announce_more,
    chunked,
    cut,
    flip_a_byte,
    hang,
    honest,
    ignore_range,
    ignore_range_and_cut,
    other_content,
    other_range,
    page,
    page_without_type,
    range_under_200,
    redirect,
    said_to_be_compressed,
    serving,
    status,
    unsatisfiable,
)
from hypothesis import HealthCheck, given, settings, strategies as st

from dualnet.data.download import Stopped
from dualnet.data.download.answers import parse_retry_after, read_answer
from dualnet.data.download.part_file import PartFile
from dualnet.data.download.release import RemoteFile
from dualnet.data.download.transfer import Patience, fetch_file
from dualnet.errors import DownloadError, StorageError

CONTENT = gzip.compress(random.Random(0).randbytes(300_000), mtime=0)
MD5 = f"md5:{hashlib.md5(CONTENT).hexdigest()}"
SHA256 = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"
HASTE = Patience(
    tries=4,
    tries_unanswered=3,
    worthwhile_bytes=1000,
    first_wait_seconds=0.0,
    longest_wait_seconds=0.01,
    read_seconds=0.2,
)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serving() as server:
        yield server


def serve(server: Server, *behaviours: Behaviour, **fields: object) -> Served:
    served = Served(CONTENT, **fields).misbehave(*behaviours)  # pyright: ignore
    server.files["/a.gz"] = served
    return served


def remote(server: Server, **fields: object) -> RemoteFile:
    values = {"num_bytes": len(CONTENT), "digest": MD5, "name": "a.gz", **fields}
    return RemoteFile(url=server.url("/a.gz"), page="https://example.org", **values)  # pyright: ignore


def fetch(server: Server, folder: Path, **fields: object) -> str:
    return fetch_file(remote(server, **fields), folder / "a.gz", patience=HASTE)


def assert_whole(folder: Path) -> None:
    assert (folder / "a.gz").read_bytes() == CONTENT
    assert [path.name for path in folder.iterdir()] == ["a.gz"]


def test_a_file_comes_whole_and_its_digest_is_returned(
    server: Server, tmp_path: Path
) -> None:
    served = serve(server)
    assert fetch(server, tmp_path) == MD5
    assert_whole(tmp_path)
    assert served.requests[0]["accept-encoding"] == "identity"
    assert "range" not in served.requests[0]


def test_without_a_published_digest_sha256_is_returned(
    server: Server, tmp_path: Path
) -> None:
    serve(server)
    assert fetch(server, tmp_path, digest=None, num_bytes=None) == SHA256
    assert_whole(tmp_path)


def test_a_cut_connection_is_resumed_where_it_stopped(
    server: Server, tmp_path: Path
) -> None:
    served = serve(server, cut(100_000), cut(50_000))
    fetch(server, tmp_path)
    assert_whole(tmp_path)
    asked = [(r.get("range"), r.get("if-range")) for r in served.requests]
    assert asked == [
        (None, None),
        ("bytes=100000-", '"1"'),
        ("bytes=150000-", '"1"'),
    ]


def test_a_file_that_changed_meanwhile_is_not_spliced(
    server: Server, tmp_path: Path
) -> None:
    served = serve(server, cut(100_000))
    served.content, served.etag = bytes([31, 139]) + bytes(300_000), '"0"'
    with pytest.raises(DownloadError):
        fetch_file(
            remote(server, digest=None, num_bytes=None),
            tmp_path / "a.gz",
            patience=Patience(tries_unanswered=1, tries=1),
        )
    assert (tmp_path / "a.gz.part").stat().st_size == 100_000
    served.content, served.etag = CONTENT, '"1"'
    assert fetch(server, tmp_path, digest=None, num_bytes=None) == SHA256
    assert_whole(tmp_path)
    assert served.requests[1]["if-range"] == '"0"'


def test_a_server_that_passes_over_if_range_is_found_out(
    server: Server, tmp_path: Path
) -> None:
    served = serve(server, cut(100_000), etag='"0"')

    def change(handler, served):
        served.etag = '"1"'
        headers = {"ETag": '"1"'}
        last = len(CONTENT) - 1
        headers["Content-Range"] = f"bytes 100000-{last}/{len(CONTENT)}"
        handler.reply(206, CONTENT[100_000:], **headers)

    served.misbehave(change)
    fetch(server, tmp_path)
    assert_whole(tmp_path)
    assert "range" not in served.requests[2]


@pytest.mark.parametrize(("etag", "digest"), [(None, None), ('W/"1"', None)])
def test_nothing_is_resumed_that_nothing_would_check(
    etag: str | None, digest: str | None, server: Server, tmp_path: Path
) -> None:
    served = serve(server, cut(100_000), etag=etag)
    fetch(server, tmp_path, digest=digest)
    assert_whole(tmp_path)
    assert "range" not in served.requests[1]


def test_without_an_etag_a_published_digest_allows_to_resume(
    server: Server, tmp_path: Path
) -> None:
    served = serve(server, cut(100_000), etag=None)
    fetch(server, tmp_path)
    assert_whole(tmp_path)
    assert served.requests[1]["range"] == "bytes=100000-"
    assert "if-range" not in served.requests[1]


@pytest.mark.parametrize(
    "behaviours",
    [
        (ignore_range,),
        (cut(100_000), ignore_range),
        (cut(100_000), other_range),
        (cut(100_000), range_under_200),
        (cut(100_000), unsatisfiable),
        (cut(100_000), status(500), cut(100_000), status(502), status(504)),
        (status(503, Retry_After="0"), status(429, Retry_After="nonsense")),
        (status(429, Retry_After="86400"),),  # a day: capped
        (flip_a_byte,),
        (cut(100_000), flip_a_byte),
        (other_content,),
        (chunked(),),
        (chunked(whole=False),),
        (said_to_be_compressed,),
        (hang(100_000, threading.Event()),),
        (cut(0), cut(0)),
    ],
)
def test_what_can_be_mended_is_mended(
    behaviours: tuple[Behaviour, ...], server: Server, tmp_path: Path
) -> None:
    serve(server, *behaviours)
    fetch(server, tmp_path)
    assert_whole(tmp_path)


@pytest.mark.parametrize(
    ("always", "message", "tries"),
    [
        (status(404), "HTTP status 404", 1),
        (status(403), "HTTP status 403", 1),
        (page, "must be a gzip file. Received: a web page", 1),
        (page_without_type, "must be a gzip file. Received: a web page", 1),
        (status(200), r"must be a gzip file. Received: first bytes b'an error'", 1),
        (status(500), "the server answered 500, 3 tries in a row", 3),
        (announce_less, r"300,\d+ bytes, as published. Received: 300,\d+ bytes", 1),
        (announce_more, r"as published. Received: 300,\d+ bytes offered", 1),
        (chunked(surplus=b"more"), "Received: more than these", 1),
        (other_content, f"{MD5}. Received: .* bytes, md5:", 2),
        (ignore_range_and_cut, "the connection .*, 4 tries in a row", 4),
        (redirect("/a.gz"), "Received: TooManyRedirects", 31),
    ],
)
def test_what_cannot_be_mended_is_one_line_and_nothing_in_place(
    always: Behaviour, message: str, tries: int, server: Server, tmp_path: Path
) -> None:
    served = serve(server, always=always)
    with pytest.raises(DownloadError, match=message) as caught:
        fetch(server, tmp_path)
    assert str(caught.value).startswith("a.gz: must ")
    assert "https://example.org" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "a.gz").exists()
    assert len(served.requests) == tries


@pytest.mark.parametrize("behaviour", [page, status(404), status(403), status(500)])
def test_an_error_never_replaces_what_has_come(
    behaviour: Behaviour, server: Server, tmp_path: Path
) -> None:
    served = serve(server, cut(100_000), always=behaviour)
    with pytest.raises(DownloadError):
        fetch(server, tmp_path)
    assert (tmp_path / "a.gz.part").read_bytes() == CONTENT[:100_000]
    served.always = None
    fetch(server, tmp_path)
    assert_whole(tmp_path)
    assert served.requests[-1]["range"] == "bytes=100000-"


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    behaviours=st.lists(
        st.sampled_from(
            [
                honest,
                cut(1),
                cut(60_000),
                ignore_range,
                ignore_range_and_cut,
                other_range,
                range_under_200,
                unsatisfiable,
                announce_more,
                announce_less,
                flip_a_byte,
                other_content,
                chunked(),
                chunked(whole=False),
                page,
                page_without_type,
                status(404),
                status(503),
                status(200),
            ]
        ),
        max_size=6,
    ),
    published=st.booleans(),
)
def test_whatever_the_server_does_the_bytes_are_the_sources_or_absent(
    behaviours: list[Behaviour],
    published: bool,
    server: Server,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("any")
    served = serve(server, *behaviours)
    fields = {} if published else {"num_bytes": None}
    for _ in range(2):  # the second call goes on with what the first has left
        try:
            digest = fetch(server, folder, **fields)
        except DownloadError as error:
            assert "\n" not in str(error)
            assert not (folder / "a.gz").exists()
        else:
            assert digest == MD5
            assert_whole(folder)
            return
    served.behaviours.clear()
    fetch(server, folder, **fields)
    assert_whole(folder)


def test_a_length_that_is_announced_too_long_is_not_believed(
    server: Server, tmp_path: Path
) -> None:
    serve(server, announce_more)
    fetch(server, tmp_path, num_bytes=None)
    assert_whole(tmp_path)


def test_a_killed_process_is_resumed(server: Server, tmp_path: Path) -> None:
    go_on = threading.Event()
    served = serve(server, hang(200_000, go_on))
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from dualnet.data.download.release import RemoteFile\n"
        "from dualnet.data.download.transfer import fetch_file\n"
        "remote = RemoteFile(name='a.gz', url=sys.argv[1], page='', digest=sys.argv[2])\n"
        "fetch_file(remote, Path(sys.argv[3]))\n"
    )
    words = [server.url("/a.gz"), MD5, str(tmp_path / "a.gz")]
    with subprocess.Popen([sys.executable, "-c", code, *words]) as process:
        part = tmp_path / "a.gz.part"
        deadline = time.monotonic() + 20
        while not (part.exists() and part.stat().st_size > 0):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    go_on.set()
    size = part.stat().st_size
    fetch(server, tmp_path)
    assert_whole(tmp_path)
    assert served.requests[1]["range"] == f"bytes={size}-"


def test_a_whole_part_is_checked_without_asking(server: Server, tmp_path: Path) -> None:
    served = serve(server, cut(len(CONTENT) - 1))
    with pytest.raises(DownloadError):
        fetch_file(
            remote(server),
            tmp_path / "a.gz",
            patience=Patience(tries=1, tries_unanswered=1),
        )
    with (tmp_path / "a.gz.part").open("ab") as stream:
        stream.write(CONTENT[-1:])
    fetch(server, tmp_path)
    assert_whole(tmp_path)
    assert len(served.requests) == 1


def test_a_part_of_another_address_is_not_gone_on_with(
    server: Server, tmp_path: Path
) -> None:
    served = serve(server)
    (tmp_path / "a.gz.part").write_bytes(b"other")
    (tmp_path / "a.gz.part.json").write_text(
        '{"url": "http://other", "validator": "\\"1\\"", "num_bytes": 9}'
    )
    fetch(server, tmp_path)
    assert_whole(tmp_path)
    assert "range" not in served.requests[0]


def test_a_redirect_is_followed_at_each_try(server: Server, tmp_path: Path) -> None:
    links = [server.url("/signed-1"), server.url("/signed-2")]
    first = serve(server, redirect(links[0]), redirect(links[1]))
    server.files["/signed-1"] = Served(CONTENT).misbehave(cut(100_000))
    second = server.files["/signed-2"] = Served(CONTENT)
    fetch(server, tmp_path)
    assert_whole(tmp_path)
    assert len(first.requests) == 2
    assert second.requests[0]["range"] == "bytes=100000-"


def test_bytes_are_reported_as_they_come(server: Server, tmp_path: Path) -> None:
    serve(server, cut(100_000))
    reported: list[int] = []
    fetch_file(
        remote(server), tmp_path / "a.gz", patience=HASTE, report=reported.append
    )
    assert reported == sorted(reported)
    assert reported[-1] == len(CONTENT)


def test_a_stop_is_obeyed_and_what_came_is_kept(server: Server, tmp_path: Path) -> None:
    serve(server, cut(100_000), always=status(500))
    stop = threading.Event()
    with pytest.raises(Stopped):
        fetch_file(
            remote(server),
            tmp_path / "a.gz",
            patience=HASTE,
            report=lambda _: stop.set(),
            stop=stop,
        )
    assert 0 < (tmp_path / "a.gz.part").stat().st_size <= 100_000


def test_a_server_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    gone = RemoteFile(name="a.gz", url="http://127.0.0.1:9/a.gz", page="https://p")
    with pytest.raises(DownloadError, match=r"no connection .*, 3 tries in a row"):
        fetch_file(gone, tmp_path / "a.gz", patience=HASTE)
    assert list(tmp_path.iterdir()) == []


def test_a_certificate_that_is_not_trusted_is_not_tried_again(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = []

    def get(*args: object, **kwargs: object) -> None:
        tries.append(args)
        raise requests.exceptions.SSLError("self-signed certificate")

    monkeypatch.setattr(requests.Session, "get", get)
    with pytest.raises(DownloadError, match=r"not trusted .*REQUESTS_CA_BUNDLE"):
        fetch(server, tmp_path)
    assert len(tries) == 1


def test_a_redirect_away_from_https_is_refused(server: Server) -> None:
    with pytest.raises(DownloadError, match=r"by https\. Received: a redirect"):
        read_answer(
            RemoteFile(name="a.gz", url="https://example.org/a.gz", page="https://p"),
            status=200,
            headers={},
            final_url="http://example.org/a.gz",
            offset=0,
            origin=None,
        )


def test_a_full_disk_is_a_storage_error(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    serve(server)
    monkeypatch.setattr(PartFile, "begin", fail)
    with pytest.raises(StorageError, match=r"a\.gz: .*No space left on device"):
        fetch(server, tmp_path)


def test_a_folder_that_cannot_be_written_is_a_storage_error(
    server: Server, tmp_path: Path
) -> None:
    serve(server)
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(StorageError, match=r"file/a\.gz: must be writable"):
        fetch(server, tmp_path / "file")


def test_a_table_that_is_compressed_is_refused(server: Server, tmp_path: Path) -> None:
    serve(server)
    with pytest.raises(DownloadError, match=r"must be a text file. Received: a gzip"):
        fetch(server, tmp_path, name="table.csv")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, None),
        ("0", 0.0),
        (" 7 ", 7.0),
        ("-5", None),
        ("soon", None),
        ("Thu, 01 Jan 2026 00:00:30 GMT", 30.0),
        ("Thu, 01 Jan 2026 00:00:30 -0000", 30.0),
        ("Wed, 31 Dec 2025 00:00:00 GMT", 0.0),
    ],
)
def test_retry_after_is_seconds_or_a_date(
    text: str | None, seconds: float | None
) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert parse_retry_after(text, now=now) == seconds
