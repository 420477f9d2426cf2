"""Removes lists, the request log and the audit log when they are old enough: `--retain DAYS`."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta, timezone
from threading import Event, Thread

from sqlalchemy import Engine

from campaigns import training
from campaigns.jobs import Worker
from campaigns.store import removal
from campaigns.uploads import Uploads

EVERY_SECONDS = 3_600.0

_log = logging.getLogger(__name__)


class Retention:
    """Removes what is old at its start and then every hour, in a thread of its own.

    Args:
      engine: the store.
      uploads: the lists.
      worker: scores lists; the scoring of an old one is cancelled.
      days: after which lists and logs are removed.
    """

    def __init__(self, engine: Engine, uploads: Uploads, worker: Worker, days: int):
        self._engine, self._uploads, self._worker, self._days = engine, uploads, worker, days
        self._stop = Event()
        self._thread = Thread(target=self._work, name="retention", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """Ends the thread after the campaign or the log that it is at."""
        self._stop.set()
        self._thread.join(timeout)

    def _work(self) -> None:
        while not self._stop.is_set():
            try:
                self.remove()
            except Exception:
                _log.exception("what is older than %d days could not be removed", self._days)
            self._stop.wait(EVERY_SECONDS)

    def remove(self) -> None:
        """Removes what is old now. A list that is still being scored is cancelled, and removed the next time."""
        before = datetime.now(timezone.utc) - timedelta(days=self._days)
        ended, unfinished = removal.old_campaigns(self._engine, before)
        for id in unfinished:
            self._worker.cancel(id)
        removed = 0
        for id in ended:
            if self._stop.is_set():
                return
            self._uploads.remove(id)
            training.remove(self._uploads.folder, id)
            removed += removal.remove_campaign(self._engine, id, f"removed, older than {self._days} days")
        logged, audited = removal.remove_log(self._engine, before), removal.remove_audit(self._engine, before)
        if removed or logged or audited:
            _log.warning(
                "older than %d days and removed: %d campaigns, %d rows of the request log, %d of the audit log",
                self._days,
                removed,
                logged,
                audited,
            )
