"""Runs `python -m serving` as a process, and talks to it; for tests and benchmarks.

It lies here and not in `serving/`, because the images of the server copy that whole package.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from data.paths import ROOT


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class ServerProcess:
    """A server on a free port; use it as a context manager.

    Args:
      arguments: flags besides the port.
      log: file that takes its output.
      wait: whether to wait until every model serves.
    """

    def __init__(self, arguments: list[str], log: Path, wait: bool = True, cwd: Path = ROOT):
        self.port = free_port()
        self.log = log
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "serving", f"--rest_api_port={self.port}", *arguments],
                cwd=cwd,
                env={**os.environ, "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": ""},
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self.url = f"http://127.0.0.1:{self.port}"
        if wait:
            self.wait_for("/readyz")

    def wait_for(self, path: str, seconds: float = 60.0) -> None:
        """Waits until a GET of the path answers 200."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            try:
                if self.request("GET", path)[0] == 200:
                    return
            except OSError:
                pass
            time.sleep(0.05)
        self.stop()
        raise AssertionError(f"the server did not answer {path}:\n{self.log.read_text()}")

    def request(
        self, method: str, path: str, body: bytes | str | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, bytes, dict[str, str]]:
        """Status, body and headers (names in lower case) of one request on a new connection."""
        return request(self.url, method, path, body, headers)

    def predict(self, model: str, body: dict) -> dict:
        status, text, _ = self.request("POST", f"/v1/models/{model}:predict", json.dumps(body))
        assert status == 200, text
        return json.loads(text)

    def resident_mb(self) -> float:
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGESIZE") / 2**20

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def stop(self) -> int:
        """The exit code after SIGTERM."""
        if self.process.poll() is None:
            self.terminate()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
        return self.process.wait()

    def __enter__(self) -> ServerProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def request(
    url: str, method: str, path: str, body: bytes | str | None = None, headers: dict[str, str] | None = None
) -> tuple[int, bytes, dict[str, str]]:
    """Status, body and headers (names in lower case) of one request on a connection of its own."""
    connection = connect(url)
    try:
        return ask(connection, method, path, body, headers)
    finally:
        connection.close()


def connect(url: str) -> http.client.HTTPConnection:
    host, _, port = url.removeprefix("http://").rstrip("/").partition(":")
    return http.client.HTTPConnection(host, int(port or 80), timeout=30)


def ask(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    body: bytes | str | None = None,
    headers: dict[str, str] | None = None,
) -> tuple[int, bytes, dict[str, str]]:
    """The same on a connection that stays open unless the server closes it; the path is sent as given."""
    connection.putrequest(method, path, skip_accept_encoding=True)
    data = body.encode() if isinstance(body, str) else body
    for name, value in (headers or {}).items():
        connection.putheader(name, value)
    if data is not None or method in ("POST", "PUT", "PATCH"):
        connection.putheader("Content-Length", str(len(data or b"")))
    connection.endheaders(data)
    answer = connection.getresponse()
    return answer.status, answer.read(), {name.lower(): value for name, value in answer.getheaders()}
