"""Connections of asyncio programs to a server: they are kept, replaced when they break, and never mix answers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from data.errors import ServiceError
from serving.client import connections
from serving.client.connections import Answer, Connections
from tests.support.server import free_port

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Server:
    """Counts its connections and answers each request with its body, or as a test says."""

    def __init__(self) -> None:
        self.opened = 0
        self.paths: list[str] = []

    async def echo(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.opened += 1
        while body := await self.body(reader):
            writer.write(answer(body))

    async def body(self, reader: asyncio.StreamReader) -> bytes:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            return b""
        self.paths.append(head.split(b" ")[1].decode())
        return await reader.readexactly(int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]))


def answer(body: bytes, head: bytes = b"") -> bytes:
    return b"HTTP/1.1 200 OK\r\n%sContent-Length: %d\r\n\r\n%s" % (head, len(body), body)


def run(serve: Serve, test: Callable[[Connections], Awaitable[None]], timeout: float = 5.0, before: str = "") -> None:
    async def main() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        client = Connections(f"http://127.0.0.1:{port}{before}", timeout)
        try:
            await test(client)
        finally:
            client.close()
            server.close()

    asyncio.run(main())


def test_one_connection_answers_one_request_after_the_other():
    server = Server()

    async def test(client):
        for number in range(5):
            assert await client.request("POST", "/x", b"%d" % number) == Answer(200, b"%d" % number)

    run(server.echo, test, before="/models/")
    assert (server.opened, server.paths[0]) == (1, "/models/x")


def test_requests_at_once_get_their_own_answers_on_few_connections(monkeypatch):
    monkeypatch.setattr(connections, "MOST_CONNECTIONS", 4)
    server = Server()

    async def test(client):
        bodies = [b"x" * size for size in range(1, 200)]
        assert [
            one.body for one in await asyncio.gather(*(client.request("POST", "/", body) for body in bodies))
        ] == bodies

    run(server.echo, test)
    assert server.opened <= 4


def test_a_connection_that_the_server_closed_is_replaced():
    server = Server()

    async def once(reader, writer):
        server.opened += 1
        writer.write(answer(await server.body(reader)))
        await server.body(reader)  # takes the next request and breaks off
        writer.close()

    async def test(client):
        for _ in range(3):
            assert (await client.request("POST", "/", b"a")).body == b"a"

    run(once, test)
    assert server.opened == 3


def test_a_server_that_says_so_closes_the_connection():
    server = Server()

    async def closing(reader, writer):
        server.opened += 1
        writer.write(answer(await server.body(reader), b"Connection: close\r\n"))

    async def test(client):
        for _ in range(2):
            assert (await client.request("POST", "/", b"a")).body == b"a"

    run(closing, test)
    assert server.opened == 2


def test_an_answer_in_pieces_is_put_together():
    server = Server()

    async def slow(reader, writer):
        await server.body(reader)
        writer.write(b"HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        await asyncio.sleep(0.01)
        writer.write(b"2\r\nde\r\n0\r\n\r\n")

    async def test(client):
        assert await client.request("POST", "/", b"a") == Answer(404, b"abcde")

    run(slow, test)


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", "the connection broke"),
        (b"", "the connection broke"),
        (b"SSH-2.0-OpenSSH\r\n", "the answer is not HTTP"),
    ],
)
def test_a_server_that_breaks_off_is_said(sent, says):
    server = Server()

    async def broken(reader, writer):
        await server.body(reader)
        writer.write(sent)
        writer.close()

    async def test(client):
        with pytest.raises(ServiceError, match=says):
            await client.request("POST", "/path", b"a")

    run(broken, test)


def test_an_answer_that_comes_too_late_is_not_taken_for_the_next_one():
    server = Server()

    async def late(reader, writer):
        server.opened += 1
        first = server.opened == 1
        while body := await server.body(reader):
            await asyncio.sleep(0.2 * first)
            writer.write(answer(body))

    async def test(client):
        with pytest.raises(ServiceError, match=r"no answer in 0\.05 seconds"):
            await client.request("POST", "/", b"first")
        assert (await client.request("POST", "/", b"second")).body == b"second"

    run(late, test, timeout=0.05)


def test_a_request_that_nobody_waits_for_any_more_leaves_no_answer_behind():
    server = Server()

    async def slow(reader, writer):
        while body := await server.body(reader):
            await asyncio.sleep(0.05 * (body == b"first"))
            writer.write(answer(body))

    async def test(client):
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(client.request("POST", "/", b"first"), 0.01)
        assert (await client.request("POST", "/", b"second")).body == b"second"

    run(slow, test)


def test_no_server_is_said():
    with pytest.raises(ServiceError, match=r"/path: .*Connect"):
        asyncio.run(Connections(f"http://127.0.0.1:{free_port()}").request("GET", "/path"))
