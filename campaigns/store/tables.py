"""The tables. A change here needs a migration in `migrations/versions`; a test compares the two."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
)
from sqlalchemy.types import TypeDecorator


class Time(TypeDecorator[datetime]):
    """A point in time, in UTC. SQLite stores it without its zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value and value.astimezone(timezone.utc)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None or value.tzinfo is None:
            return value and value.replace(tzinfo=timezone.utc)
        return value.astimezone(timezone.utc)


class AnyText(TypeDecorator[str]):
    """Text from a person. NUL, which PostgreSQL refuses, becomes U+FFFD; a lone surrogate, which UTF-8 lacks, `?`."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return value and value.replace("\0", "\N{REPLACEMENT CHARACTER}").encode(errors="replace").decode()


metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(referred_table_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    }
)

campaigns = Table(
    "campaigns",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", AnyText, nullable=False),
    Column("cost", Double, nullable=False),
    Column("margin", Double, nullable=False),
    Column("calls", Integer),
    Column("control_share", Double, nullable=False),
    Column("plan", JSON, nullable=False),
    Column("quarantine", Boolean, nullable=False),
    Column("state", AnyText, nullable=False),
    Column("created", Time, nullable=False),
    Column("source", AnyText, nullable=False),
    Column("contract", AnyText, nullable=False),
    Column("model", AnyText),
    Column("version", AnyText),
    Column("rows", Integer, nullable=False),
    Column("scored", Integer, nullable=False),
    Column("bad", Integer, nullable=False),
    Column("problem", AnyText),
    Column("frozen", Time),
    sqlite_autoincrement=True,  # an id that was given once is never given again
)


def _of_a_campaign() -> Column[int]:
    return Column("campaign_id", Integer, ForeignKey(campaigns.c.id, ondelete="CASCADE"), primary_key=True)


customers = Table(
    "customers",
    metadata,
    _of_a_campaign(),
    Column("row", Integer, primary_key=True),
    Column("identifier", Text, nullable=False),
    Column("cells", JSON, nullable=False),
    Column("probability", Double, nullable=False),
    Column("segment", Text),
    Column("warnings", JSON, nullable=False),
    sqlite_with_rowid=False,
)
"""The rows of a list with their probabilities, in the order of the file."""

ranking = Table(
    "ranking",
    metadata,
    _of_a_campaign(),
    Column("rank", Integer, primary_key=True),
    Column("row", Integer, nullable=False),
    Column("identifier", AnyText, nullable=False),
    Column("probability", Double, nullable=False),
    Column("segment", AnyText),
    Column("called", Text),
    # Each index ends with the rank, so that it answers which ranks are on a page without a look at the table.
    Index(None, "campaign_id", "row", "rank"),
    Index(None, "campaign_id", "identifier", "rank"),
    Index(None, "campaign_id", "segment", "rank"),
    sqlite_with_rowid=False,
)
"""The same rows by rank, without cells: a search through a million is fast, and ranking copies little."""

ranked_groups = Table(
    "ranked_groups",
    metadata,
    _of_a_campaign(),
    Column("column", AnyText, primary_key=True),
    Column("numbers", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)
"""For each of the contract's sensitive columns the groups of all customers by rank, packed: see `store.groups`."""

bad_rows = Table(
    "bad_rows",
    metadata,
    _of_a_campaign(),
    Column("line", Integer, primary_key=True),
    Column("problem", AnyText, nullable=False),
    Column("text", AnyText, nullable=False),
    sqlite_with_rowid=False,
)

outcomes = Table(
    "outcomes",
    metadata,
    _of_a_campaign(),
    Column("identifier", AnyText, primary_key=True),
    Column("called", Boolean, nullable=False),
    Column("bought", Boolean),
    Column("recorded", Time, nullable=False),
    sqlite_with_rowid=False,
)

standings = Table(
    "standings",
    metadata,
    _of_a_campaign(),
    Column("figures", JSON, nullable=False),
    sqlite_with_rowid=False,
)
"""How a ranked campaign does: see `campaigns.records.Standing`. It is noted where it changes, since the first page
cannot read the probabilities of every list."""

request_log = Table(
    "request_log",
    metadata,
    Column("batch", BigInteger, primary_key=True, autoincrement=False),
    Column("place", Integer, primary_key=True, autoincrement=False),
    Column("time", Time, nullable=False),
    Column("request", Text, nullable=False),
    Column("caller", AnyText, nullable=False),
    Column("campaign_id", Integer),
    Column("customer", Text),
    Column("model", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("probability", Double, nullable=False),
    Column("purchase", Integer, nullable=False),
    Column("seconds", Double, nullable=False),
    Column("inputs", JSON),
    Index("ix_request_log_time", "time", postgresql_using="brin").ddl_if(dialect="postgresql"),
    sqlite_with_rowid=False,
)
"""One row for each scored customer of the API and of lists; `customer` is a keyed hash of the identifier. `batch` and
`place` keep a batch from being written twice, see `campaigns.request_log`. A campaign may be gone while its rows here
remain, so `campaign_id` is no foreign key."""

keys = Table(
    "keys",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", AnyText, nullable=False, unique=True),
    Column("role", Text, nullable=False),
    Column("hash", Text, nullable=False, unique=True),
    Column("created", Time, nullable=False),
    Column("revoked", Time),
)

audit = Table(
    "audit",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("time", Time, nullable=False, index=True),
    Column("request", Text, nullable=False),
    Column("caller", AnyText, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject", AnyText, nullable=False),
    sqlite_autoincrement=True,
)
"""Who changed what: `action` is a word such as `freeze`, `subject` names what it was done to."""

performance = Table(
    "performance",
    metadata,
    Column("model", Text, primary_key=True),
    Column("version", Text, primary_key=True),
    Column("month", Text, primary_key=True),
    Column("figures", JSON, nullable=False),
    Column("last_outcome", Time),
    Column("computed", Time, nullable=False),
)
"""What calls brought by version and month of the freeze, `2026-11`: see `campaigns.performance`. A row stays when its
campaigns are removed."""
