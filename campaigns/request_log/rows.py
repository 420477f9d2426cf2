"""What the desk reports of scored customers, as rows of the table."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain, repeat
from typing import Any

from campaigns.request_log.key import hasher

Row = Sequence[Any]
Column = Sequence[Any]
COLUMNS = (
    "place", "time", "request", "caller", "campaign_id", "customer", "model", "version", "probability", "purchase",
    "seconds", "inputs",
)  # fmt: skip
"""Of a row, which is plain JSON; `time` is in seconds since 1970."""
CUSTOMER = COLUMNS.index("customer")
_RANDOM_BITS = 21
"""Of a batch's number, behind the time in milliseconds, so that desks that share a database have different ones."""
_LISTS = {list, tuple}
_WRONG = TypeError, ValueError, AttributeError
"""What an entry raises that is not as `Scored` says."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Batch:
    """Rows that are written together.

    Attributes:
      number: which no other batch has.
      rows: by COLUMNS.
    """

    number: int
    rows: Sequence[Row]


def new_number() -> int:
    """The number of a batch that is made now, after all its rows were scored."""
    return (time.time_ns() // 1_000_000) << _RANDOM_BITS | secrets.randbits(_RANDOM_BITS)


def first_number(when: datetime) -> int:
    """The least number of a batch that is made at a time or later."""
    return int(when.timestamp() * 1_000) << _RANDOM_BITS


def batch(number: int, entries: Iterable[Sequence[Any]], key: bytes) -> Batch:
    """One row for each customer of the entries; an entry that is not as `Scored` says is left out.

    All entries are looked at together, a column at a time, and one at a time only where one of them is wrong.

    Args:
      number: of the batch.
      entries: each a `Scored`, or a plain tuple like it.
      key: for the hashes, see `key.load`.
    """
    customer = hasher(key)
    entries = list(entries)
    try:
        return Batch(number, _rows(tuple(zip(*entries, strict=True)), customer))
    except _WRONG:
        rows: list[Row] = []
    for entry in entries:
        try:
            rows += _rows(tuple(zip(entry, strict=True)), customer, len(rows))
        except _WRONG as error:
            _log.warning("request log: an entry is not as it should be: %s", error)
    return Batch(number, rows)


def _rows(entries: Sequence[Column], customer: Callable[[str], str], first: int = 0) -> list[Row]:
    """The rows of entries, whose places are counted from `first`.

    Raises:
      TypeError, ValueError, AttributeError: an entry is not as `Scored` says.
    """
    times, requests, callers, campaigns, identifiers, models, versions, probabilities, purchases, seconds, inputs = (
        entries
    )
    counts = list(map(len, probabilities))
    total = sum(counts)

    def each(values: Iterable[Any]) -> Iterable[Any]:
        """What entries say once, for each of their rows."""
        return values if set(counts) == {1} else chain.from_iterable(map(repeat, values, counts))

    def flat(lists: Column) -> list[Any]:
        """What entries say of each of their rows."""
        if not set(map(type, lists)) <= _LISTS or list(map(len, lists)) != counts:
            raise ValueError("its columns do not fit together")
        return list(chain.from_iterable(lists))

    given = flat([(None,) * count if one is None else one for one, count in zip(inputs, counts, strict=True)])
    return list(
        zip(
            range(first, first + total),
            each(map(float, times)),
            each(_texts(requests)),
            each(_texts(callers)),
            each(campaigns),
            [None if one is None else customer(one) for one in flat(identifiers)],
            each(_texts(models)),
            each(_texts(versions)),
            map(float, flat(probabilities)),
            map(int, flat(purchases)),
            each(map(float, seconds)),
            [one and _texts((one,))[0] for one in given],
            strict=True,
        )
    )


def _texts(values: Column) -> Column:
    """Texts as both databases take them, see `store.tables.AnyText`."""
    if (together := "".join(values)).isascii() and "\0" not in together:
        return values
    return [value.replace("\0", "\N{REPLACEMENT CHARACTER}").encode(errors="replace").decode() for value in values]
