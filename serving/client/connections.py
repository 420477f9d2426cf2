"""Keep-alive connections to a model server for asyncio programs that send it many small requests.

A request of `httpx.AsyncClient` takes 0.8 ms of processor time, one of these 0.04 ms.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import NamedTuple, cast
from urllib.parse import urlsplit

import httptools

from data.errors import ServiceError

MOST_CONNECTIONS = 64
"""Open to one server; further requests wait for one of them."""


class Answer(NamedTuple):
    """Status and body of a response."""

    status: int
    body: bytes


class _BrokenError(ServiceError):
    """The server closed the connection before it answered, as it may do with one that was idle."""


class Connections:
    """Sends requests to one server; used on one event loop.

    Args:
      url: of the server, such as `http://localhost:8501`; a path in it stands before the path of each request.
      timeout: seconds for one request.
    """

    def __init__(self, url: str, timeout: float = 30.0):
        parts = urlsplit(url)
        self._url, self._timeout = url.rstrip("/"), timeout
        self._host = parts.hostname or ""
        self._ssl = ssl.create_default_context() if parts.scheme == "https" else None
        self._port = parts.port or (443 if self._ssl else 80)
        self._before, self._name = parts.path.rstrip("/"), parts.netloc.rpartition("@")[2]
        self._idle: list[_Connection] = []
        self._free = asyncio.Semaphore(MOST_CONNECTIONS)

    async def request(self, method: str, path: str, body: bytes = b"") -> Answer:
        """The server's answer, whatever its status.

        Raises:
          ServiceError: the server cannot be reached, breaks off, or does not answer in time.
        """
        message = (
            f"{method} {self._before}{path} HTTP/1.1\r\nHost: {self._name}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        ).encode() + body
        async with self._free:
            while self._idle:
                connection = self._idle.pop()
                if connection.open:
                    try:
                        return await self._ask(connection, path, message)
                    except _BrokenError:
                        break
            return await self._ask(await self._connect(path), path, message)

    async def _ask(self, connection: _Connection, path: str, message: bytes) -> Answer:
        try:
            answer = await connection.ask(message, self._timeout)
        except asyncio.TimeoutError as error:
            raise ServiceError(f"{self._url}{path}: no answer in {self._timeout:g} seconds") from error
        except ServiceError as error:
            raise type(error)(f"{self._url}{path}: {error}") from error
        finally:
            connection.rest()
        if connection.open:
            self._idle.append(connection)
        return answer

    async def _connect(self, path: str) -> _Connection:
        loop = asyncio.get_running_loop()
        try:
            opening = loop.create_connection(_Connection, self._host, self._port, ssl=self._ssl)
            return (await asyncio.wait_for(opening, self._timeout))[1]
        except (OSError, asyncio.TimeoutError) as error:
            raise ServiceError(f"{self._url}{path}: {error or type(error).__name__}") from error

    def close(self) -> None:
        """Closes the connections that no request uses."""
        while self._idle:
            self._idle.pop().close()


class _Connection(asyncio.Protocol):
    """One connection, which answers one request at a time.

    Attributes:
      open: whether it can take a request.
    """

    def __init__(self) -> None:
        self.open = False
        self._loop = asyncio.get_running_loop()
        self._answer: asyncio.Future[Answer] | None = None

    async def ask(self, message: bytes, timeout: float) -> Answer:
        """Sends a request and waits for its answer.

        Raises:
          asyncio.TimeoutError: it takes longer.
          ServiceError: the connection breaks, or the answer is not HTTP.
        """
        self._parser = httptools.HttpResponseParser(self)
        self._body: list[bytes] = []
        self._began = False
        answer = self._answer = self._loop.create_future()
        timer = self._loop.call_later(timeout, self._fail, asyncio.TimeoutError())
        self._transport.write(message)
        try:
            return await answer
        finally:
            timer.cancel()

    def rest(self) -> None:
        """Ends a request; a connection whose answer did not come whole is closed."""
        if self._answer is not None:
            self._answer = None
            self.close()

    def close(self) -> None:
        self.open = False
        self._transport.abort()

    def _fail(self, error: Exception) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)

    # --- transport --------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self.open = True

    def connection_lost(self, error: Exception | None) -> None:
        self.open = False
        kind = ServiceError if self._answer is not None and self._began else _BrokenError
        self._fail(kind(f"the connection broke: {error or 'the server closed it'}"))

    def data_received(self, data: bytes) -> None:
        if self._answer is None:
            self.close()  # nobody asked
            return
        self._began = True
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserCallbackError):
            self._fail(ServiceError("the answer is not HTTP; is this a model server?"))

    # --- parser -----------------------------------------------------------------------------------------------------

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        answer = self._answer
        if answer is None or answer.done():
            return
        self._answer = None
        if not self._parser.should_keep_alive():
            self.close()
        answer.set_result(Answer(self._parser.get_status_code(), b"".join(self._body)))
