"""HTTP/1.1 for the server: an asyncio protocol on httptools' parser.

The server does not use an ASGI server for two reasons. Requests and responses are single blocks of bytes, so a stream
of ASGI messages for each would only cost time. And the responses to malformed requests (HTML pages, 501 for unknown
methods) have to be those of TensorFlow Serving.

`Limits` bounds what a client can take from the server: connections, bytes, and time.
"""

from __future__ import annotations

import asyncio
import logging
import time
import zlib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus
from typing import cast

import httptools

from serving.rest.json_writer import error_body

log = logging.getLogger(__name__)

JSON = b"application/json"
HTML = b"text/html"
RETRY_AFTER = b"Retry-After: 1\r\n"
"""Header of a 503."""

_MAX_HEAD_BYTES = 64 * 1024
_MAX_INFLATED_BYTES = 100 * 1024 * 1024
"""A gzip body beyond this counts as empty, as in TensorFlow Serving."""
_MAX_PIPELINED = 16
"""Complete requests that may wait on a connection; beyond this the server stops reading."""
_LINGER_SECONDS = 2.0
"""How long a refused connection stays open, so that the client can read why."""
_CHECK_SECONDS = 1.0
_METHODS = frozenset((b"GET", b"POST", b"HEAD", b"PUT", b"DELETE", b"OPTIONS", b"PATCH"))
_STATUS_LINES = {
    status: b"HTTP/1.1 %d %s\r\n" % (status, phrase.encode())
    for status, phrase in {499: "Client Closed Request", **{item.value: item.phrase for item in HTTPStatus}}.items()
}


class Request:
    """A request as it was received.

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
    """libevent's error page."""
    phrase = HTTPStatus(status).phrase
    return (
        f"<HTML><HEAD>\n<TITLE>{status} {phrase}</TITLE>\n</HEAD><BODY>\n<H1>{phrase}</H1>\n</BODY></HTML>\n"
    ).encode()


@dataclass(frozen=True)
class Limits:
    """What clients may take from the server.

    Attributes:
      body_bytes: length of a request body; longer ones get 413.
      connections: open connections; further ones get 503.
      idle_seconds: time without a request on an open connection, which is then closed. libevent has the same limit.
      request_seconds: time from the first byte of a request to its last, else 408.
      unread_seconds: time in which a client reads no byte of a response that waits for it, else the connection is cut.
    """

    body_bytes: int = 16 * 1024 * 1024
    connections: int = 1024
    idle_seconds: float = 50.0
    request_seconds: float = 30.0
    unread_seconds: float = 30.0


class Connections:
    """The state that all connections of a server share.

    Attributes:
      handle: answers one request; has to be set before the first connection.
      in_flight: requests that have no response yet.
      draining: whether the server is about to stop.
      open: connections that are served.
      refused: connections beyond the limit, which are being told so.
    """

    def __init__(self, limits: Limits):
        self.handle: Handler
        self.limits = limits
        self.open: set[HttpProtocol] = set()
        self.refused: set[HttpProtocol] = set()
        self.in_flight = 0
        self.draining = False
        self._date = (0, b"")

    def date(self) -> bytes:
        now = int(time.time())
        if self._date[0] != now:
            self._date = (now, formatdate(now, usegmt=True).encode())
        return self._date[1]

    def enforce_limits(self, now: float) -> None:
        """Ends the connections that have used up their time.

        Args:
          now: `time.monotonic()`.
        """
        for connection in (*self.open, *self.refused):
            connection.enforce_limits(now)

    async def watch(self, pause: float = _CHECK_SECONDS) -> None:
        """Calls `enforce_limits` at regular intervals, for ever."""
        while True:
            await asyncio.sleep(pause)
            self.enforce_limits(time.monotonic())


class HttpProtocol(asyncio.Protocol):
    """One connection. Pipelined requests are answered one after the other."""

    def __init__(self, connections: Connections):
        self._shared = connections
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._waiting: deque[Request] = deque()
        self._busy = False
        self._last_answer = time.monotonic()
        # Bytes of responses so far, how many of them the client had taken at the last look, and when that grew.
        self._written = self._taken = 0
        self._last_taken = 0.0
        self._discard = False
        self._refusal = 0
        self._hung_up = False
        self._looping = False
        self._writable = True
        self._reading = True
        self._reset()

    def _reset(self) -> None:
        self._url = b""
        self._headers: dict[bytes, bytes] = {}
        self._body: list[bytes] = []
        self._body_bytes = 0
        self._head_bytes = self._head_received = 0
        self._in_head = True
        self._request_began = 0.0  # between requests

    # --- transport --------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        shared = self._shared
        if len(shared.open) < shared.limits.connections:
            shared.open.add(self)
        elif len(shared.refused) < shared.limits.connections:
            if not shared.refused:
                log.warning("further connections get 503", extra={"open": len(shared.open)})
            shared.refused.add(self)
            self._refuse(503)
        else:
            self._transport.abort()

    def connection_lost(self, _: Exception | None) -> None:
        self._transport = None
        self._waiting.clear()
        self._shared.open.discard(self)
        self._shared.refused.discard(self)

    def eof_received(self) -> bool:
        return self._busy or bool(self._waiting)  # a half-closed client still gets its responses

    def data_received(self, data: bytes) -> None:
        if self._discard:
            return
        began = self._request_began
        try:
            self._parser.feed_data(data)
            if began and self._in_head and self._request_began == began:
                # The parser reports a header only when it is complete, so unfinished ones are counted here.
                self._head_received += len(data)
                if self._head_received > _MAX_HEAD_BYTES and not self._discard:
                    self._refuse(431)
        except httptools.HttpParserUpgrade:
            self._discard = True  # upgrades are not offered; the request itself has been taken
        except httptools.HttpParserInvalidMethodError:
            self._refuse(501)
        except (httptools.HttpParserError, httptools.HttpParserCallbackError):
            if not self._discard:
                self._refuse(400)

    def pause_writing(self) -> None:
        """Called when the transport's buffer is full: the client must read before it gets more."""
        self._writable = False
        self._pause_or_resume_reading()

    def resume_writing(self) -> None:
        self._writable = True
        self._next()
        self._pause_or_resume_reading()

    def _pause_or_resume_reading(self) -> None:
        wanted = self._writable and len(self._waiting) < _MAX_PIPELINED
        if wanted != self._reading and self._transport is not None and not self._transport.is_closing():
            self._reading = wanted
            if wanted:
                self._transport.resume_reading()
            else:
                self._transport.pause_reading()

    def enforce_limits(self, now: float) -> None:
        """Ends the connection if the client has taken too long for what it has to do next."""
        if self._transport is None:
            return
        limits = self._shared.limits
        unread = self._transport.get_write_buffer_size()
        if unread == 0 or self._written - unread > self._taken:
            self._taken, self._last_taken = self._written - unread, now
        elif now - self._last_taken > limits.unread_seconds:
            self._transport.abort()
            return
        if self._busy or self._waiting or self._hung_up:
            return
        if self._request_began:
            # While an earlier request was under way the server may not have read.
            if now - max(self._request_began, self._last_answer) > limits.request_seconds:
                self._refuse(408)
        elif now - self._last_answer > limits.idle_seconds:
            self.close()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    # --- parser -----------------------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        self._request_began = time.monotonic()

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
        self._in_head = False
        if self._discard:
            return
        length = self._headers.get(b"content-length", b"0")
        if length.isdigit() and int(length[:20]) > self._shared.limits.body_bytes:
            self._refuse(413)
        elif self._headers.get(b"expect", b"").lower() == b"100-continue" and self._transport is not None:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        if self._discard:
            return
        self._body_bytes += len(body)
        if self._body_bytes > self._shared.limits.body_bytes:
            self._refuse(413)
        else:
            self._body.append(body)

    def on_message_complete(self) -> None:
        if self._discard:
            return
        method = self._parser.get_method()
        keep_alive = self._parser.should_keep_alive()
        body: bytes | None = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        headers, url = self._headers, self._url
        self._reset()
        if method not in _METHODS:
            self._refuse(501)
            return
        if body and b"gzip" in headers.get(b"content-encoding", b""):
            body = _inflate(body, self._shared.limits.body_bytes)
        if body is None:
            self._refuse(413)
            return
        self._waiting.append(Request(method.decode(), _target(url), headers, body, keep_alive))
        if self._busy or not self._writable:
            self._pause_or_resume_reading()
        else:
            self._next()

    # --- answering --------------------------------------------------------------------------------------------------

    def _next(self) -> None:
        """Handles waiting requests until one takes time. A loop, because `finish` calls this for the next request."""
        if self._looping:
            return
        self._looping = True
        while self._waiting and not self._busy and self._writable:
            request = self._waiting.popleft()
            if not self._reading:
                self._pause_or_resume_reading()
            self._start(request)
        self._looping = False
        if self._refusal and not (self._busy or self._waiting):
            self._refuse(self._refusal)

    def _start(self, request: Request) -> None:
        self._busy = True
        self._shared.in_flight += 1
        try:
            self._shared.handle(request, _Responder(self, request))
        except Exception:
            log.exception("a request failed inside the server")
            if self._busy:
                self.finish(request, 500, error_body("Internal error"), JSON, b"", close=True)

    def finish(
        self, request: Request, status: int, body: bytes, content_type: bytes, extra: bytes, close: bool
    ) -> None:
        """Writes the response and takes the next pipelined request."""
        self._shared.in_flight -= 1
        self._busy = False
        self._last_answer = time.monotonic()
        if self._transport is None:
            return
        close = close or not request.keep_alive
        if close:
            self._waiting.clear()
            self._discard = True
        self._write(self._transport, status, body if request.method != "HEAD" else b"", content_type, extra, close)
        if close:
            self._transport.close()
        else:
            self._next()

    def _write(
        self,
        transport: asyncio.Transport,
        status: int,
        body: bytes,
        content_type: bytes,
        extra: bytes,
        close: bool,
    ) -> None:
        head = b"%s%sDate: %s\r\nContent-Length: %d\r\n%s%s\r\n" % (
            _STATUS_LINES[status],
            b"Content-Type: %s\r\n" % content_type if content_type else b"",
            self._shared.date(),
            len(body),
            extra,
            b"Connection: close\r\n" if close else b"",
        )
        self._written += len(head) + len(body)
        transport.write(head + body)

    def _refuse(self, status: int) -> None:
        """Sends an error for something that is not a valid request, in its turn, and closes the connection."""
        self._discard = True
        self._refusal = status
        transport = self._transport
        if transport is None or transport.is_closing() or self._busy or self._waiting or self._hung_up:
            return
        self._hung_up = True
        body, kind, extra = html_error(status), HTML, b""
        if status == 413:
            body, kind = error_body(f"The request body is longer than {self._shared.limits.body_bytes} bytes"), JSON
        elif status == 503:
            body, kind, extra = error_body("The server has no connection left for this client"), JSON, RETRY_AFTER
        self._write(transport, status, body, kind, extra, close=True)
        # Closing now could reset the connection before the client, still sending, has read the response.
        if transport.can_write_eof():
            transport.write_eof()
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
    """The path and query of a URL. Proxies send `http://host/path`, and the host is dropped."""
    if not url.startswith(b"/") and b"://" in url:
        rest = url.split(b"://", 1)[1]
        slash = rest.find(b"/")
        url = rest[slash:] if slash >= 0 else b"/"
    return url.decode("utf-8", "surrogateescape")


def _inflate(body: bytes, max_body: int) -> bytes | None:
    """The unpacked body; b"" if it is not gzip, None if it is longer than allowed."""
    inflater = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    limit = min(max_body, _MAX_INFLATED_BYTES)
    try:
        inflated = inflater.decompress(body, limit + 1)
    except zlib.error:
        return b""
    if len(inflated) > limit:
        return None
    return inflated if inflater.eof else b""
