"""Starts the embedded model server beside the desk."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from campaigns.settings import LOOPBACK, Settings
from data import programs
from data.errors import BadOptionError, NotReadyError
from data.model_folder import models
from data.paths import models_folder

_LOG = "model-server.log"


@contextmanager
def started(settings: Settings) -> Iterator[None]:
    """Runs `python -m serving` with the models of the artifacts folder at the address of the settings.

    Raises:
      BadOptionError: the address is not one on this machine.
      NotReadyError: no model has been pushed, or the server does not start; the message names the file with its output.
    """
    port = _port(settings.server)
    folder = models_folder(settings.artifacts)
    if not models(folder):
        raise NotReadyError(f"{folder}: no model has been pushed yet; run `make run` first")
    settings.folder.mkdir(parents=True, exist_ok=True)
    log = settings.folder / _LOG
    log.unlink(missing_ok=True)
    command = [sys.executable, "-m", "serving", f"--rest_api_port={port}", f"--models_folder={folder.absolute()}"]
    server = programs.start("model server", command, log, f"{settings.server.rstrip('/')}/readyz")
    try:
        yield
    finally:
        programs.stop(server)


def _port(server: str) -> int:
    parts = urlsplit(server)
    if parts.scheme != "http" or parts.hostname not in LOOPBACK or parts.port is None:
        raise BadOptionError(
            f"--server: got {server!r}, expected an address such as http://localhost:8501 to start it at"
        )
    return parts.port
