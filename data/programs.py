"""Other programs that a command runs beside itself: their start and their end."""

from __future__ import annotations

import os
import subprocess
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from data.errors import NotReadyError
from data.paths import ROOT

START_SECONDS = 90
STOP_SECONDS = 20


def start(name: str, command: Sequence[str], log: Path, url: str) -> subprocess.Popen:
    """Starts a program and waits until an address of it answers.

    Args:
      name: of the program, for the message.
      command: its command line; it runs in the checkout.
      log: takes what it prints, behind what is there already.
      url: a GET of it answers 200 when the program is ready.

    Raises:
      NotReadyError: it ended, or did not answer in time; the message names the file with its output.
    """
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C reaches only the command, which then stops the program in order
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
    try:
        deadline = time.monotonic() + START_SECONDS
        while not _answers(url):
            if process.poll() is not None or time.monotonic() > deadline:
                raise NotReadyError(f"the {name} did not start; its output is in {log}")
            time.sleep(0.2)
    except BaseException:
        stop(process)
        raise
    return process


def stop(process: subprocess.Popen) -> None:
    """Ends a program, by force if it takes too long."""
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return response.status == 200
    except OSError:
        return False
