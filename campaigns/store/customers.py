"""The customers of a list: their rows as they are scored, then their ranks, then the call list."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from typing import Any, Literal

import numpy as np
from sqlalchemy import Connection, Engine, Row, Select, and_, delete, func, insert, select, update

from campaigns.records import Customer
from campaigns.store import audit, campaigns, database
from campaigns.store.tables import customers, ranking

Sort = Literal["rank", "-rank", "row", "-row", "identifier", "-identifier"]
"""`rank` is the most likely buyer first, `row` the order of the file; a minus reverses the order."""
DECILES = 10
_STREAMED = 2_000

_JOINED = and_(ranking.c.campaign_id == customers.c.campaign_id, ranking.c.row == customers.c.row)
_CUSTOMER = (
    customers.c.row,
    customers.c.identifier,
    customers.c.cells,
    customers.c.probability,
    customers.c.segment,
    customers.c.warnings,
    ranking.c.rank,
    ranking.c.called,
)


def decile(rank: int, rows: int) -> int:
    """The tenth of a ranked list that a rank falls in: 1 for the most likely buyers, up to 10."""
    return 1 + (rank - 1) * DECILES // rows


def add(engine: Engine, id: int, chunk: Sequence[Customer]) -> None:
    """Adds scored rows in one transaction; a row that is there already is left as it is.

    Args:
      chunk: customers without rank.

    Raises:
      StateError: there is no such campaign, or it is frozen.
    """
    rows = [
        (
            id,
            customer.row,
            customer.identifier,
            database.json_text(dict(customer.cells)),
            customer.probability,
            customer.segment,
            database.json_text(customer.warnings),
        )
        for customer in chunk
    ]
    with engine.begin() as connection:
        campaigns.change(connection, id, {})
        if rows:
            database.add_rows(connection, customers, rows)


def clear(engine: Engine, id: int) -> None:
    """Removes all rows of a campaign, so that another version of the model can score them.

    Raises:
      StateError: there is no such campaign, or it is frozen.
    """
    with engine.begin() as connection:
        campaigns.change(connection, id, {"scored": 0})
        for table in (ranking, customers):
            connection.execute(delete(table).where(table.c.campaign_id == id))


def last_row(engine: Engine, id: int) -> int:
    """The highest row that was added, or 0: scoring resumes after it."""
    with engine.connect() as connection:
        return connection.scalar(select(func.max(customers.c.row)).where(customers.c.campaign_id == id)) or 0


def rank(engine: Engine, id: int) -> None:
    """Ranks all rows by probability, the highest first; ties go to the earlier row. Earlier ranks are replaced.

    Raises:
      StateError: there is no such campaign, or it is frozen.
    """
    copied = ("campaign_id", "row", "identifier", "probability", "segment")
    place = func.row_number().over(order_by=(customers.c.probability.desc(), customers.c.row))
    ranked = select(place, *(customers.c[name] for name in copied)).where(customers.c.campaign_id == id)
    with engine.begin() as connection:
        campaigns.change(connection, id, {})
        connection.execute(delete(ranking).where(ranking.c.campaign_id == id))
        connection.execute(insert(ranking).from_select(["rank", *copied], ranked))
        database.analyze(connection, customers, ranking)


def count(engine: Engine, id: int, segment: str | None = None, decile: int | None = None) -> int:
    """The number of ranked rows in a segment, in a decile (1 to 10), or in both."""
    with engine.connect() as connection:
        first, last = _ranks(connection, id, decile)
        if segment is None:
            return max(0, last - first + 1)
        return connection.scalar(select(func.count()).where(*_part(id, segment, first, last))) or 0


def page(
    engine: Engine,
    id: int,
    *,
    offset: int,
    limit: int,
    sort: Sort = "rank",
    segment: str | None = None,
    decile: int | None = None,
) -> list[Customer]:
    """A page of the ranked list; empty before the list is ranked.

    Args:
      offset: rows before the page.
      limit: rows on the page.
      sort: see Sort.
      segment: only customers of this segment.
      decile: only customers of this decile, 1 to 10.
    """
    descending, name = sort.startswith("-"), sort.lstrip("-")
    with engine.connect() as connection:
        first, last = _ranks(connection, id, decile)
        offset = min(offset, last)  # the databases take no number above 2**31 here
        if name == "rank" and segment is None:  # ranks have no gaps, so the page is a range of them
            if descending:
                first, last = max(first, last - offset - limit + 1), last - offset
            else:
                first, last = first + offset, min(last, first + offset + limit - 1)
            offset = 0
        order = ranking.c[name]
        ordered = (order.desc(), ranking.c.rank.desc()) if descending else (order, ranking.c.rank)
        keys = select(ranking.c.rank).where(*_part(id, segment, first, last))
        # The rows before the page are skipped in the narrow table, and only those of the page are read whole.
        found = keys.order_by(*ordered).offset(offset).limit(limit).subquery()
        query = _whole(id).join(found, found.c.rank == ranking.c.rank).order_by(*ordered)
        return [_customer(row) for row in connection.execute(query)]


def one(engine: Engine, id: int, row: int) -> Customer | None:
    """A customer by its row, ranked or not; None where there is none."""
    query = select(*_CUSTOMER).outerjoin_from(customers, ranking, _JOINED)
    with engine.connect() as connection:
        found = connection.execute(query.where(customers.c.campaign_id == id, customers.c.row == row)).one_or_none()
    return _customer(found) if found else None


def probabilities(engine: Engine, id: int) -> np.ndarray:
    """The probabilities of all ranked rows, float64, the highest first."""
    query = select(ranking.c.probability).where(ranking.c.campaign_id == id).order_by(ranking.c.rank)
    with engine.connect() as connection:
        rows = connection.execution_options(yield_per=100_000).execute(query)
        return np.fromiter((value for (value,) in rows), np.float64)


def segments(engine: Engine, id: int) -> dict[str, int]:
    """The number of ranked rows of each segment, the largest first; empty where no segment model served."""
    query = (
        select(ranking.c.segment, func.count().label("rows"))
        .where(ranking.c.campaign_id == id, ranking.c.segment.is_not(None))
        .group_by(ranking.c.segment)
        .order_by(func.count().desc(), ranking.c.segment)
    )
    with engine.connect() as connection:
        return {row.segment: row.rows for row in connection.execute(query)}


def repeated(engine: Engine, id: int) -> int:
    """The number of ranked rows whose identifier another row before them has."""
    different = func.count(ranking.c.identifier.distinct())
    with engine.connect() as connection:
        return connection.scalar(select(func.count() - different).where(ranking.c.campaign_id == id)) or 0


def freeze(engine: Engine, id: int, best: int, control_ranks: Sequence[int]) -> None:
    """Marks the call list and freezes the campaign, both or neither.

    Args:
      best: the ranks 1 to `best` are called as the best customers.
      control_ranks: ranks of the control group; a customer among the best who is drawn for it belongs to it.

    Raises:
      StateError: there is no such campaign, or it is not ranked, or frozen already.
    """
    frozen = {"state": "frozen", "frozen": datetime.now(timezone.utc)}
    with engine.begin() as connection:
        campaigns.change(connection, id, frozen, only=("ranked",))
        marked = update(ranking).where(ranking.c.campaign_id == id)
        connection.execute(marked.where(ranking.c.rank <= best).values(called="best"))
        for ranks in database.in_chunks(control_ranks):
            connection.execute(marked.where(ranking.c.rank.in_(ranks)).values(called="control"))
        audit.note(connection, "freeze", f"campaign {id}: {best + len(control_ranks)} calls")
        database.analyze(connection, ranking)


def called_ranks(engine: Engine, id: int) -> np.ndarray:
    """The ranks of the call list, int64; empty before it is frozen."""
    query = select(ranking.c.rank).where(ranking.c.campaign_id == id, ranking.c.called.is_not(None))
    with engine.connect() as connection:
        rows = connection.execution_options(yield_per=100_000).execute(query.order_by(ranking.c.rank))
        return np.fromiter((rank for (rank,) in rows), np.int64)


def called(engine: Engine, id: int) -> Iterator[Customer]:
    """The call list by rank, streamed; empty before it is frozen."""
    query = _whole(id).where(ranking.c.called.is_not(None)).order_by(ranking.c.rank)
    with engine.connect() as connection:
        for row in connection.execution_options(yield_per=_STREAMED).execute(query):
            yield _customer(row)


def listed(engine: Engine, id: int) -> int:
    """The number of customers on the call list; 0 before it is frozen."""
    query = select(func.count()).where(ranking.c.campaign_id == id, ranking.c.called.is_not(None))
    with engine.connect() as connection:
        return connection.scalar(query) or 0


def _ranks(connection: Connection, id: int, decile: int | None) -> tuple[int, int]:
    """The first and the last rank of a decile, or of the whole list; the last is below the first where none is."""
    rows = connection.scalar(select(func.max(ranking.c.rank)).where(ranking.c.campaign_id == id)) or 0
    if decile is None:
        return 1, rows
    return -(-(decile - 1) * rows // DECILES) + 1, -(-decile * rows // DECILES)


def _part(id: int, segment: str | None, first: int, last: int) -> list[Any]:
    conditions = [ranking.c.campaign_id == id, ranking.c.rank.between(first, last)]
    return conditions if segment is None else [*conditions, ranking.c.segment == segment]


def _whole(id: int) -> Select[Any]:
    return select(*_CUSTOMER).join_from(ranking, customers, _JOINED).where(ranking.c.campaign_id == id)


def _customer(row: Row[Any]) -> Customer:
    fields = dict(row._mapping)
    return Customer(**{**fields, "warnings": tuple(fields["warnings"])})
