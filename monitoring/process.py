"""Memory, CPU, threads and open files of the process that serves, which TensorFlow Serving does not tell."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import psutil

SERVER_NAMES = ("tensorflow_model_server", "tensorflow_mode")
"""TF Serving's binary by its command line, or cut at 15 characters as the kernel keeps it."""
SERVER_MODULE = ["-m", "serving"]


@dataclass(frozen=True)
class Usage:
    """What a process uses now. None where the system does not let us see it."""

    resident_bytes: int
    limit_bytes: int
    """Memory limit of the process's container, or else all memory of the machine."""
    cpu_seconds: float
    threads: int
    open_files: int | None
    started: float
    """Unix time in seconds."""


class ServerProcess:
    """The process of a model server on this machine, found again whenever it has been restarted.

    Args:
      port: at which it listens; tells several servers apart.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._process: psutil.Process | None = None

    def usage(self) -> Usage | None:
        """None while there is no such process."""
        if self._process is None or not self._process.is_running():
            self._process = self._find()
        if self._process is None:
            return None
        try:
            with self._process.oneshot():
                cpu = self._process.cpu_times()
                return Usage(
                    resident_bytes=self._process.memory_info().rss,
                    limit_bytes=_memory_limit(self._process.pid),
                    cpu_seconds=cpu.user + cpu.system,
                    threads=self._process.num_threads(),
                    open_files=self._open_files(),
                    started=self._process.create_time(),
                )
        except psutil.Error:
            self._process = None
            return None

    def _open_files(self) -> int | None:
        try:
            return self._process.num_fds()
        except psutil.AccessDenied:
            return None

    def _find(self) -> psutil.Process | None:
        candidates = [process for process in psutil.process_iter(["name", "cmdline"]) if _is_server(process.info)]
        return next((process for process in candidates if self._may_listen(process)), None)

    def _may_listen(self, process: psutil.Process) -> bool:
        """False where another port is seen; neither sockets of another user's process nor those of another network
        can be, as when a container shares the server's processes only."""
        try:
            if _network(process.pid) != _network("self"):
                return True
            sockets = process.net_connections("tcp")
        except (psutil.AccessDenied, PermissionError):
            return True
        except (psutil.NoSuchProcess, FileNotFoundError):
            return False
        return any(socket.status == psutil.CONN_LISTEN and socket.laddr.port == self._port for socket in sockets)


def _is_server(info: dict) -> bool:
    command = info["cmdline"] or []
    at = command.index("-m") if "-m" in command else len(command)
    return info["name"] in SERVER_NAMES or command[at : at + 2] == SERVER_MODULE


def _network(pid: int | str) -> str:
    """The network namespace of a process."""
    return os.readlink(f"/proc/{pid}/ns/net")


def _memory_limit(pid: int) -> int:
    machine = psutil.virtual_memory().total
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        try:
            limit = Path(f"/proc/{pid}/root/sys/fs/cgroup/{name}").read_text()
        except OSError:
            continue
        if limit.strip().isdecimal():
            return min(int(limit), machine)
    return machine
