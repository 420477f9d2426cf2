"""To which groups the customers of a ranked list belong, one column after the other."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from sqlalchemy import Connection, Engine, delete, insert, select, update

from campaigns.store import campaigns
from campaigns.store.tables import customers, ranked_groups, ranking

_NUMBER = np.dtype("<u2")
_STREAMED = 20_000


def cells(
    engine: Engine, id: int, columns: Sequence[str]
) -> Iterator[tuple[Sequence[int], Sequence[Sequence[str | None]]]]:
    """Cells of some columns in the order of the file, streamed: rows, and for each column the cells of these rows.

    A cell is None where the file has no such column.
    """
    wanted = (customers.c.cells[column].as_string() for column in columns)
    query = select(customers.c.row, *wanted).where(customers.c.campaign_id == id).order_by(customers.c.row)
    with engine.connect() as connection:
        for part in connection.execution_options(yield_per=_STREAMED).execute(query).partitions():
            rows, *found = zip(*part, strict=True)
            yield rows, found


def rows_by_rank(engine: Engine, id: int) -> np.ndarray:
    """The row of each rank, int64."""
    query = select(ranking.c.row).where(ranking.c.campaign_id == id).order_by(ranking.c.rank)
    with engine.connect() as connection:
        found = connection.execution_options(yield_per=_STREAMED).execute(query)
        return np.fromiter((row for (row,) in found), np.int64)


def keep(engine: Engine, id: int, numbers: Mapping[str, np.ndarray]) -> None:
    """Stores the groups of a list in the place of earlier ones.

    Args:
      numbers: by column the number of each customer's group, by rank.

    Raises:
      StateError: there is no such campaign, or it is frozen.
    """
    values = [{"campaign_id": id, "column": column, "numbers": _packed(each)} for column, each in numbers.items()]
    with engine.begin() as connection:
        campaigns.change(connection, id, {})
        connection.execute(delete(ranked_groups).where(ranked_groups.c.campaign_id == id))
        connection.execute(insert(ranked_groups), values)


def get(engine: Engine, id: int) -> dict[str, np.ndarray]:
    """What `keep` stored; empty where nothing is."""
    with engine.connect() as connection:
        return _stored(connection, id)


def remove(connection: Connection, id: int, ranks: Sequence[int]) -> None:
    """Removes some ranks; those behind them close up."""
    gone = np.array(ranks, np.int64) - 1
    for column, numbers in _stored(connection, id).items():
        which = ranked_groups.c.campaign_id == id, ranked_groups.c.column == column
        connection.execute(update(ranked_groups).where(*which).values(numbers=_packed(np.delete(numbers, gone))))


def _stored(connection: Connection, id: int) -> dict[str, np.ndarray]:
    query = select(ranked_groups.c.column, ranked_groups.c.numbers).where(ranked_groups.c.campaign_id == id)
    return {row.column: np.frombuffer(zlib.decompress(row.numbers), _NUMBER) for row in connection.execute(query)}


def _packed(numbers: np.ndarray) -> bytes:
    return zlib.compress(numbers.astype(_NUMBER).tobytes(), 1)
