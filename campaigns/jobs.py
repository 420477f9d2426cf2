"""The background job: one thread that scores campaigns one after the other."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from pathlib import Path
from threading import Condition, Event, Thread
from typing import TypeVar

from sqlalchemy import Engine

from campaigns import lists, scoring
from campaigns.request_log.queue import RequestLog
from campaigns.store import campaigns
from campaigns.store.errors import StoreDownError
from campaigns.uploads import Uploads
from data.paths import ARTIFACTS

_log = logging.getLogger(__name__)
_Result = TypeVar("_Result")


class Worker:
    """Scores campaigns in the order in which they come, in a thread of its own, and removes their lists at the end.

    Args:
      engine: the store.
      server: address of the model server.
      uploads: the lists.
      artifacts: the folder that runs write to.
      log: takes what is scored.
    """

    def __init__(
        self, engine: Engine, server: str, uploads: Uploads, artifacts: Path = ARTIFACTS, log: RequestLog | None = None
    ):
        self._engine, self._server, self._uploads, self._artifacts = engine, server, uploads, artifacts
        self._log = log
        self._changed = Condition()
        self._waiting: deque[int] = deque()
        self._current: int | None = None
        self._stop_current = Event()
        self._cancelled = False
        self._stopped = Event()
        self._thread = Thread(target=self._work, name="campaigns", daemon=True)

    def start(self) -> None:
        """Begins to work, first on the campaigns that an earlier worker left unfinished."""
        with self._changed:
            self._waiting.extend(campaign.id for campaign in campaigns.unfinished(self._engine))
        lists.remove_broken_off(self._uploads.folder)
        self._thread.start()

    def submit(self, campaign_id: int) -> None:
        """Adds a campaign, whose list must be in its place."""
        with self._changed:
            if campaign_id != self._current and campaign_id not in self._waiting:
                self._waiting.append(campaign_id)
                self._changed.notify()

    def cancel(self, campaign_id: int) -> None:
        """Cancels a campaign that waits or is being scored; one that has come to its end is left as it is."""
        with self._changed:
            if campaign_id == self._current:
                self._cancelled = True
                self._stop_current.set()
            elif campaign_id in self._waiting:
                self._waiting.remove(campaign_id)
                campaigns.update(self._engine, campaign_id, state="cancelled")
                self._uploads.remove(campaign_id)

    def stop(self, timeout: float | None = None) -> None:
        """Ends the thread after its current batch; the next worker goes on with what is unfinished.

        Args:
          timeout: longest time to wait for that, in seconds.
        """
        with self._changed:
            self._stopped.set()
            self._stop_current.set()
            self._changed.notify()
        self._thread.join(timeout)

    def _work(self) -> None:
        while (campaign_id := self._next()) is not None:
            problem = self._once_the_store_answers(self._score, campaign_id)
            self._once_the_store_answers(self._finish, campaign_id, problem)

    def _once_the_store_answers(self, act: Callable[..., _Result], *arguments: object) -> _Result | None:
        """Does something, and does it again as often as the store goes down meanwhile; None where the worker stops."""
        while True:
            try:
                return act(*arguments)
            except StoreDownError as error:
                _log.warning("the job waits: %s", error)
                if self._stopped.wait(scoring.RETRY_SECONDS):
                    return None

    def _score(self, campaign_id: int) -> str | None:
        """Scores a campaign; returns why the desk has failed, if it has."""
        try:
            file = self._uploads.file(campaign_id)
            scoring.run(self._engine, campaign_id, file, self._server, self._artifacts, self._stop_current, self._log)
        except StoreDownError:
            raise
        except Exception as error:
            _log.exception("campaign %d failed", campaign_id)
            return f"the desk has failed: {type(error).__name__}: {error}"
        return None

    def _next(self) -> int | None:
        with self._changed:
            while not self._waiting and not self._stopped.is_set():
                self._changed.wait()
            if self._stopped.is_set():
                return None
            self._current = self._waiting.popleft()
            self._cancelled = False
            self._stop_current.clear()
            return self._current

    def _finish(self, campaign_id: int, problem: str | None) -> None:
        with self._changed:
            try:
                if problem:
                    campaigns.update(self._engine, campaign_id, state="failed", problem=problem)
                campaign = campaigns.get(self._engine, campaign_id)
                ended = campaign is None or campaign.state != "scoring"
                if self._cancelled and not ended:
                    campaigns.update(self._engine, campaign_id, state="cancelled", problem=None)
                if self._cancelled or ended:
                    self._uploads.remove(campaign_id)
            except StoreDownError:
                raise
            except Exception:
                _log.exception("campaign %d: its state cannot be stored", campaign_id)
            self._current = None
