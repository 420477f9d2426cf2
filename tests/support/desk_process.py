"""Runs `python -m campaigns` as a process."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

from data.paths import ROOT
from tests.support.server import free_port, request


class DeskProcess:
    """A desk on a free port; use it as a context manager.

    Args:
      arguments: options besides the port and the folder.
      folder: of its artifacts and its log.
    """

    def __init__(self, arguments: list[str], folder: Path):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / "desk.log"
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "campaigns", "--port", str(self.port), "--artifacts", str(folder), *arguments],
                cwd=ROOT,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + 60
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise AssertionError(f"the desk did not start:\n{self.log.read_text()}")
            time.sleep(0.05)

    def _answers(self) -> bool:
        try:
            return self.request("GET", "/livez")[0] == 200
        except OSError:
            return False

    def request(self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None):
        """Status, body and headers of one request."""
        return request(self.url, method, path, body, headers)

    def resident_mb(self) -> float:
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGESIZE") / 2**20

    def peak_mb(self) -> float:
        """The most memory that it has had so far."""
        found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{self.process.pid}/status").read_text())
        assert found
        return int(found[1]) / 1024

    def stop(self) -> int:
        """The exit code after SIGTERM."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
        return self.process.wait()

    def __enter__(self) -> DeskProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def start(options: list[str]) -> tuple[subprocess.Popen[str], str]:
    """A desk that Ctrl-C ends, and the line that it says first."""
    process = subprocess.Popen(
        [sys.executable, "-m", "campaigns", *options],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert process.stdout
    line = process.stdout.readline()
    assert "campaign desk is at http://127.0.0.1:" in line, process.communicate()[1]
    return process, line


def interrupt(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Sends Ctrl-C to a desk of `start`; its exit code and what it said of errors."""
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=90)
    return process.returncode, errors
