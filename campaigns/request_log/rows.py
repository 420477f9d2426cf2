"""What the desk reports of scored customers, as rows of the table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any

from campaigns.records import Scored
from campaigns.request_log.key import hashed

Row = Sequence[Any]
COLUMNS = (
    "place", "time", "request", "caller", "campaign_id", "customer", "model", "version", "probability", "purchase",
    "seconds", "inputs",
)  # fmt: skip
"""Of a row, which is plain JSON; `time` is in seconds since 1970."""
CUSTOMER = COLUMNS.index("customer")


@dataclass(frozen=True)
class Batch:
    """Rows that are written together.

    Attributes:
      number: which no other batch has.
      rows: by COLUMNS.
    """

    number: int
    rows: Sequence[Row]


def batch(number: int, entries: Iterable[Scored], key: bytes) -> Batch:
    """One row for each customer of the entries.

    Args:
      number: of the batch.
      entries: as the desk reported them.
      key: for the hashes, see `key.load`.
    """
    rows: list[Row] = []
    for entry in entries:
        request, caller, model, version = map(_clean, (entry.request, entry.caller, entry.model, entry.version))
        customers = zip(
            entry.identifiers,
            entry.probabilities,
            entry.purchases,
            entry.inputs or repeat(None, len(entry.probabilities)),
            strict=True,
        )
        for place, (identifier, probability, purchase, inputs) in enumerate(customers, len(rows)):
            customer = None if identifier is None else hashed(key, identifier)
            about = (place, entry.time, request, caller, entry.campaign_id, customer, model, version)
            rows.append((*about, probability, purchase, entry.seconds, inputs and _clean(inputs)))
    return Batch(number, rows)


def _clean(text: str) -> str:
    """Text that both databases take, see `store.tables.AnyText`."""
    if text.isascii() and "\0" not in text:
        return text
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode(errors="replace").decode()
