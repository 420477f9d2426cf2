"""Runs `python -m serving.sync` as a process, and asks it how it is."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx

from data.paths import ROOT
from tests.support.server import free_port


class Sidecar:
    """A sidecar on a free port; use it as a context manager.

    Args:
      source, folder: its arguments.
      log: file that takes its output, behind what is there already.
    """

    def __init__(self, source: str, folder: Path, log: Path):
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        options = ["--interval", "0.1", "--port", str(port)]
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "serving.sync", source, str(folder), *options],
                cwd=ROOT,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self.wait_for("/livez")

    def status(self, path: str) -> int | None:
        """Of a GET; None while nobody listens."""
        try:
            return httpx.get(self.url + path).status_code
        except httpx.TransportError:
            return None

    def metric(self, name: str) -> float:
        """The value of a metric, given its name and labels as Prometheus reads them."""
        (value,) = re.findall(rf"^{re.escape(name)} (\S+)$", httpx.get(f"{self.url}/metrics").text, re.MULTILINE)
        return float(value)

    def wait_for(self, path: str) -> None:
        """Waits until a GET answers 200."""
        deadline = time.monotonic() + 60
        while self.status(path) != 200:
            assert self.process.poll() is None, f"it ended with {self.process.returncode}"
            assert time.monotonic() < deadline, path
            time.sleep(0.02)

    def stop(self) -> int:
        """The exit code after SIGTERM."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)

    def __enter__(self) -> Sidecar:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
