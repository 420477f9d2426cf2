"""The table of the request log in either database, over a connection of the writer's own."""

from __future__ import annotations

import sqlite3
import struct
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Protocol
from urllib.parse import quote

from campaigns.request_log import pgcopy
from campaigns.request_log.rows import COLUMNS, Batch

BUSY_SECONDS = 20
"""How long a batch waits for another writer of SQLite; ranking a million rows takes some seconds."""
CONNECT_SECONDS = 3
ANSWER_SECONDS = 20
"""How long PostgreSQL may take for a batch."""
_NAMES = ", ".join(("batch", *COLUMNS))
_WRONG = OverflowError, ValueError, TypeError, struct.error
"""What a value raises that is not of its column's type."""


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
            rows = (
                (batch.number, row[0], _text_of_time(row[1]), *row[2:])
                for batch in batches
                if batch.number not in known
                for row in batch.rows
            )
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
                with cursor.copy(f"COPY request_log ({', '.join(pgcopy.COLUMNS)}) FROM STDIN (FORMAT BINARY)") as copy:
                    copy.write(pgcopy.binary([batch for batch in batches if batch.number not in known]))
        except errors.UniqueViolation as error:  # another writer has it now, as the next attempt will see
            raise UnavailableError("another writer has the same batch") from error
        except (*_WRONG, errors.DataError, errors.IntegrityError) as error:  # their texts quote values
            raise RefusedRowsError(type(error).__name__) from error
        except self._psycopg.Error as error:
            raise UnavailableError(_first_line(error)) from error

    def close(self) -> None:
        self._connection.close()


def _text_of_time(seconds: float) -> str:
    """As the store writes it into SQLite: in UTC and without the zone."""
    whole, micros = divmod(round(seconds * 1_000_000), 1_000_000)
    return f"{_text_of_second(whole)}.{micros:06d}"


@lru_cache(maxsize=1_000)
def _text_of_second(second: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(second))


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0] or type(error).__name__
