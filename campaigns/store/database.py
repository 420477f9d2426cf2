"""Opens the database and brings its tables up to date."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import psycopg
from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import URL, Connection, Engine, ExceptionContext, Table, create_engine, event, make_url
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, DatabaseError

from campaigns.store.errors import StoreDownError
from data.errors import BadOptionError, NotReadyError, ServiceError

FILE = "campaigns.sqlite"
MIGRATIONS = Path(__file__).parent / "migrations"
BUSY_SECONDS = 60
"""How long a writer of SQLite waits for another one; ranking a million rows holds the file for some seconds."""
CACHE_KIB = 64 << 10
"""At most, for each connection to SQLite; the indexes of a million ranks do not fit into the usual 2 MiB."""
CONNECT_SECONDS = 10
"""How long PostgreSQL may take to answer."""
_DOWN = ("08", "57P", "53")
"""Classes of PostgreSQL's error codes: connection, shutdown and start, resources. An error without a code comes from
the connection."""
MIGRATION_LOCK = 0x6361_6D70
"""Any number, the same in every desk: desks that start at once on one PostgreSQL migrate one after the other."""


def open_database(url: str | None, folder: Path) -> Engine:
    """Opens the database, creates or migrates its tables.

    Where PostgreSQL stops later, whoever asks the engine gets a StoreDownError until it is back.

    Args:
      url: `postgresql://user:password@host:port/database`, or None for the SQLite file `campaigns.sqlite`.
      folder: of the SQLite file; it is created where it is missing.

    Raises:
      BadOptionError: the URL is not one of PostgreSQL.
      ServiceError: PostgreSQL does not answer, or refuses the user; the file is no database.
      NotReadyError: a newer desk has migrated the database.
    """
    engine = _sqlite(folder) if url is None else _postgresql(url)
    try:
        with engine.begin() as connection:
            _lock(connection)
            command.upgrade(configuration(connection), "head")
    except DatabaseError as error:
        engine.dispose()
        raise ServiceError(f"the database cannot be used: {str(error.orig).strip()}") from error
    except CommandError as error:
        engine.dispose()
        raise NotReadyError(f"a newer version of the desk has written this database: {error}") from error
    event.listen(engine, "handle_error", _say_that_it_is_down)
    return engine


def configuration(connection: Connection) -> Config:
    """Alembic's configuration for a connection; there is no alembic.ini."""
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config


def insert(connection: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    """An INSERT that knows `ON CONFLICT`, which both databases write in the same way."""
    return sqlite.insert(table) if connection.dialect.name == "sqlite" else postgresql.insert(table)


def analyze(connection: Connection, *changed: Table) -> None:
    """Has PostgreSQL look at tables again after many rows of a campaign have come.

    It takes a campaign that its statistics do not know for one row, and then compares each row of a list with each
    row of the call list. SQLite always takes the index.
    """
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"ANALYZE {', '.join(table.name for table in changed)}")


def settle(engine: Engine) -> None:
    """Leaves no copy of removed rows in the files of SQLite; PostgreSQL overwrites them when it vacuums a table."""
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")


def _say_that_it_is_down(context: ExceptionContext) -> None:
    """Raises StoreDownError where PostgreSQL stops, starts, or cannot be reached; SQLite's errors have no code."""
    error, driver = context.original_exception, context.dialect.loaded_dbapi
    if context.is_pre_ping or not isinstance(error, (driver.OperationalError, driver.InterfaceError)):
        return
    if context.is_disconnect or _is_down(error):
        raise _store_down(error) from error


def _is_down(error: BaseException) -> bool:
    code = getattr(error, "sqlstate", "")
    return code is None or bool(code and code.startswith(_DOWN))


def _store_down(error: BaseException) -> StoreDownError:
    return StoreDownError(f"the database does not answer now: {str(error).strip()}")


def add_rows(connection: Connection, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
    """Adds many rows; a row whose primary key is there already is left as it is.

    SQLAlchemy looks at each value of each row, which takes more time than the databases do. PostgreSQL takes the rows
    by COPY into a temporary table, since COPY itself knows no `ON CONFLICT`.

    Args:
      table: with columns of numbers, texts and JSON.
      rows: values in the order of the table's columns, JSON as text.
    """
    names = ", ".join(f'"{column.name}"' for column in table.columns)
    into = f'INSERT INTO "{table.name}" ({names})'
    if connection.dialect.name == "sqlite":
        places = ", ".join("?" * len(table.columns))
        connection.exec_driver_sql(f"{into} VALUES ({places}) ON CONFLICT DO NOTHING", list(rows))
        return
    passing = f'"new_{table.name}"'
    connection.exec_driver_sql(
        f"CREATE TEMPORARY TABLE IF NOT EXISTS {passing} ON COMMIT DELETE ROWS AS "
        f'SELECT {names} FROM "{table.name}" WITH NO DATA'
    )
    try:
        with connection.connection.cursor() as cursor, cursor.copy(f"COPY {passing} ({names}) FROM STDIN") as copy:  # type: ignore[attr-defined]
            for row in rows:
                copy.write_row(row)
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:  # SQLAlchemy does not see it
        if _is_down(error):
            raise _store_down(error) from error
        raise
    connection.exec_driver_sql(f"{into} SELECT {names} FROM {passing} ON CONFLICT DO NOTHING")


def _lock(connection: Connection) -> None:
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")  # Python's sqlite3 starts no transaction before a CREATE TABLE
    else:
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")


def json_text(value: Any) -> str:
    """A value as the JSON of a column."""
    return orjson.dumps(value).decode()


def _sqlite(folder: Path) -> Engine:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / FILE
    file.touch(mode=0o600)  # customers are nobody else's business; SQLite gives its other files the same mode
    engine = create_engine(
        URL.create("sqlite", database=str(file)),
        hide_parameters=True,
        connect_args={"timeout": BUSY_SECONDS},
        json_serializer=json_text,
        json_deserializer=orjson.loads,
    )

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _: Any) -> None:
        _keep_a_log_of_writes(connection)
        for pragma in ("synchronous=NORMAL", "foreign_keys=ON", "secure_delete=ON", f"cache_size=-{CACHE_KIB}"):
            connection.execute(f"PRAGMA {pragma}")

    return engine


def _keep_a_log_of_writes(connection: Any) -> None:
    """Sets the journal mode WAL. Two that set it first at the same moment are refused at once, without waiting."""
    end = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > end:
                raise
            time.sleep(0.05)


def _postgresql(url: str) -> Engine:
    expected = "expected postgresql://user:password@host:port/database"
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise BadOptionError(f"--database: not a URL; {expected}") from error
    if parsed.drivername not in ("postgresql", "postgres"):
        raise BadOptionError(f"--database: {parsed.drivername}://…; {expected}")
    return create_engine(
        parsed.set(drivername="postgresql+psycopg"),
        hide_parameters=True,
        connect_args={"connect_timeout": CONNECT_SECONDS},
        pool_pre_ping=True,  # a connection may be from before a restart of the database
        json_serializer=json_text,
        json_deserializer=orjson.loads,
    )


def in_chunks(values: Sequence[Any], size: int = 5_000) -> list[Sequence[Any]]:
    """Cuts a sequence, since the databases take at most 32,766 (SQLite) or 65,535 (PostgreSQL) parameters."""
    return [values[start : start + size] for start in range(0, len(values), size)]
