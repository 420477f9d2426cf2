"""Starts Prometheus beside the desk, where it is installed."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from campaigns.settings import Settings
from data import programs
from data.errors import BadOptionError, NotReadyError

_LOG = "monitoring.log"


@contextmanager
def started(settings: Settings, port: int) -> Iterator[str]:
    """Runs `python -m monitoring`, which watches the desk and its model server; yields in words where Prometheus is.

    The desk does without it where Prometheus is not installed or does not start; the words then say why.

    Args:
      settings: of the desk.
      port: for Prometheus.

    Raises:
      BadOptionError: the desk asks for keys.
    """
    if settings.needs_keys:
        raise BadOptionError(
            "--start-monitoring: the desk asks for keys; start `python -m monitoring --server URL --desk URL "
            "--desk-key FILE` beside it"
        )
    if shutil.which("prometheus") is None:
        yield "nothing is monitored: Prometheus is not installed; on Debian and Ubuntu: apt-get install prometheus"
        return
    try:
        monitoring = _start(settings, port)
    except NotReadyError as error:
        yield f"nothing is monitored: {error}"
        return
    try:
        yield f"Prometheus is at http://127.0.0.1:{port}"
    finally:
        programs.stop(monitoring)


def _start(settings: Settings, port: int) -> subprocess.Popen[bytes]:
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            raise NotReadyError(f"port {port} is taken; choose another --prometheus-port")
    settings.folder.mkdir(parents=True, exist_ok=True)
    log = settings.folder / _LOG
    log.unlink(missing_ok=True)
    command = [
        *(sys.executable, "-m", "monitoring", "--artifacts", str(settings.artifacts)),
        *("--server", settings.server, "--desk", settings.address, "--prometheus-port", str(port)),
    ]
    return programs.start("monitoring", command, log, f"http://127.0.0.1:{port}/-/ready")
