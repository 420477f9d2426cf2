"""Runs the desk on uvicorn."""

from __future__ import annotations

import gc
import socket
import sys
import tempfile

import uvicorn
from fastapi import FastAPI

from campaigns import logs
from campaigns.app import STOP_SECONDS, create
from campaigns.settings import Settings
from data.errors import BadOptionError, NotReadyError

COLLECT_AFTER = 50_000
"""New objects from one garbage collection to the next. With the usual 700 the entries of the request log, which live
for the moment until its writer has them, are looked at again and again."""


def run(settings: Settings) -> None:
    """Serves the desk until Ctrl-C and says its address.

    Raises:
      UserError, ServiceError: the port is taken, or the database cannot be opened.
    """
    logs.configure()
    settings.folder.mkdir(parents=True, exist_ok=True)
    tempfile.tempdir = str(settings.folder)  # uploads pass through a temporary file, and /tmp may lie in memory
    with _listener(settings) as listener:
        config = uvicorn.Config(
            create(settings),
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=STOP_SECONDS,
        )
        gc.collect()
        gc.freeze()  # what is there now stays; a look at all of it would hold up requests for 70 ms now and then
        gc.set_threshold(COLLECT_AFTER)
        sys.stdout.write(f"The campaign desk is at {settings.public or settings.address} (Ctrl-C stops it)\n")
        sys.stdout.flush()
        _Server(config).run(sockets=[listener])


class _Server(uvicorn.Server):
    """Tells open streams of events that the desk stops, since uvicorn waits for their ends."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        assert isinstance(self.config.app, FastAPI)
        self.config.app.state.stopping.set()
        await super().shutdown(sockets)


def _listener(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
    except socket.gaierror as error:
        listener.close()
        raise BadOptionError(f"--host: got {settings.host!r}, which is no address of this machine") from error
    except OSError as error:
        listener.close()
        raise NotReadyError(
            f"port {settings.port} cannot be opened: {error.strerror}; choose another --port"
        ) from error
    return listener
