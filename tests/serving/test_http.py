"""HTTP as such: framing, limits, keep-alive and what is not a proper request."""

from __future__ import annotations

import gzip
import json
import socket

import pytest

PATH = "/v1/models/half_plus_two:predict"
BODY = b'{"instances": [1.0]}'


class Wire:
    """A raw connection to the server."""

    def __init__(self, port: int):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        self.file = self.socket.makefile("rb")

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def answer(self) -> tuple[int, dict[str, str], bytes]:
        line = self.file.readline()
        headers = {}
        while (text := self.file.readline().strip()) != b"":
            name, _, value = text.decode().partition(": ")
            headers[name.lower()] = value
        return int(line.split()[1]), headers, self.file.read(int(headers.get("content-length", 0)))

    def closed(self) -> bool:
        return self.file.read(1) == b""


@pytest.fixture
def wire(server):
    opened = Wire(server.port)
    yield opened
    opened.socket.close()


def post(body: bytes, *headers: str, path: str = PATH, version: str = "1.1") -> bytes:
    lines = [f"POST {path} HTTP/{version}", "Host: x", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def predictions(answer: tuple[int, dict[str, str], bytes]) -> list[float]:
    status, _, body = answer
    assert status == 200, body
    return json.loads(body)["predictions"]


def test_more_pipelined_requests_than_python_calls_deep_are_all_answered(wire):
    slow = post(json.dumps({"instances": [1.0] * 20_000}).encode())
    wire.send(slow + b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n" * 1_500)
    assert len(predictions(wire.answer())) == 20_000
    assert {wire.answer()[0] for _ in range(1_500)} == {200}


def test_a_version_of_thousands_of_digits_is_a_bad_version(wire):
    wire.send(f"GET /v1/models/half_plus_two/versions/{'9' * 5_000} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    status, _, body = wire.answer()
    assert (status, body) == (400, b"")
    wire.send(f"GET /v1/models/half_plus_two/versions/{'0' * 5_000}1 HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert wire.answer()[0] in (200, 404)


def test_pipelined_requests_are_answered_in_order(wire):
    bodies = [json.dumps({"instances": [float(number)]}).encode() for number in range(40)]
    bad = post(b"{")
    wire.send(b"".join(post(body) for body in bodies[:20]) + bad + b"".join(post(body) for body in bodies[20:]))
    answers = [wire.answer() for _ in range(41)]
    assert answers.pop(20)[0] == 400
    assert [predictions(answer) for answer in answers] == [[0.5 * number + 2] for number in range(40)]


def test_a_request_may_come_byte_by_byte(wire):
    for byte in post(BODY):
        wire.send(bytes([byte]))
    assert predictions(wire.answer()) == [2.5]


def test_chunked_bodies_are_read(wire):
    head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    wire.send(
        head + b"6\r\n" + BODY[:6] + b"\r\n" + f"{len(BODY) - 6:x}".encode() + b"\r\n" + BODY[6:] + b"\r\n0\r\n\r\n"
    )
    assert predictions(wire.answer()) == [2.5]


def test_a_client_that_asks_first_is_told_to_go_on(wire):
    wire.send(post(BODY, "Expect: 100-continue")[: -len(BODY)])
    assert wire.answer()[0] == 100
    wire.send(BODY)
    assert predictions(wire.answer()) == [2.5]


def test_connections_are_kept_or_closed_as_the_client_wants(server):
    kept = Wire(server.port)
    for _ in range(3):
        kept.send(post(BODY))
        assert predictions(kept.answer()) == [2.5]
    kept.send(post(BODY, "Connection: close"))
    assert kept.answer()[1]["connection"] == "close"
    assert kept.closed()
    old = Wire(server.port)
    old.send(post(BODY, version="1.0"))
    assert predictions(old.answer()) == [2.5]
    assert old.closed()


def test_a_half_closed_client_gets_its_answer(wire):
    wire.send(post(BODY))
    wire.socket.shutdown(socket.SHUT_WR)
    assert predictions(wire.answer()) == [2.5]


@pytest.mark.parametrize(
    ("request_text", "status"),
    [
        (b"rubbish\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"BREW /v1/models/x HTTP/1.1\r\n\r\n", 501),
        (b"CONNECT x:1 HTTP/1.1\r\n\r\n", 501),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 70_000 + b"\r\n\r\n", 431),
    ],
)
def test_what_is_not_a_request_gets_a_page_and_is_hung_up_on(wire, request_text, status):
    wire.send(request_text)
    answered, headers, body = wire.answer()
    assert answered in (status, 501 if request_text.startswith(b"rubbish") else status)
    assert headers["content-type"] == "text/html"
    assert body.startswith(b"<HTML>")
    assert wire.closed()


def test_a_head_request_has_no_body(wire):
    wire.send(b"HEAD /v1/models/half_plus_two HTTP/1.1\r\nHost: x\r\n\r\n" + post(BODY))
    assert wire.answer()[0] == 400
    assert predictions(wire.answer()) == [2.5]


def test_a_proxy_may_send_the_whole_url(wire):
    wire.send(post(BODY, path=f"http://x{PATH}"))
    assert predictions(wire.answer()) == [2.5]


def test_a_websocket_client_gets_a_plain_answer(wire):
    wire.send(b"GET /v1/models/half_plus_two HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
    assert wire.answer()[0] == 200


LIMIT = 16 * 1024 * 1024


def test_bodies_beyond_the_limit_are_refused_before_they_are_read(wire):
    wire.send(f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: {LIMIT + 1}\r\n\r\n".encode())
    status, headers, body = wire.answer()
    assert (status, headers["connection"]) == (413, "close")
    assert json.loads(body) == {"error": f"The request body is longer than {LIMIT} bytes"}


def test_chunked_and_zipped_bodies_count_too(server):
    wire = Wire(server.port)
    wire.send(f"POST {PATH} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
    chunk = b"100000\r\n" + b" " * 0x100000 + b"\r\n"
    for _ in range(17):
        wire.send(chunk)
    assert wire.answer()[0] == 413
    wire = Wire(server.port)
    wire.send(post(gzip.compress(b" " * (LIMIT + 1)), "Content-Encoding: gzip"))
    assert wire.answer()[0] == 413


def test_a_large_body_within_the_limit_is_served(server):
    rows = [float(number % 100) for number in range(100_000)]
    status, body, _ = server.request("POST", PATH, json.dumps({"instances": rows}))
    assert status == 200
    assert json.loads(body)["predictions"] == [0.5 * row + 2 for row in rows]


def test_health_pages(server):
    assert server.request("GET", "/livez")[0] == 200
    status, body, _ = server.request("GET", "/readyz")
    assert (status, json.loads(body)["ready"]) == (200, True)
