"""Memory, CPU, threads and open files of the serving process, which TensorFlow Serving does not export."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import psutil

SERVER_NAMES = ("tensorflow_model_server", "tensorflow_mode")
"""TensorFlow Serving's binary, and its name cut at 15 characters as the kernel keeps it."""
SERVER_MODULE = ["-m", "serving"]


@dataclass(frozen=True)
class Usage:
    """What a process uses now.

    Attributes:
      resident_bytes: resident memory (RSS).
      limit_bytes: memory limit of the process's container, or else the memory of the machine.
      cpu_seconds: CPU time since the start.
      threads: number of threads.
      open_files: number of open file descriptors; None for a process of another user.
      started: Unix time in seconds.
    """

    resident_bytes: int
    limit_bytes: int
    cpu_seconds: float
    threads: int
    open_files: int | None
    started: float


class ServerProcess:
    """The process of a model server on this machine; it is looked up again after a restart.

    Args:
      port: on which the server listens, to tell several servers apart.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._process: psutil.Process | None = None

    def usage(self) -> Usage | None:
        """What the process uses now; None while there is no such process."""
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
                    open_files=_open_files(self._process),
                    started=self._process.create_time(),
                )
        except psutil.Error:
            self._process = None
            return None

    def _find(self) -> psutil.Process | None:
        candidates = [process for process in psutil.process_iter(["name", "cmdline"]) if _is_server(process.info)]
        return next((process for process in candidates if self._may_listen(process)), None)

    def _may_listen(self, process: psutil.Process) -> bool:
        """Whether the process listens on the port, or its sockets cannot be seen.

        They cannot be seen for a process of another user, and for one in another network, as when the exporter's
        container shares only the processes of the server's container.
        """
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


def _open_files(process: psutil.Process) -> int | None:
    try:
        return process.num_fds()
    except psutil.AccessDenied:
        return None


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
