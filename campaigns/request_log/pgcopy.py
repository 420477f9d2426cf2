"""Rows as PostgreSQL's binary COPY takes them, which is the least work for both sides.

A row is the number of its columns and then, for each of them, the length of its value and the value. The values must be
of the types that the columns of the table have.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from functools import lru_cache

from campaigns.request_log.rows import COLUMNS, Batch

_COLUMNS = 1 + len(COLUMNS)
_HEAD, _END = b"PGCOPY\n\xff\r\n\0" + bytes(8), b"\xff\xff"
_NULL, _LENGTH, _INTEGER = b"\xff\xff\xff\xff", struct.Struct(">i"), struct.Struct(">ii")
_KEY_AND_TIME, _FIGURES = struct.Struct(">hiqiiiq"), struct.Struct(">idiiid")
_MICROS_TO_2000 = 946_684_800_000_000
"""From 1970, where `time` begins, to 2000, where PostgreSQL's time does."""


def binary(batches: Sequence[Batch]) -> bytes:
    """The rows with the number of their batch in front, by `rows.COLUMNS`.

    Raises:
      OverflowError, ValueError, TypeError, struct.error: a value is not of its column's type.
    """
    parts = [_HEAD]
    start, figures = _KEY_AND_TIME.pack, _FIGURES.pack
    for batch in batches:
        for row in batch.rows:
            place, time, request, caller, campaign_id, customer, model, version, chance, purchase, seconds, inputs = row
            parts += (
                start(_COLUMNS, 8, batch.number, 4, place, 8, round(time * 1_000_000) - _MICROS_TO_2000),
                _text(request),
                _often(caller),
                _NULL if campaign_id is None else _INTEGER.pack(4, campaign_id),
                _text(customer),
                _often(model),
                _often(version),
                figures(8, chance, 4, purchase, 8, seconds),
                _text(inputs),
            )
    parts.append(_END)
    return b"".join(parts)


def _text(text: str | None) -> bytes:
    if text is None:
        return _NULL
    encoded = text.encode()
    return _LENGTH.pack(len(encoded)) + encoded


_often = lru_cache(maxsize=1_000)(_text)
"""For texts that many rows share."""
