"""HTTP/1.1 for the server: one small asyncio protocol on httptools' parser.

It is here instead of an ASGI server for two reasons. Requests and answers are single blocks of bytes, which need no
stream of ASGI messages each; and TensorFlow Serving's answers to what is not a proper request (HTML pages, 501 for
unknown verbs) come out right.
"""

from __future__ import annotations

import asyncio
import logging
import time
import zlib
from collections import deque
from collections.abc import Callable
from email.utils import formatdate
from http import HTTPStatus

import httptools

from serving.rest.json_writer import error_body

log = logging.getLogger(__name__)

JSON = b"application/json"
HTML = b"text/html"

IDLE_SECONDS = 50.0
"""A connection without a request under way is closed after this time, as libevent does."""

_MAX_HEAD_BYTES = 64 * 1024
_MAX_INFLATED_BYTES = 100 * 1024 * 1024
"""A gzip body beyond this counts as empty, as in TensorFlow Serving."""
_MAX_PIPELINED = 16
_LINGER_SECONDS = 2.0
_METHODS = frozenset((b"GET", b"POST", b"HEAD", b"PUT", b"DELETE", b"OPTIONS", b"PATCH"))
_STATUS_LINES = {
    status: b"HTTP/1.1 %d %s\r\n" % (status, phrase.encode())
    for status, phrase in {499: "Client Closed Request", **{item.value: item.phrase for item in HTTPStatus}}.items()
}


class Request:
    """A request as it came in.

    Attributes:
      target: path, query and fragment, still percent-encoded.
      body: inflated if it was sent with gzip.
    """

    __slots__ = ("body", "headers", "keep_alive", "method", "target")

    def __init__(self, method: str, target: str, headers: dict[bytes, bytes], body: bytes, keep_alive: bool):
        self.method = method
        self.target = target
        self.headers = headers
        self.body = body
        self.keep_alive = keep_alive


Respond = Callable[..., None]
"""`respond(status, body, content_type=JSON, headers=b"", close=False)`, on the event loop's thread, exactly once."""

Handler = Callable[[Request, Respond], None]


def html_error(status: int) -> bytes:
    """libevent's page for requests that no handler takes."""
    phrase = HTTPStatus(status).phrase
    return (
        f"<HTML><HEAD>\n<TITLE>{status} {phrase}</TITLE>\n</HEAD><BODY>\n<H1>{phrase}</H1>\n</BODY></HTML>\n"
    ).encode()


class Connections:
    """What all connections of a server share.

    Attributes:
      handle: answers one request; to be set before the first connection.
      max_body: longest request body in bytes; longer ones get 413.
      in_flight: requests that have no answer yet.
      draining: whether the server is about to stop.
    """

    def __init__(self, max_body: int):
        self.handle: Handler
        self.max_body = max_body
        self.open: set[HttpProtocol] = set()
        self.in_flight = 0
        self.draining = False
        self._date = (0, b"")

    def date(self) -> bytes:
        now = int(time.time())
        if self._date[0] != now:
            self._date = (now, formatdate(now, usegmt=True).encode())
        return self._date[1]

    def close_idle(self) -> None:
        """Closes connections on which nothing has happened for long; called from time to time."""
        limit = time.monotonic() - IDLE_SECONDS
        for connection in list(self.open):
            if not connection.busy and connection.last_activity < limit:
                connection.close()


class HttpProtocol(asyncio.Protocol):
    """One connection. Pipelined requests are answered one after the other."""

    def __init__(self, connections: Connections):
        self._shared = connections
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._waiting: deque[Request] = deque()
        self.busy = False
        self.last_activity = time.monotonic()
        self._discard = False
        self._refusal = 0
        self._looping = False
        self._reset()

    def _reset(self) -> None:
        self._url = b""
        self._headers: dict[bytes, bytes] = {}
        self._body: list[bytes] = []
        self._body_bytes = 0
        self._head_bytes = 0

    # --- transport --------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._shared.open.add(self)

    def connection_lost(self, _: Exception | None) -> None:
        self._transport = None
        self._waiting.clear()
        self._shared.open.discard(self)

    def eof_received(self) -> bool:
        return self.busy  # a half-closed client still gets its answer

    def data_received(self, data: bytes) -> None:
        if self._discard:
            return
        self.last_activity = time.monotonic()
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._discard = True  # upgrades are not offered; the request itself has been taken
        except httptools.HttpParserInvalidMethodError:
            self._refuse(501)
        except (httptools.HttpParserError, httptools.HttpParserCallbackError):
            if not self._discard:
                self._refuse(400)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    # --- parser -----------------------------------------------------------------------------------------------------

    def on_url(self, url: bytes) -> None:
        self._url += url
        self._count_head(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.lower()] = value
        self._count_head(len(name) + len(value))

    def _count_head(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > _MAX_HEAD_BYTES and not self._discard:
            self._refuse(431)

    def on_headers_complete(self) -> None:
        if self._discard:
            return
        length = self._headers.get(b"content-length", b"0")
        if length.isdigit() and int(length[:20]) > self._shared.max_body:
            self._refuse(413)
        elif self._headers.get(b"expect", b"").lower() == b"100-continue" and self._transport is not None:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        if self._discard:
            return
        self._body_bytes += len(body)
        if self._body_bytes > self._shared.max_body:
            self._refuse(413)
        else:
            self._body.append(body)

    def on_message_complete(self) -> None:
        if self._discard:
            return
        method = self._parser.get_method()
        keep_alive = self._parser.should_keep_alive()
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        headers, url = self._headers, self._url
        self._reset()
        if method not in _METHODS:
            self._refuse(501)
            return
        if body and b"gzip" in headers.get(b"content-encoding", b""):
            body = _inflate(body, self._shared.max_body)
            if body is None:
                self._refuse(413)
                return
        request = Request(method.decode(), _target(url), headers, body, keep_alive)
        self._waiting.append(request)
        if not self.busy:
            self._next()
        elif len(self._waiting) >= _MAX_PIPELINED and self._transport is not None:
            self._transport.pause_reading()

    # --- answering --------------------------------------------------------------------------------------------------

    def _next(self) -> None:
        """Handles waiting requests until one takes time; those that are answered at once come round in this loop."""
        if self._looping:
            return
        self._looping = True
        while self._waiting and not self.busy:
            request = self._waiting.popleft()
            if len(self._waiting) == _MAX_PIPELINED - 1 and self._transport is not None:
                self._transport.resume_reading()
            self._start(request)
        self._looping = False
        if self._refusal and not self.busy and self._transport is not None and not self._transport.is_closing():
            self._refuse(self._refusal)

    def _start(self, request: Request) -> None:
        self.busy = True
        self._shared.in_flight += 1
        try:
            self._shared.handle(request, _Responder(self, request))
        except Exception:
            log.exception("a request failed inside the server")
            if self.busy:
                self.finish(request, 500, error_body("Internal error"), JSON, b"", close=True)

    def finish(self, request: Request, status: int, body: bytes, content_type: bytes, extra: bytes, close: bool):
        """Writes the answer and takes the next pipelined request."""
        self._shared.in_flight -= 1
        self.busy = False
        self.last_activity = time.monotonic()
        if self._transport is None:
            return
        close = close or not request.keep_alive
        self._write(status, body if request.method != "HEAD" else b"", content_type, extra, close)
        if close:
            self._waiting.clear()
            self._discard = True
            self._transport.close()
        else:
            self._next()

    def _write(self, status: int, body: bytes, content_type: bytes, extra: bytes, close: bool) -> None:
        head = b"%s%sDate: %s\r\nContent-Length: %d\r\n%s%s\r\n" % (
            _STATUS_LINES[status],
            b"Content-Type: %s\r\n" % content_type if content_type else b"",
            self._shared.date(),
            len(body),
            extra,
            b"Connection: close\r\n" if close else b"",
        )
        self._transport.write(head + body)

    def _refuse(self, status: int) -> None:
        """Answers what cannot become a request, in its turn, and hangs up."""
        self._discard = True
        self._refusal = status
        if self._transport is None or self.busy:
            return
        if status == 413:
            body, kind = error_body(f"The request body is longer than {self._shared.max_body} bytes"), JSON
        else:
            body, kind = html_error(status), HTML
        self._write(status, body, kind, b"", True)
        # Closing now could reset the connection before the client, still sending, has read the answer.
        if self._transport.can_write_eof():
            self._transport.write_eof()
        asyncio.get_running_loop().call_later(_LINGER_SECONDS, self.close)


class _Responder:
    __slots__ = ("_protocol", "_request")

    def __init__(self, protocol: HttpProtocol, request: Request):
        self._protocol = protocol
        self._request = request

    def __call__(
        self, status: int, body: bytes, content_type: bytes = JSON, headers: bytes = b"", close: bool = False
    ) -> None:
        self._protocol.finish(self._request, status, body, content_type, headers, close)


def _target(url: bytes) -> str:
    """Path and query; of `http://host/path`, as proxies send it, what follows the host."""
    if not url.startswith(b"/") and b"://" in url:
        rest = url.split(b"://", 1)[1]
        slash = rest.find(b"/")
        url = rest[slash:] if slash >= 0 else b"/"
    return url.decode("utf-8", "surrogateescape")


def _inflate(body: bytes, max_body: int) -> bytes | None:
    """The unpacked body, b"" if it is not gzip, None if it is longer than allowed."""
    inflater = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    limit = min(max_body, _MAX_INFLATED_BYTES)
    try:
        inflated = inflater.decompress(body, limit + 1)
    except zlib.error:
        return b""
    if len(inflated) > limit:
        return None
    return inflated if inflater.eof else b""
