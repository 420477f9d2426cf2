"""Starts the process that writes the request log, and ends it."""

from __future__ import annotations

import socket
import subprocess
import sys
from types import TracebackType

from campaigns.request_log import wire
from data.paths import ROOT

END_SECONDS = 30
"""How long the writer may take for what it has been sent; a busy SQLite may hold it for `destination.BUSY_SECONDS`."""


class Child:
    """The writer's process; use it as a context manager.

    Attributes:
      connection: to it.
    """

    def __init__(self, config: wire.Config):
        self.connection, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "campaigns.request_log", str(theirs.fileno())],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )
        try:
            wire.send(self.connection, config)  # not as arguments, which every user of the machine can read
        except OSError:
            self.__exit__(None, None, None)
            raise

    @property
    def pid(self) -> int:
        return self._process.pid

    def kill(self) -> None:
        """Ends it at once."""
        self._process.kill()

    def __enter__(self) -> Child:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes the connection, upon which the process ends."""
        self.connection.close()
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
