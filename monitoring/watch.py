"""Measures the drift of customer lists in a folder, for servers that keep no counts of recent customers."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path

from analysis.drift import Drift
from data.errors import UserError
from data.model_folder import ModelFolder
from monitoring.drift import of_list

log = logging.getLogger("monitoring.watch")

NEWEST = 3
"""Number of lists that are reported; each one adds series to Prometheus."""
POLL_SECONDS = 5


class WatchedFolder:
    """Measures each of the newest CSV files of a folder once, in a thread of its own so that no scrape waits.

    Args:
      folder: of the customer lists; it may be created later.
      version: returns the model version to compare with, or None while there is none.
    """

    def __init__(self, folder: Path, version: Callable[[], ModelFolder | None]) -> None:
        self._folder = folder
        self._version = version
        self._measured: dict[tuple[str, int, int, Path], Drift | None] = {}
        self._results: dict[str, Drift | None] = {}

    def start(self) -> None:
        """Looks for new files every few seconds until the process ends."""
        threading.Thread(target=self._run, name="watch", daemon=True).start()

    def results(self) -> dict[str, Drift | None]:
        """Drift by file name, newest file first; None for a file that cannot be measured."""
        return self._results

    def poll(self) -> None:
        """Measures the files that are new or have changed."""
        version = self._version()
        if version is None:
            return
        measured, results = {}, {}
        for file in self._newest():
            status = file.stat()
            key = (file.name, status.st_mtime_ns, status.st_size, version.path)
            measured[key] = self._measured[key] if key in self._measured else _measure(file, version)
            results[file.name] = measured[key]
        self._measured, self._results = measured, results

    def _newest(self) -> list[Path]:
        files = [path for path in self._folder.glob("*.csv") if path.is_file()]
        return sorted(files, key=lambda path: path.stat().st_mtime_ns, reverse=True)[:NEWEST]

    def _run(self) -> None:
        pause = threading.Event()
        while True:
            try:
                self.poll()
            except OSError as error:  # a file was removed meanwhile
                log.warning("%s: %s", self._folder, error)
            pause.wait(POLL_SECONDS)


def _measure(file: Path, version: ModelFolder) -> Drift | None:
    try:
        return of_list(file, version)
    except UserError as error:
        log.warning("%s", error)
        return None
