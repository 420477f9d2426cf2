"""Starts the embedded model server beside the desk."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from campaigns.settings import LOOPBACK, Settings
from data.errors import BadOptionError, NotReadyError
from data.model_folder import models
from data.paths import ROOT, models_folder, serving_folder

START_SECONDS = 90
STOP_SECONDS = 20
_CONFIG, _LOG = "models.config", "model-server.log"


@contextmanager
def started(settings: Settings) -> Iterator[None]:
    """Runs `python -m serving` with every pushed model at the address of the settings.

    Raises:
      BadOptionError: the address is not one on this machine.
      NotReadyError: no model has been pushed, or the server does not start; the message names the file with its output.
    """
    port = _port(settings.server)
    names = models(models_folder(settings.artifacts))
    if not names:
        raise NotReadyError(f"{models_folder(settings.artifacts)}: no model has been pushed yet; run `make run` first")
    settings.folder.mkdir(parents=True, exist_ok=True)
    config, log = settings.folder / _CONFIG, settings.folder / _LOG
    config.write_text(_config(settings, names))
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "serving", f"--rest_api_port={port}", f"--model_config_file={config}"],
            cwd=ROOT,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C reaches only the desk, which then stops the server
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
    try:
        deadline = time.monotonic() + START_SECONDS
        while not _answers(f"{settings.server.rstrip('/')}/readyz"):
            if process.poll() is not None or time.monotonic() > deadline:
                raise NotReadyError(f"the model server did not start; its output is in {log}")
            time.sleep(0.2)
        yield
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _port(server: str) -> int:
    parts = urlsplit(server)
    if parts.scheme != "http" or parts.hostname not in LOOPBACK or parts.port is None:
        raise BadOptionError(
            f"--server: got {server!r}, expected an address such as http://localhost:8501 to start it at"
        )
    return parts.port


def _config(settings: Settings, names: list[str]) -> str:
    """A ModelServerConfig in text format."""
    folders = {name: json.dumps(str(serving_folder(settings.artifacts, name))) for name in names}
    lines = [f"  config {{ name: {json.dumps(name)} base_path: {folder} }}" for name, folder in folders.items()]
    return "\n".join(["model_config_list {", *lines, "}", ""])


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return response.status == 200
    except OSError:
        return False
