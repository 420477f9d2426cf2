"""The figures of all campaigns."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest
from sqlalchemy import update

from campaigns.records import Outcome
from campaigns.store import customers, database, outcomes, tables
from campaigns.store.overview import overview
from tests.support.campaigns import customer, ranked, waiting

MAY, JUNE = (datetime(2026, month, 1, tzinfo=timezone.utc) for month in (5, 6))


@pytest.fixture
def engine(where, tmp_path):
    """An empty database."""
    url, _ = where
    engine = database.open_database(url, tmp_path)
    with engine.begin() as connection:
        connection.execute(tables.campaigns.delete())
    yield engine
    engine.dispose()


def frozen(engine, when):
    """A campaign whose call list was frozen at a time."""
    id = ranked(engine, [customer(1, 0.9), customer(2, 0.1)])
    customers.freeze(engine, id, 2, ())
    with engine.begin() as connection:
        connection.execute(update(tables.campaigns).where(tables.campaigns.c.id == id).values(frozen=when))
    return id


def test_an_empty_desk(engine):
    found = overview(engine)
    assert set(found.lists.values()) == {0}
    assert found.waits_since is None


def test_lists_are_counted_by_state(engine):
    waiting(engine)
    ranked(engine, [customer(1)])
    frozen(engine, MAY)
    frozen(engine, MAY)
    counts = {state: count for state, count in overview(engine).lists.items() if count}
    assert counts == {"waiting": 1, "ranked": 1, "frozen": 2}


def test_the_oldest_list_without_a_known_answer_waits(engine):
    ranked(engine, [customer(1)])
    old, _ = frozen(engine, MAY), frozen(engine, JUNE)
    assert overview(engine).waits_since == MAY
    outcomes.record(engine, old, [Outcome("c1", True, None, JUNE)])
    assert overview(engine).waits_since == MAY
    outcomes.record(engine, old, [Outcome("c2", True, False, JUNE)])
    assert overview(engine).waits_since == JUNE
