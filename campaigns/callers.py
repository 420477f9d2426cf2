"""Who a request comes from: by the key that it carries, or by the session of its browser."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool

from campaigns.store import keys
from campaigns.store.errors import StoreDownError
from campaigns.store.keys import Key
from data.errors import ServiceError

FRESH_SECONDS = 1.0
"""How long the desk may know keys without asking the store: a revoked key works for at most that much longer."""
STALE_SECONDS = 300.0
"""How long it may where the store does not answer."""
IDLE_SECONDS = 3600.0
"""A session ends after an hour without a request,"""
SESSION_SECONDS = 12 * 3600.0
"""and after half a day in any case. All sessions end with the desk."""

_log = logging.getLogger(__name__)


@dataclass
class _Session:
    """Of a browser: the hash of its key, when it began and when it was last used, in monotonic seconds."""

    hash: str
    began: float
    used: float

    def ended(self, now: float) -> bool:
        return now - self.used > IDLE_SECONDS or now - self.began > SESSION_SECONDS


class Callers:
    """Keys as the store has them, kept in memory for a moment, and the sessions of browsers.

    Args:
      engine: the store; its keys are read at once.
    """

    def __init__(self, engine: Engine):
        self._engine = engine
        self._keys: Mapping[str, Key] = keys.valid(engine)
        self._read = self._tried = time.monotonic()
        self._reading = False
        self._sessions: dict[str, _Session] = {}

    async def of_key(self, text: str) -> Key | None:
        """The key with this text; None where there is none, or it was revoked.

        Raises:
          ServiceError: the store has not answered for STALE_SECONDS.
        """
        return (await self._known()).get(keys.hashed(text))

    async def of_session(self, token: str) -> Key | None:
        """The key that a session was begun with; None where the session has ended, or its key was revoked.

        Raises:
          ServiceError: as for `of_key`.
        """
        hash, now = keys.hashed(token), time.monotonic()
        session = self._sessions.get(hash)
        if session is None:
            return None
        found = (await self._known()).get(session.hash)
        if found is None or session.ended(now):
            self._sessions.pop(hash, None)
            return None
        session.used = now
        return found

    def begin(self, text: str) -> str:
        """Begins a session with a key that is known to be valid; returns the token for the browser."""
        token, now = secrets.token_urlsafe(32), time.monotonic()
        for hash in [hash for hash, session in self._sessions.items() if session.ended(now)]:
            del self._sessions[hash]
        self._sessions[keys.hashed(token)] = _Session(keys.hashed(text), now, now)
        return token

    def end(self, token: str) -> None:
        """Ends a session."""
        self._sessions.pop(keys.hashed(token), None)

    async def _known(self) -> Mapping[str, Key]:
        """The valid keys. One request at a time asks the store, and the others go on with what was known before."""
        now = time.monotonic()
        if not self._reading and now - self._tried >= FRESH_SECONDS:
            self._reading = True
            try:
                self._keys = await run_in_threadpool(keys.valid, self._engine)
                self._read = now
            except (SQLAlchemyError, StoreDownError) as error:
                _log.warning("the store does not say which keys are valid: %s", error)
            finally:
                self._reading, self._tried = False, time.monotonic()
        if now - self._read > STALE_SECONDS:
            raise ServiceError("the store does not answer, so that keys cannot be checked")
        return self._keys
