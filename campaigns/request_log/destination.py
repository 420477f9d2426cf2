"""The table of the request log in either database, over a connection of the writer's own."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime, timezone
from typing import Any, Protocol
from urllib.parse import quote

from campaigns.request_log.rows import COLUMNS, Batch

BUSY_SECONDS = 20
"""How long a batch waits for another writer of SQLite; ranking a million rows takes some seconds."""
CONNECT_SECONDS = 3
ANSWER_SECONDS = 20
"""How long PostgreSQL may take for a batch."""
_NAMES = ", ".join(("batch", *COLUMNS))


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
        except (sqlite3.IntegrityError, sqlite3.DataError, OverflowError, ValueError) as error:
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
            rows = _values(batches, known, _text_of_time)
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
                with cursor.copy(f"COPY request_log ({_NAMES}) FROM STDIN") as copy:
                    for row in _values(batches, known, _time):
                        copy.write_row(row)
        except errors.UniqueViolation as error:  # another writer has it now, as the next attempt will see
            raise UnavailableError("another writer has the same batch") from error
        except (
            errors.DataError,
            errors.IntegrityError,
            OverflowError,
            ValueError,
        ) as error:  # their texts quote values
            raise RefusedRowsError(type(error).__name__) from error
        except self._psycopg.Error as error:
            raise UnavailableError(_first_line(error)) from error

    def close(self) -> None:
        self._connection.close()


def _values(batches: Sequence[Batch], known: set[int], time: Any) -> Iterator[tuple[Any, ...]]:
    """The rows of batches that are not known yet, with their batch and the time as the database takes it."""
    for batch in batches:
        if batch.number not in known:
            for row in batch.rows:
                yield batch.number, row[0], time(row[1]), *row[2:]


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, timezone.utc)


def _text_of_time(seconds: float) -> str:
    """As the store writes it into SQLite: in UTC and without the zone."""
    return datetime.utcfromtimestamp(seconds).isoformat(" ", "microseconds")


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0] or type(error).__name__
