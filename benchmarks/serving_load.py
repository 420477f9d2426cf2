"""A load generator: keep-alive connections, each of which sends its next request when it has a response.

    python benchmarks/serving_load.py PORT PATH BODIES CONNECTIONS SECONDS [REQUESTS]

BODIES is a file with a JSON list of request bodies, used in turn. The output is one line of JSON: requests, responses
by status, requests that were cut off, seconds, and latency percentiles in milliseconds.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import uvloop


class Load:
    """What all connections share."""

    def __init__(self, port: int, path: str, bodies: list[str], seconds: float, requests: int):
        head = "POST {} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{}"
        self.port = port
        self.messages = [head.format(path, len(body.encode()), body).encode() for body in bodies]
        self.seconds = seconds
        self.limit = requests
        self.sent = 0
        self.deadline = 0.0
        self.latencies: list[float] = []
        self.statuses: Counter[str] = Counter()
        self.cut_off = 0

    def next(self) -> bytes | None:
        if time.perf_counter() >= self.deadline or (self.limit and self.sent >= self.limit):
            return None
        self.sent += 1
        return self.messages[self.sent % len(self.messages)]


class Connection(asyncio.Protocol):
    """One client."""

    def __init__(self, load: Load):
        self.load = load
        self.buffer = b""
        self.started = 0.0
        self.waiting = False
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.ask()

    def ask(self) -> None:
        message = self.load.next()
        if message is None:
            self.transport.close()
            return
        self.waiting = True
        self.started = time.perf_counter()
        self.transport.write(message)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self.buffer[:end].lower()
        length = int(head.split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
        if len(self.buffer) < end + 4 + length:
            return
        self.load.latencies.append(time.perf_counter() - self.started)
        status = head[9:12].decode()
        self.load.statuses[status] += 1
        self.buffer = b""
        self.waiting = False
        if status == "503":  # a draining server says goodbye
            self.transport.close()
        else:
            self.ask()

    def connection_lost(self, _: Exception | None) -> None:
        self.load.cut_off += self.waiting
        if not self.closed.done():
            self.closed.set_result(None)


async def run(load: Load, connections: int) -> dict:
    loop = asyncio.get_running_loop()
    started = time.perf_counter()
    load.deadline = started + load.seconds
    clients = [Connection(load) for _ in range(connections)]
    for client in clients:
        await loop.create_connection(lambda client=client: client, "127.0.0.1", load.port)
    await asyncio.gather(*(client.closed for client in clients))
    seconds = time.perf_counter() - started
    p50, p99 = np.percentile(load.latencies or [float("nan")], [50, 99]) * 1e3
    return {
        "requests": len(load.latencies),
        "per_second": len(load.latencies) / seconds,
        "statuses": dict(load.statuses),
        "cut_off": load.cut_off,
        "seconds": seconds,
        "p50_ms": p50,
        "p99_ms": p99,
    }


def main(port: str, path: str, bodies: str, connections: str, seconds: str, requests: str = "0") -> None:
    uvloop.install()
    load = Load(int(port), path, json.loads(Path(bodies).read_text()), float(seconds), int(requests))
    sys.stdout.write(json.dumps(asyncio.run(run(load, int(connections)))) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
