"""Removes what is old, in small parts, so that nobody else waits long for the store."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Engine, Table, delete, select, update

from campaigns.request_log.rows import first_number
from campaigns.store import audit, tables
from campaigns.store.tables import bad_rows, campaigns, customers, outcomes, ranking, request_log

PART = 2_000
"""Rows of one transaction."""
_ENDED = ("ranked", "frozen", "cancelled", "failed")


def old_campaigns(engine: Engine, before: datetime) -> tuple[list[int], list[int]]:
    """Campaigns whose list was uploaded before a time: those that came to their end, and those that did not."""
    query = select(campaigns.c.id, campaigns.c.state).where(campaigns.c.created < before).order_by(campaigns.c.id)
    with engine.connect() as connection:
        found = connection.execute(query).all()
    return [id for id, state in found if state in _ENDED], [id for id, state in found if state not in _ENDED]


def remove_campaign(engine: Engine, id: int, why: str) -> bool:
    """Removes a campaign that came to its end, with all its rows; its id is never given again.

    Meanwhile it is shown as cancelled; where the desk is killed meanwhile, calling this again removes the rest.

    Args:
      why: is shown meanwhile, and stays in the audit log.

    Returns:
      Whether there was such a campaign.
    """
    ended = campaigns.c.id == id, campaigns.c.state.in_(_ENDED)
    with engine.begin() as connection:
        shown = {"state": "cancelled", "problem": why}
        if not connection.execute(update(campaigns).where(*ended).values(shown)).rowcount:
            return False
    keys = ((ranking, "rank"), (outcomes, "identifier"), (bad_rows, "line"), (customers, "row"))
    for table, key in keys:
        _remove(engine, table, table.c[key], table.c.campaign_id == id)
    with engine.begin() as connection:
        connection.execute(delete(campaigns).where(*ended))
        audit.note(connection, "delete", f"campaign {id}: {why}")
    return True


def remove_log(engine: Engine, before: datetime) -> int:
    """Removes rows of the request log whose batch was made before a time, and returns how many."""
    return _remove(engine, request_log, request_log.c.batch, request_log.c.batch < first_number(before))


def remove_audit(engine: Engine, before: datetime) -> int:
    """Removes actions of the audit log that were done before a time, and returns how many."""
    return _remove(engine, tables.audit, tables.audit.c.time, tables.audit.c.time < before)


def _remove(engine: Engine, table: Table, key: Column[Any], which: Any) -> int:
    """Removes rows in the order of an indexed column, and returns how many."""
    removed = 0
    while True:
        started = time.monotonic()
        with engine.begin() as connection:
            last = connection.scalar(select(key).where(which).order_by(key).offset(PART - 1).limit(1))
            part = delete(table).where(which) if last is None else delete(table).where(which, key <= last)
            removed += connection.execute(part).rowcount
        if last is None:
            return removed
        time.sleep(time.monotonic() - started)  # a writer that waits for SQLite only looks now and then
