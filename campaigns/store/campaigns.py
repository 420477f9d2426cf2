"""Campaigns: their terms, how far they are, and the rows that were set aside."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, TypedDict

import sqlalchemy as sa
from sqlalchemy import Connection, Engine, Row, func, insert, select

from campaigns.records import Bad, Campaign, State, Terms
from campaigns.store import audit, database, tables
from campaigns.store.errors import StateError

if TYPE_CHECKING:
    from typing_extensions import Unpack

_TABLE = tables.campaigns


class Changes(TypedDict, total=False):
    """What `update` can change; see Campaign."""

    state: State
    model: str | None
    version: str | None
    rows: int
    scored: int
    bad: int
    problem: str | None


def create(engine: Engine, terms: Terms, source: str, contract: str) -> Campaign:
    """Adds a campaign that waits for its job.

    Args:
      terms: see Terms.
      source: the file's name as the person has it.
      contract: the served model's data contract, as JSON.
    """
    values = {
        **_columns(terms),
        "state": "waiting",
        "created": datetime.now(timezone.utc),
        "source": source,
        "contract": contract,
        "rows": 0,
        "scored": 0,
        "bad": 0,
    }
    with engine.begin() as connection:
        made = _campaign(connection.execute(insert(_TABLE).values(values).returning(_TABLE)).one())
        audit.note(connection, "start", f"campaign {made.id}: {terms.name}, {source}")
    return made


def get(engine: Engine, id: int) -> Campaign | None:
    """The campaign of an id, or None."""
    with engine.connect() as connection:
        row = connection.execute(select(_TABLE).where(_TABLE.c.id == id)).one_or_none()
    return _campaign(row) if row else None


def all_campaigns(engine: Engine) -> list[Campaign]:
    """Every campaign, the newest first."""
    with engine.connect() as connection:
        return [_campaign(row) for row in connection.execute(select(_TABLE).order_by(_TABLE.c.id.desc()))]


def page(engine: Engine, offset: int, limit: int) -> list[Campaign]:
    """Some of the campaigns, the newest first.

    Args:
      offset: newer campaigns that are left out.
      limit: campaigns at most.
    """
    query = select(_TABLE).order_by(_TABLE.c.id.desc()).offset(offset).limit(limit)
    with engine.connect() as connection:
        return [_campaign(row) for row in connection.execute(query)]


def count(engine: Engine) -> int:
    """The number of campaigns."""
    with engine.connect() as connection:
        return connection.scalar(select(func.count()).select_from(_TABLE)) or 0


def unfinished(engine: Engine) -> list[Campaign]:
    """The campaigns that wait or are being scored, the oldest first."""
    query = select(_TABLE).where(_TABLE.c.state.in_(("waiting", "scoring"))).order_by(_TABLE.c.id)
    with engine.connect() as connection:
        return [_campaign(row) for row in connection.execute(query)]


def update(engine: Engine, id: int, **changes: Unpack[Changes]) -> None:
    """Changes some fields of a campaign; `frozen` is changed by `customers.freeze` only.

    Raises:
      StateError: there is no such campaign, or it is frozen.
    """
    with engine.begin() as connection:
        change(connection, id, changes)


def change_terms(engine: Engine, id: int, terms: Terms) -> None:
    """Replaces the terms of a campaign.

    Raises:
      StateError: there is no such campaign, or it is frozen.
    """
    with engine.begin() as connection:
        change(connection, id, _columns(terms))
        calls = "open" if terms.calls is None else terms.calls
        money = f"cost {terms.cost:g}, margin {terms.margin:g}, calls {calls}, control {terms.control_share:g}"
        audit.note(connection, "terms", f"campaign {id}: {money}")


def change(connection: Connection, id: int, values: Mapping[str, Any], only: Iterable[State] = ()) -> None:
    """Changes columns of a campaign, and locks it until the transaction ends.

    Args:
      values: by column; may be empty, then the campaign is only locked.
      only: the states that allow the change; by default every state but `frozen`.

    Raises:
      StateError: there is no such campaign, or it is in another state.
    """
    allowed = _TABLE.c.state.in_(tuple(only)) if only else _TABLE.c.state != "frozen"
    # A transaction of SQLite takes its lock with its first write, so even a mere lock is written as a change.
    statement = sa.update(_TABLE).where(_TABLE.c.id == id, allowed).values(dict(values) or {"id": id})
    if connection.execute(statement).rowcount:
        return
    state = connection.scalar(select(_TABLE.c.state).where(_TABLE.c.id == id))
    if state is None:
        raise StateError(f"there is no campaign {id}")
    raise StateError(f"campaign {id} is {state}" + (f", not {' or '.join(only)}" if only else " and cannot change"))


def add_bad(engine: Engine, id: int, rows: Sequence[Bad]) -> None:
    """Adds rows that were set aside; a line that is there already is left as it is.

    Raises:
      StateError: there is no such campaign, or it is frozen.
    """
    values = [{"campaign_id": id, **vars(row)} for row in rows]
    with engine.begin() as connection:
        change(connection, id, {})
        if values:
            connection.execute(database.insert(connection, tables.bad_rows).on_conflict_do_nothing(), values)


def bad(engine: Engine, id: int) -> list[Bad]:
    """The rows that were set aside, in the order of the file."""
    table = tables.bad_rows
    query = select(table.c.line, table.c.problem, table.c.text).where(table.c.campaign_id == id).order_by(table.c.line)
    with engine.connect() as connection:
        return [Bad(*row) for row in connection.execute(query)]


def _columns(terms: Terms) -> dict[str, Any]:
    return {**vars(terms), "plan": dict(terms.plan)}


def _campaign(row: Row[Any]) -> Campaign:
    fields = dict(row._mapping)
    terms = Terms(**{name: fields.pop(name) for name in Terms.__dataclass_fields__})
    return Campaign(terms=terms, **fields)
