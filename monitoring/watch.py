"""Measures the drift of customer lists as they are put into a folder, for servers that keep no profile themselves."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path

from analysis.drift import Drift, measure
from analysis.profile import Profile
from data.errors import UserError
from monitoring import drift

log = logging.getLogger("monitoring.watch")

NEWEST = 3
"""Lists that are reported; older ones would only add series to Prometheus."""
POLL_SECONDS = 5


class WatchedFolder:
    """The newest CSV files of a folder, each measured once, in a thread of its own so that no scrape waits.

    Args:
      folder: may appear later.
      profile: gives the profile to compare with, or None while there is none.
    """

    def __init__(self, folder: Path, profile: Callable[[], Profile | None]) -> None:
        self._folder = folder
        self._profile = profile
        self._measured: dict[tuple[str, int, int, int], Drift | None] = {}
        self._results: dict[str, Drift | None] = {}

    def start(self) -> None:
        """Looks into the folder every few seconds until the process ends."""
        threading.Thread(target=self._run, name="watch", daemon=True).start()

    def results(self) -> dict[str, Drift | None]:
        """By file name, newest first; None for a file that cannot be read."""
        return self._results

    def poll(self) -> None:
        """Measures what is new or has changed."""
        profile = self._profile()
        if profile is None:
            return
        measured, results = {}, {}
        for file in self._newest():
            status = file.stat()
            key = (file.name, status.st_mtime_ns, status.st_size, id(profile))
            measured[key] = self._measured[key] if key in self._measured else _measure(file, profile)
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
            except OSError as error:  # a file went while it was looked at
                log.warning("%s: %s", self._folder, error)
            pause.wait(POLL_SECONDS)


def _measure(file: Path, profile: Profile) -> Drift | None:
    try:
        return measure(profile, drift.read(file, profile))
    except UserError as error:
        log.warning("%s", error)
        return None
