"""Rows as PostgreSQL's binary COPY takes them, which is the least work for both sides.

A row is the number of its columns and then, for each of them, the length of its value and the value. The values must be
of the types that the columns of the table have. What many rows share comes last, in one piece.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from functools import lru_cache

from campaigns.request_log.rows import Batch

COLUMNS = (
    "batch", "place", "time", "probability", "purchase", "seconds", "request", "customer", "inputs",
    "caller", "campaign_id", "model", "version",
)  # fmt: skip
_HEAD, _END = b"PGCOPY\n\xff\r\n\0" + bytes(8), b"\xff\xff"
_NUMBERS = struct.Struct(">h iq ii iq id ii id")
_NULL, _LENGTH, _INTEGER = b"\xff\xff\xff\xff", struct.Struct(">i"), struct.Struct(">ii")
_MICROS_TO_2000 = 946_684_800_000_000
"""From 1970, where `time` begins, to 2000, where PostgreSQL's time does."""


def binary(batches: Sequence[Batch]) -> bytes:
    """The rows with the number of their batch, by COLUMNS.

    Raises:
      OverflowError, ValueError, TypeError, struct.error: a value is not of its column's type.
    """
    parts = [_HEAD]
    width, numbers = len(COLUMNS), _NUMBERS.pack
    for batch in batches:
        for row in batch.rows:
            place, time, request, caller, campaign_id, customer, model, version, chance, purchase, seconds, inputs = row
            micros = round(time * 1_000_000) - _MICROS_TO_2000
            parts += (
                numbers(width, 8, batch.number, 4, place, 8, micros, 8, chance, 4, purchase, 8, seconds),
                _text(request),
                _text(customer),
                _text(inputs),
                _shared(caller, campaign_id, model, version),
            )
    parts.append(_END)
    return b"".join(parts)


@lru_cache(maxsize=1_000)
def _shared(caller: str | None, campaign_id: int | None, model: str | None, version: str | None) -> bytes:
    campaign = _NULL if campaign_id is None else _INTEGER.pack(4, campaign_id)
    return _text(caller) + campaign + _text(model) + _text(version)


def _text(text: str | None) -> bytes:
    if text is None:
        return _NULL
    encoded = text.encode()
    return _LENGTH.pack(len(encoded)) + encoded
