"""A real HTTP server on the loopback that misbehaves when told to."""

import re
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Behaviour = Callable[["Handler", "Served"], None]


@dataclass
class Served:
    """A file on the server; each request uses up one of `behaviours`, then `always`."""

    content: bytes
    etag: str | None = '"1"'
    content_type: str = "application/gzip"
    behaviours: deque[Behaviour] = field(default_factory=deque)
    always: Behaviour | None = None
    requests: list[dict[str, str]] = field(default_factory=list)

    def misbehave(self, *behaviours: Behaviour) -> "Served":
        self.behaviours.extend(behaviours)
        return self


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "Server"

    def do_GET(self) -> None:
        served = self.server.files.get(self.path)
        if served is None:
            self.reply(404, b"no such file")
            return
        served.requests.append({k.lower(): v for k, v in self.headers.items()})
        behaviour = served.always or honest
        if served.behaviours:
            behaviour = served.behaviours.popleft()
        try:
            behaviour(self, served)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def reply(
        self,
        status: int,
        body: bytes = b"",
        *,
        length: int | None = None,
        **headers: str,
    ) -> None:
        self.send_response(status)
        announced = len(body) if length is None else length
        self.send_header("Content-Length", str(announced))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()
        if announced != len(body):
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, Served] = {}

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_port}{path}"

    def handle_error(self, *args: object) -> None:
        pass  # a connection that the client dropped


@contextmanager
def serving() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def asked_for(handler: Handler, served: Served) -> int | None:
    """Returns the first byte that is asked for, if a range is, and still of this file."""
    match = re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range", ""))
    if match is None or handler.headers.get("If-Range", served.etag) != served.etag:
        return None
    return int(match[1])


def headers_of(served: Served) -> dict[str, str]:
    headers = {"Content-Type": served.content_type}
    return headers | ({"ETag": served.etag} if served.etag else {})


def send_part(handler: Handler, served: Served, start: int, end: int) -> None:
    """Sends bytes of the file as promised, or the connection's end after `end`."""
    content, headers = served.content, headers_of(served)
    asked = asked_for(handler, served)
    if asked is None:
        handler.reply(200, content[start:end], length=len(content) - start, **headers)
    elif asked >= len(content):
        handler.reply(416, Content_Range=f"bytes */{len(content)}")
    else:
        headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        handler.reply(206, content[start:end], length=len(content) - start, **headers)


def honest(handler: Handler, served: Served) -> None:
    start = asked_for(handler, served) or 0
    send_part(handler, served, start, len(served.content))


def cut(after: int) -> Behaviour:
    def behave(handler: Handler, served: Served) -> None:
        start = asked_for(handler, served) or 0
        send_part(handler, served, start, start + after)

    return behave


def status(code: int, **headers: str) -> Behaviour:
    def behave(handler: Handler, served: Served) -> None:
        handler.reply(code, b"an error, not the file", **headers)

    return behave


def ignore_range(handler: Handler, served: Served) -> None:
    handler.reply(200, served.content, **headers_of(served))


def ignore_range_and_cut(handler: Handler, served: Served) -> None:
    content = served.content
    handler.reply(
        200, content[: len(content) // 2], length=len(content), **headers_of(served)
    )


def other_range(handler: Handler, served: Served) -> None:
    """Sends 206 with bytes that nobody asked for, and says so."""
    content = served.content
    handler.reply(206, content[7:], Content_Range=f"bytes 7-{len(content) - 1}/*")


def range_under_200(handler: Handler, served: Served) -> None:
    content, start = served.content, asked_for(handler, served) or 0
    text = f"bytes {start}-{len(content) - 1}/{len(content)}"
    handler.reply(200, content[start:], Content_Range=text, **headers_of(served))


def unsatisfiable(handler: Handler, served: Served) -> None:
    handler.reply(416, Content_Range="bytes */3")


def page(handler: Handler, served: Served) -> None:
    handler.reply(
        200, b"<!DOCTYPE html><title>Log in</title>", Content_Type="text/html"
    )


def page_without_type(handler: Handler, served: Served) -> None:
    handler.reply(200, b"\n <html>Log in</html>" + bytes(1000))


def announce_more(handler: Handler, served: Served) -> None:
    content = served.content
    handler.reply(200, content, length=len(content) + 10, **headers_of(served))


def announce_less(handler: Handler, served: Served) -> None:
    handler.reply(200, served.content[:-10], **headers_of(served))


def other_content(handler: Handler, served: Served) -> None:
    content = served.content[:2] + bytes(len(served.content) - 2)
    handler.reply(200, content, **headers_of(served))


def flip_a_byte(handler: Handler, served: Served) -> None:
    start = asked_for(handler, served) or 0
    content = bytearray(served.content)
    content[start + (len(content) - start) // 2] ^= 1
    original, served.content = served.content, bytes(content)
    try:
        send_part(handler, served, start, len(content))
    finally:
        served.content = original


def chunked(*, whole: bool = True, surplus: bytes = b"") -> Behaviour:
    def behave(handler: Handler, served: Served) -> None:
        content = served.content + surplus
        half = len(content) // 2
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for block in (content[:half], content[half:]) if whole else (content[:half],):
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(block), block))
        if whole:
            handler.wfile.write(b"0\r\n\r\n")
        handler.close_connection = True

    return behave


def said_to_be_compressed(handler: Handler, served: Served) -> None:
    handler.reply(200, served.content, Content_Encoding="gzip", **headers_of(served))


def redirect(to: str) -> Behaviour:
    def behave(handler: Handler, served: Served) -> None:
        handler.reply(302, Location=to)

    return behave


def hang(after: int, until: threading.Event) -> Behaviour:
    """Sends some bytes, then nothing."""

    def behave(handler: Handler, served: Served) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(served.content)))
        handler.send_header("ETag", served.etag or '"none"')
        handler.end_headers()
        handler.wfile.write(served.content[:after])
        handler.wfile.flush()
        until.wait(20)
        handler.close_connection = True

    return behave
