"""The table of the request log in either database, over a connection of the writer's own."""

from __future__ import annotations

import sqlite3
import struct
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any, Protocol
from urllib.parse import quote

from campaigns.request_log.rows import COLUMNS, Batch

BUSY_SECONDS = 20
"""How long a batch waits for another writer of SQLite; ranking a million rows takes some seconds."""
CONNECT_SECONDS = 3
ANSWER_SECONDS = 20
"""How long PostgreSQL may take for a batch."""
_NAMES = ", ".join(("batch", *COLUMNS))
_WRONG = OverflowError, ValueError, TypeError, struct.error
"""What a value raises that is not of its column's type."""
_COLUMNS = 1 + len(COLUMNS)
_COPY_HEAD, _COPY_END = b"PGCOPY\n\xff\r\n\0" + bytes(8), b"\xff\xff"
_LENGTH, _INTEGER, _NULL = struct.Struct(">i"), struct.Struct(">ii"), b"\xff\xff\xff\xff"
_START, _FIGURES = struct.Struct(">hiqiiiq"), struct.Struct(">idiiid")
_MICROS_IN_2000 = 946_684_800_000_000
"""From 1970, where the desk counts from, to 2000, where PostgreSQL does."""


class UnavailableError(Exception):
    """The database takes nothing now."""


class RefusedRowsError(Exception):
    """The database would never take these rows."""


class Destination(Protocol):
    """A database. All methods but `close` raise UnavailableError."""

    def ping(self) -> None:
        """Makes sure that the database answers."""

    def write(self, batches: Sequence[Batch]) -> None:
        """Writes all rows in one transaction, without those of batches that it has already.

        Raises:
          RefusedRowsError: it would never take them.
        """

    def close(self) -> None:
        """Ends the connection."""


def connect(database: str | None, file: str) -> Destination:
    """Connects to a PostgreSQL database, or opens the SQLite file where none is given.

    Raises:
      UnavailableError: it does not answer, or the file is not there.
    """
    return _Sqlite(file) if database is None else _Postgres(database)


class _Sqlite:
    def __init__(self, file: str):
        try:
            self._connection = sqlite3.connect(
                f"file:{quote(file)}?mode=rw", uri=True, timeout=BUSY_SECONDS, isolation_level=None
            )
            self._connection.execute("PRAGMA synchronous=NORMAL")
        except sqlite3.Error as error:
            raise UnavailableError(str(error)) from error

    def ping(self) -> None:
        try:
            self._connection.execute("SELECT 1 FROM request_log LIMIT 1").fetchall()
        except sqlite3.Error as error:
            raise UnavailableError(str(error)) from error

    def write(self, batches: Sequence[Batch]) -> None:
        try:
            self._write(batches)
        except (*_WRONG, sqlite3.IntegrityError, sqlite3.DataError) as error:
            raise RefusedRowsError(type(error).__name__) from error
        except sqlite3.Error as error:
            raise UnavailableError(str(error)) from error

    def _write(self, batches: Sequence[Batch]) -> None:
        marks = ", ".join("?" * len(batches))
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            numbers = [batch.number for batch in batches]
            found = self._connection.execute(
                f"SELECT DISTINCT batch FROM request_log WHERE batch IN ({marks})", numbers
            )
            known = {number for (number,) in found}
            values = ", ".join("?" * (1 + len(COLUMNS)))
            rows = _values(batches, known)
            self._connection.executemany(f"INSERT INTO request_log ({_NAMES}) VALUES ({values})", rows)
            self._connection.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
            raise

    def close(self) -> None:
        self._connection.close()


class _Postgres:
    def __init__(self, url: str):
        import psycopg

        self._psycopg = psycopg
        try:
            self._connection = psycopg.connect(
                url, connect_timeout=CONNECT_SECONDS, tcp_user_timeout=1000 * ANSWER_SECONDS, keepalives_idle=10
            )
            with self._connection.transaction():
                self._connection.execute(f"SET statement_timeout = '{ANSWER_SECONDS}s'")
        except psycopg.Error as error:
            raise UnavailableError(_first_line(error)) from error

    def ping(self) -> None:
        try:
            with self._connection.transaction():
                self._connection.execute("SELECT 1 FROM request_log LIMIT 1")
        except self._psycopg.Error as error:
            raise UnavailableError(_first_line(error)) from error

    def write(self, batches: Sequence[Batch]) -> None:
        errors = self._psycopg.errors
        try:
            with self._connection.transaction(), self._connection.cursor() as cursor:
                numbers = [batch.number for batch in batches]
                cursor.execute("SELECT DISTINCT batch FROM request_log WHERE batch = ANY(%s)", [numbers])
                known = {number for (number,) in cursor}
                with cursor.copy(f"COPY request_log ({_NAMES}) FROM STDIN (FORMAT BINARY)") as copy:
                    copy.write(_binary(batches, known))
        except errors.UniqueViolation as error:  # another writer has it now, as the next attempt will see
            raise UnavailableError("another writer has the same batch") from error
        except (*_WRONG, errors.DataError, errors.IntegrityError) as error:  # their texts quote values
            raise RefusedRowsError(type(error).__name__) from error
        except self._psycopg.Error as error:
            raise UnavailableError(_first_line(error)) from error

    def close(self) -> None:
        self._connection.close()


def _values(batches: Sequence[Batch], known: set[int]) -> Iterator[tuple[Any, ...]]:
    """The rows of batches that are not known yet, as SQLite takes them."""
    for batch in batches:
        if batch.number not in known:
            for row in batch.rows:
                yield batch.number, row[0], _text_of_time(row[1]), *row[2:]


def _text_of_time(seconds: float) -> str:
    """As the store writes it into SQLite: in UTC and without the zone."""
    whole, micros = divmod(_micros(seconds), 1_000_000)
    return f"{_text_of_second(whole)}.{micros:06d}"


@lru_cache(maxsize=1_000)
def _text_of_second(second: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(second))


def _binary(batches: Sequence[Batch], known: set[int]) -> bytes:
    """The rows of batches that are not known yet, as PostgreSQL takes them with the least work for both sides.

    Each row is the number of its columns and then, for each of them, the length of its value and the value.
    """
    parts = [_COPY_HEAD]
    number, start, figures = 0, _START.pack, _FIGURES.pack
    for batch in batches:
        if batch.number not in known:
            number = batch.number
            for (
                place,
                at,
                request,
                caller,
                campaign,
                customer,
                model,
                version,
                probability,
                purchase,
                seconds,
                inputs,
            ) in batch.rows:
                parts += (
                    start(_COLUMNS, 8, number, 4, place, 8, _micros(at) - _MICROS_IN_2000),
                    _text(request),
                    _often(caller),
                    _NULL if campaign is None else _INTEGER.pack(4, campaign),
                    _text(customer),
                    _often(model),
                    _often(version),
                    figures(8, probability, 4, purchase, 8, seconds),
                    _text(inputs),
                )
    parts.append(_COPY_END)
    return b"".join(parts)


def _text(text: str | None) -> bytes:
    if text is None:
        return _NULL
    encoded = text.encode()
    return _LENGTH.pack(len(encoded)) + encoded


_often = lru_cache(maxsize=1_000)(_text)
"""For texts that many rows share."""


def _micros(seconds: float) -> int:
    return round(seconds * 1_000_000)


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0] or type(error).__name__
