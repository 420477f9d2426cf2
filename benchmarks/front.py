"""What the Lambda function adds to the time of a single row, and how heavy it is.

    python -m benchmarks.front [--rounds=15] [--requests=300]

One row goes to `python -m serving` on loopback, over a plain socket that stays open, and through the function's handler
with an event of the API gateway. The two alternate request by request, so that both meet the same machine; the added
time is the median of the differences of neighbours, for each round. The model is a stand-in of about the purchase
model's cost. A cold import is that of a new process whose interpreter is up.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from tests.support import toy_models
from tests.support.front import FOLDER, HANDLER, event, load_file, zipped
from tests.support.server import ServerProcess

IMPORTS = 15


@dataclass(frozen=True)
class Round:
    """Milliseconds of each request, straight to the server and through the function; neighbours belong together."""

    direct: np.ndarray
    front: np.ndarray

    @property
    def added(self) -> float:
        return float(np.median(self.front - self.direct))


class Direct:
    """A client that does no more than it must: one socket, one message."""

    def __init__(self, port: int, body: bytes):
        head = f"POST /v1/models/purchase-model:predict HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
        self._message = head.encode() + body
        self._connection = socket.create_connection(("127.0.0.1", port))
        self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self) -> None:
        self._connection.sendall(self._message)
        answer = self._connection.recv(65536)
        assert answer.startswith(b"HTTP/1.1 200"), answer
        assert answer.endswith(b"}") or answer.endswith(b"}\n"), answer

    def close(self) -> None:
        self._connection.close()


def measure(port: int, rounds: int, requests: int) -> list[Round]:
    body = json.dumps({"instances": [toy_models.row()]})
    handler = load_file(HANDLER).handler
    request, direct = event(body=body), Direct(port, body.encode())

    def through() -> None:
        assert handler(request, None)["statusCode"] == 200

    measured = []
    with quiet():
        for number in range(-1, rounds):
            times = np.empty((requests, 2))
            for place in range(requests):
                ways = (direct.ask, through) if place % 2 else (through, direct.ask)
                for way in ways:
                    began = time.perf_counter()
                    way()
                    times[place, int(way is through)] = 1000 * (time.perf_counter() - began)
            if number >= 0:  # the first round warms up
                measured.append(Round(*times.T))
    direct.close()
    return measured


@contextmanager
def quiet():
    """The function's log, which CloudWatch takes from standard output, goes nowhere."""
    kept = sys.stdout
    with open(os.devnull, "w") as nowhere:
        sys.stdout = nowhere
        try:
            yield
        finally:
            sys.stdout = kept


def cold_imports() -> list[float]:
    """Milliseconds of the import in new processes."""
    code = (
        f"import sys, time; sys.path.insert(0, {str(FOLDER)!r}); began = time.perf_counter(); import handler\n"
        "sys.stdout.write(str(1000 * (time.perf_counter() - began)))"
    )
    environment = {"MODEL_SERVER_URL": "http://127.0.0.1:8501", "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-S", "-c", code]
    return [
        float(subprocess.run(command, env=environment, capture_output=True, check=True).stdout) for _ in range(IMPORTS)
    ]


def middle(values: list[float]) -> str:
    low, median, high = statistics.quantiles(values, n=4)
    return f"{median:.2f} ms ({low:.2f} to {high:.2f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=15, help="default: %(default)s")
    parser.add_argument("--requests", type=int, default=300, help="of a round and a way (default: %(default)s)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        toy_models.purchase_model(folder / "models" / "purchase-model" / "1")
        with ServerProcess([f"--models_folder={folder / 'models'}"], folder / "log") as server:
            os.environ["MODEL_SERVER_URL"] = server.url
            rounds = measure(server.port, options.rounds, options.requests)
        size = zipped(folder).stat().st_size
    table = Table("", "bar", "median over rounds (quartiles)")
    for title, pick in (("straight", lambda one: one.direct), ("through the function", lambda one: one.front)):
        for share in (50, 99):
            values = [float(np.percentile(pick(one), share)) for one in rounds]
            table.add_row(f"{title}, p{share}", "", middle(values))
    table.add_row("added to a request", "3 ms", middle([one.added for one in rounds]))
    table.add_row("cold import", "100 ms", middle(cold_imports()))
    table.add_row("zip", "50 KB", f"{size / 1000:.1f} KB")
    Console().print(table)


if __name__ == "__main__":
    main()
