"""Who changed what, and who took files: one line for each action, written together with the action."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Literal

from sqlalchemy import Connection, Engine, insert, select

from campaigns import context
from campaigns.store import tables

Action = Literal[
    "start", "cancel", "terms", "freeze", "outcomes", "delete", "download", "forget", "key added", "key revoked",
    "login", "logout",
]  # fmt: skip
_TABLE = tables.audit


@dataclass(frozen=True)
class Entry:
    """An action.

    Attributes:
      id: counts the actions.
      time: when it was done.
      request: id of the request; empty for a command.
      caller: name of the key, or `this machine`.
      action: what was done.
      subject: what it was done to.
    """

    id: int
    time: datetime
    request: str
    caller: str
    action: Action
    subject: str


def note(connection: Connection, action: Action, subject: str) -> None:
    """Adds an action to the log, in the transaction of the action itself."""
    values = {
        "time": datetime.now(timezone.utc),
        "request": context.request_id.get(),
        "caller": context.caller.get(),
        "action": action,
        "subject": subject,
    }
    connection.execute(insert(_TABLE).values(values))


def add(engine: Engine, action: Action, subject: str) -> None:
    """Adds an action that changes nothing in the store."""
    with engine.begin() as connection:
        note(connection, action, subject)


def latest(engine: Engine, limit: int, before: int | None = None) -> list[Entry]:
    """The newest actions, the newest first.

    Args:
      limit: the most that are returned.
      before: only actions with a smaller id.
    """
    columns = [_TABLE.c[name] for name in Entry.__dataclass_fields__]
    query = select(*columns).order_by(_TABLE.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(_TABLE.c.id < before)
    with engine.connect() as connection:
        return [Entry(*row) for row in connection.execute(query)]
