"""What became of the customers, joined with what was expected of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from sqlalchemy import Connection, Engine, and_, func, select

from campaigns.records import Outcome
from campaigns.store import audit, database
from campaigns.store.tables import customers, outcomes, ranking

_STREAMED = 2_000
OF_A_RANK = and_(ranking.c.campaign_id == outcomes.c.campaign_id, ranking.c.identifier == outcomes.c.identifier)
"""How a ranked row finds its outcome."""


@dataclass(frozen=True)
class Recorded:
    """What an upload changed.

    Attributes:
      new: customers whose first outcome it was.
      corrected: customers who had another outcome before.
      unchanged: customers who had the same outcome before, or a later one.
      unknown: identifiers that are not in the ranked list, in the order of the upload.
    """

    new: int
    corrected: int
    unchanged: int
    unknown: tuple[str, ...]


@dataclass(frozen=True)
class Joined:
    """The ranked rows with an outcome, by rank; arrays of one length.

    Attributes:
      probability: float64.
      rank: int64, from 1.
      kind: text: `best` or `control` where the row is part of the call list, else empty.
      was_called: bool, as uploaded.
      bought: float64: 1, 0, or NaN where it is not known.
      rows: number of rows in the whole list.
    """

    probability: np.ndarray
    rank: np.ndarray
    kind: np.ndarray
    was_called: np.ndarray
    bought: np.ndarray
    rows: int


@dataclass(frozen=True)
class Known:
    """A call with a known result.

    Attributes:
      cells: the row as text, by column, with the plan's values.
      control: whether the customer belongs to the control group.
      bought: the result.
    """

    cells: Mapping[str, str]
    control: bool
    bought: bool


def record(engine: Engine, id: int, uploaded: Sequence[Outcome]) -> Recorded:
    """Stores outcomes. The latest outcome of an identifier counts; of equally late ones, the last.

    Args:
      uploaded: in the order of the file; an identifier may come more than once.
    """
    latest: dict[str, Outcome] = {}
    for outcome in uploaded:
        if outcome.identifier not in latest or latest[outcome.identifier].recorded <= outcome.recorded:
            latest[outcome.identifier] = outcome
    new = corrected = unchanged = 0
    unknown: list[str] = []
    with engine.begin() as connection:
        for identifiers in database.in_chunks(list(latest)):
            listed, before = _stored(connection, id, identifiers)
            unknown += [identifier for identifier in identifiers if identifier not in listed]
            changed = []
            for outcome in (latest[identifier] for identifier in identifiers if identifier in listed):
                earlier = before.get(outcome.identifier)
                if earlier is None:
                    new += 1
                elif outcome.recorded < earlier.recorded or _same(outcome, earlier):
                    unchanged += 1
                    continue
                else:
                    corrected += 1
                changed.append(outcome)
            _write(connection, id, changed)
        database.analyze(connection, outcomes)
        counts = f"{new} new, {corrected} corrected, {unchanged} unchanged, {len(unknown)} unknown"
        audit.note(connection, "outcomes", f"campaign {id}: {counts}")
    return Recorded(new, corrected, unchanged, tuple(unknown))


def joined(engine: Engine, id: int) -> Joined:
    """The ranked rows with an outcome. An identifier that the list has twice gives two rows with the same outcome."""
    columns = (ranking.c.probability, ranking.c.rank, ranking.c.called, outcomes.c.called, outcomes.c.bought)
    query = select(*columns).join_from(outcomes, ranking, OF_A_RANK)
    query = query.where(outcomes.c.campaign_id == id).order_by(ranking.c.rank)
    with engine.connect() as connection:
        rows = connection.scalar(select(func.max(ranking.c.rank)).where(ranking.c.campaign_id == id)) or 0
        found = connection.execute(query).all()
    probability, rank, kind, was_called, bought = zip(*found, strict=True) if found else ((),) * 5
    return Joined(
        probability=np.array(probability, np.float64),
        rank=np.array(rank, np.int64),
        kind=np.array([one or "" for one in kind], np.str_),
        was_called=np.array(was_called, bool),
        bought=np.array(bought, np.float64),  # None becomes NaN
        rows=rows,
    )


def known(engine: Engine, id: int) -> Iterator[Known]:
    """The calls of the call list with a known result, in the order of the file, streamed."""
    with engine.connect() as connection:
        query = (
            select(customers.c.cells, ranking.c.called == "control", outcomes.c.bought)
            .join_from(ranking, outcomes, OF_A_RANK)
            .join(customers, and_(customers.c.campaign_id == id, customers.c.row == ranking.c.row))
            .where(ranking.c.campaign_id == id, ranking.c.called.is_not(None))
            .where(outcomes.c.called, outcomes.c.bought.is_not(None))
            .order_by(ranking.c.row)
        )
        for row in connection.execution_options(yield_per=_STREAMED).execute(query):
            yield Known(*row)


def last_recorded(engine: Engine, ids: Sequence[int]) -> datetime | None:
    """When the last outcome of some campaigns was uploaded."""
    with engine.connect() as connection:
        return connection.scalar(select(func.max(outcomes.c.recorded)).where(outcomes.c.campaign_id.in_(ids)))


def _stored(connection: Connection, id: int, identifiers: Sequence[str]) -> tuple[frozenset[str], dict[str, Outcome]]:
    """Which identifiers are in the list, and the outcomes that they have."""
    listed = select(ranking.c.identifier).where(ranking.c.campaign_id == id, ranking.c.identifier.in_(identifiers))
    columns = (outcomes.c.identifier, outcomes.c.called, outcomes.c.bought, outcomes.c.recorded)
    known = select(*columns).where(outcomes.c.campaign_id == id, outcomes.c.identifier.in_(identifiers))
    before = [Outcome(*row) for row in connection.execute(known)]
    return frozenset(connection.scalars(listed)), {outcome.identifier: outcome for outcome in before}


def _same(one: Outcome, other: Outcome) -> bool:
    return (one.called, one.bought) == (other.called, other.bought)


def _write(connection: Connection, id: int, changed: Sequence[Outcome]) -> None:
    if not changed:
        return
    statement = database.insert(connection, outcomes)
    replaced = {name: statement.excluded[name] for name in ("called", "bought", "recorded")}
    newer = statement.excluded.recorded >= outcomes.c.recorded
    upsert = statement.on_conflict_do_update(
        index_elements=[outcomes.c.campaign_id, outcomes.c.identifier], set_=replaced, where=newer
    )
    connection.execute(upsert, [{"campaign_id": id, **vars(outcome)} for outcome in changed])
