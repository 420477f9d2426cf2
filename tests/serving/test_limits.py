"""What a client can take from the server is bounded: connections, time for a request, responses that it does not read.

Each test talks to real sockets. The server's clock is one that the test sets, so that nothing depends on the speed of
the machine.
"""

from __future__ import annotations

import asyncio
import json
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest
import uvloop

from serving.rest import http_protocol
from serving.rest.http_protocol import Connections, HttpProtocol, Limits, Request, Respond

GET = b"GET /%d HTTP/1.1\r\nHost: x\r\n\r\n"
BIG = 1_000_000


class Server:
    """Connections with the given limits on a port of their own; `/<n>` is answered at once with n bytes."""

    def __init__(self, limits: Limits):
        self.connections = Connections(limits)
        self.connections.handle = self.handle
        self.handled = 0
        self.now = 1000.0
        self.loop = uvloop.new_event_loop()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.listener.setblocking(False)
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def handle(self, request: Request, respond: Respond) -> None:
        self.handled += 1
        respond(200, b"x" * int(request.target[1:]))

    def run(self) -> None:
        self.loop.create_task(self.loop.create_server(lambda: HttpProtocol(self.connections), sock=self.listener))
        self.loop.run_forever()
        self.loop.close()

    def call(self, function: Callable, *arguments) -> object:
        """The result of a function that ran on the event loop."""

        async def run() -> object:
            return function(*arguments)

        return asyncio.run_coroutine_threadsafe(run(), self.loop).result(30)

    def sleep(self, seconds: float) -> None:
        """Moves the server's clock on, and enforces the limits."""
        self.now += seconds
        self.call(self.connections.enforce_limits, self.now)

    def wait_until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 30
        while not self.call(condition):
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def stop(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(30)
        self.listener.close()


@pytest.fixture
def start(monkeypatch) -> Iterator[Callable[..., Server]]:
    servers: list[Server] = []

    def create(**limits) -> Server:
        server = Server(Limits(**limits))
        servers.append(server)
        monkeypatch.setattr(http_protocol, "time", SimpleNamespace(monotonic=lambda: server.now, time=time.time))
        return server

    yield create
    for server in servers:
        server.stop()


class Client:
    """One connection with a small receive buffer."""

    def __init__(self, server: Server):
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.settimeout(30)
        self.socket.connect(("127.0.0.1", server.port))
        self.file = self.socket.makefile("rb")

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def answer(self) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of the next response."""
        status = int(self.file.readline().split()[1])
        headers = {}
        while (line := self.file.readline().strip()) != b"":
            name, _, value = line.decode().partition(": ")
            headers[name.lower()] = value
        return status, headers, self.file.read(int(headers["content-length"]))

    def is_closed(self) -> bool:
        try:
            return self.file.read(1) == b""
        except ConnectionResetError:
            return True


# --- responses that are not read --------------------------------------------------------------------------------------


def test_pipelined_requests_wait_until_the_responses_before_them_are_read(start):
    server = start()
    client = Client(server)
    count = 60
    client.send(GET % BIG * count)
    server.wait_until(lambda: server.handled > 0)
    time.sleep(0.3)  # a server without flow control handles all of them in this time
    assert server.handled < count / 2
    for _ in range(count):
        status, _, body = client.answer()
        assert (status, len(body)) == (200, BIG)
    assert server.handled == count


def test_reading_stops_while_responses_are_not_read(start):
    server = start()
    client = Client(server)
    client.send(GET % (60 * BIG))
    server.wait_until(lambda: server.handled > 0)
    request = b"POST /1 HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (10 * BIG) + b"x" * 10 * BIG
    client.socket.settimeout(0.5)
    with pytest.raises(TimeoutError):
        client.send(request * 12)  # 120 MB, more than socket buffers hold


def test_a_client_that_never_reads_is_cut_off(start):
    server = start(unread_seconds=30, idle_seconds=1e9)
    client = Client(server)
    client.send(GET % (60 * BIG))
    server.wait_until(lambda: server.handled > 0)
    time.sleep(0.3)  # until the socket buffers are full
    server.sleep(0)
    server.sleep(29)
    assert len(server.connections.open) == 1
    server.sleep(2)
    server.wait_until(lambda: not server.connections.open)
    assert client.socket.fileno() >= 0, "the client has not closed"


def test_a_slow_reader_is_not_cut_off(start):
    server = start(unread_seconds=30, idle_seconds=1e9)
    client = Client(server)
    client.send(GET % BIG * 60)
    for _ in range(60):
        assert len(client.answer()[2]) == BIG
        server.sleep(29)
    assert len(server.connections.open) == 1


# --- time for a request -----------------------------------------------------------------------------------------------


def test_a_request_that_drips_in_is_answered_with_408(start):
    server = start(request_seconds=30, idle_seconds=50)
    client = Client(server)
    for byte in (GET % 1)[:-1]:
        client.send(bytes([byte]))
        time.sleep(0.005)
        server.sleep(2)
    assert client.answer()[0] == 408
    assert client.is_closed()
    assert server.handled == 0


def test_a_slow_request_within_the_limit_is_answered(start):
    server = start(request_seconds=30, idle_seconds=50)
    client = Client(server)
    for _ in range(3):
        client.send((GET % 1)[:1])
        time.sleep(0.1)
        server.sleep(29)
        client.send((GET % 1)[1:])
        assert client.answer()[0] == 200
        server.sleep(40)


def test_an_idle_connection_is_closed_whatever_blank_lines_it_sends(start):
    server = start(request_seconds=30, idle_seconds=50)
    client = Client(server)
    server.wait_until(lambda: bool(server.connections.open))
    client.send(b"\r\n\r\n")
    server.sleep(49)
    assert len(server.connections.open) == 1
    client.send(b"\r\n")
    time.sleep(0.1)
    server.sleep(2)
    assert client.is_closed()


def test_time_that_the_server_takes_is_not_the_clients(start):
    server = start(request_seconds=30, idle_seconds=50)
    responds: list[Respond] = []
    server.connections.handle = lambda request, respond: responds.append(respond)
    client = Client(server)
    client.send(GET % 1 + (GET % 1)[:5])
    server.wait_until(lambda: bool(responds))
    server.sleep(1000)
    server.call(responds[0], 200, b"x")
    assert client.answer()[0] == 200
    server.sleep(29)
    client.send((GET % 1)[5:])
    server.wait_until(lambda: len(responds) == 2)
    server.call(responds[1], 200, b"x")
    assert client.answer()[0] == 200


def test_limits_are_enforced_without_being_asked(start):
    server = start(request_seconds=30, idle_seconds=1e9)
    client = Client(server)
    client.send(b"G")
    watch = asyncio.run_coroutine_threadsafe(server.connections.watch(pause=0.02), server.loop)
    deadline = time.monotonic() + 30
    while not select.select([client.socket], [], [], 0.05)[0]:
        server.now += 31
        assert time.monotonic() < deadline
    assert client.answer()[0] == 408
    watch.cancel()


def test_a_header_without_an_end_is_not_collected(start):
    server = start()
    client = Client(server)
    client.send(b"GET /1 HTTP/1.1\r\nX: ")
    for _ in range(200):
        client.send(b"x" * 1_000)
        time.sleep(0.001)
    assert client.answer()[0] == 431
    assert client.is_closed()


def test_a_large_head_within_the_limit_is_read_in_pieces(start):
    server = start()
    client = Client(server)
    client.send(b"POST /1 HTTP/1.1\r\nContent-Length: 500000\r\n")
    for number in range(50):
        client.send(b"X-%d: " % number + b"x" * 1_000 + b"\r\n")
        time.sleep(0.001)
    client.send(b"\r\n" + b"x" * 500_000)
    assert client.answer()[0] == 200


# --- connections ------------------------------------------------------------------------------------------------------


def test_connections_beyond_the_limit_get_503_until_one_is_free(start):
    server = start(connections=2)
    clients = [Client(server) for _ in range(2)]
    for client in clients:
        client.send(GET % 1)
        assert client.answer()[0] == 200
    refused = Client(server)
    refused.send(GET % 1)
    status, headers, body = refused.answer()
    assert (status, headers["retry-after"], headers["connection"]) == (503, "1", "close")
    assert "error" in json.loads(body)
    assert refused.is_closed()
    assert server.handled == 2
    clients[0].socket.close()
    clients[0].file.close()
    server.wait_until(lambda: len(server.connections.open) == 1)
    again = Client(server)
    again.send(GET % 1)
    assert again.answer()[0] == 200


def test_a_flood_of_connections_is_cut_off(start):
    server = start(connections=2)
    clients = [Client(server) for _ in range(20)]
    for client in clients[4:]:
        assert client.is_closed()
    assert len(server.connections.open) == 2
    assert len(server.connections.refused) <= 2
