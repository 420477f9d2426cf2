"""Outcomes in the store."""

import re
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import numpy as np
import pytest

from campaigns.records import Outcome
from campaigns.store import customers, outcomes
from campaigns.store.outcomes import Recorded
from tests.support.campaigns import customer, ranked

NOW = datetime(2026, 11, 24, 12, tzinfo=timezone.utc)
HOUR = timedelta(hours=1)


def bought(identifier, value=True, called=True, recorded=NOW):
    return Outcome(identifier, called, value, recorded)


def test_outcomes_are_joined_with_what_was_expected(engine):
    id = ranked(engine, [customer(row, 1 - row / 10) for row in range(1, 10)])
    customers.freeze(engine, id, 3, (5,))
    told = [
        bought("c5", None),
        bought("c9", False, called=False),
        bought("c1"),
        bought("stranger"),
        bought("c4", False),
    ]
    assert outcomes.record(engine, id, told) == Recorded(new=4, corrected=0, unchanged=0, unknown=("stranger",))
    found = outcomes.joined(engine, id)
    np.testing.assert_array_equal(found.rank, [1, 4, 5, 9])
    np.testing.assert_array_equal(found.probability, [0.9, 0.6, 0.5, 1 - 9 / 10])
    np.testing.assert_array_equal(found.kind, ["best", "", "control", ""])
    np.testing.assert_array_equal(found.was_called, [True, True, True, False])
    np.testing.assert_array_equal(found.bought, [1, 0, np.nan, 0])
    assert [array.dtype.kind for array in (found.rank, found.kind, found.was_called, found.bought)] == list("iUbf")
    assert found.rows == 9


def test_without_outcomes_the_arrays_are_empty(engine):
    found = outcomes.joined(engine, ranked(engine, [customer(1), customer(2)]))
    assert (
        len(found.rank) == len(found.probability) == len(found.kind) == len(found.was_called) == len(found.bought) == 0
    )
    assert found.rows == 2


def test_a_later_upload_corrects_an_earlier_one(engine):
    id = ranked(engine, [customer(row) for row in range(1, 5)])
    outcomes.record(engine, id, [bought("c1"), bought("c2"), bought("c3", None)])
    later = [bought("c1", recorded=NOW + HOUR), bought("c2", False, recorded=NOW + HOUR)]
    later += [bought("c3", True, recorded=NOW + HOUR), bought("c4", recorded=NOW + HOUR)]
    assert outcomes.record(engine, id, later) == Recorded(new=1, corrected=2, unchanged=1, unknown=())
    np.testing.assert_array_equal(outcomes.joined(engine, id).bought, [1, 0, 1, 1])
    assert outcomes.record(engine, id, later) == Recorded(new=0, corrected=0, unchanged=4, unknown=())


def test_an_older_outcome_does_not_replace_a_newer_one(engine):
    id = ranked(engine, [customer(1)])
    outcomes.record(engine, id, [bought("c1", recorded=NOW)])
    assert outcomes.record(engine, id, [bought("c1", False, recorded=NOW - HOUR)]).unchanged == 1
    np.testing.assert_array_equal(outcomes.joined(engine, id).bought, [1])


def test_of_one_identifier_in_an_upload_the_last_counts(engine):
    id = ranked(engine, [customer(1)])
    told = [bought("c1", True), bought("c1", False), bought("x"), bought("x")]
    assert outcomes.record(engine, id, told) == Recorded(new=1, corrected=0, unchanged=0, unknown=("x",))
    np.testing.assert_array_equal(outcomes.joined(engine, id).bought, [0])


def test_outcomes_of_one_campaign_are_not_those_of_another(engine):
    first, second = ranked(engine, [customer(1)]), ranked(engine, [customer(1)])
    outcomes.record(engine, first, [bought("c1")])
    assert len(outcomes.joined(engine, second).rank) == 0
    assert outcomes.record(engine, second, [bought("c1", False)]).new == 1
    np.testing.assert_array_equal(outcomes.joined(engine, first).bought, [1])


def test_more_outcomes_than_a_statement_takes_parameters(engine):
    """65,535 on PostgreSQL, 32,766 on SQLite."""
    id = ranked(engine, [customer(1), customer(70_000)])
    told = [bought(f"c{row}") for row in range(1, 70_001)]
    recorded = outcomes.record(engine, id, told)
    assert (recorded.new, len(recorded.unknown)) == (2, 69_998)


def test_an_identifier_that_came_twice_in_the_list(engine):
    id = ranked(engine, [customer(1, 0.2, identifier="same"), replace(customer(2, 0.4), identifier="same")])
    assert outcomes.record(engine, id, [bought("same")]).new == 1
    np.testing.assert_array_equal(outcomes.joined(engine, id).rank, [1, 2])


def test_postgresql_expects_the_rows_of_a_new_campaign(engine):
    """It took a campaign that its statistics did not know for one row, and compared each row with each."""
    if engine.dialect.name != "postgresql":
        pytest.skip("SQLite always takes the index")

    def campaign():
        id = ranked(engine, [customer(row, 1 / row) for row in range(1, 2_001)])
        customers.freeze(engine, id, 1_000, ())
        outcomes.record(engine, id, [bought(f"c{row}", row % 3 == 0) for row in range(1, 1_001)])
        return id

    for _ in range(2):
        campaign()
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("ANALYZE")  # as PostgreSQL does by itself at some time
    id = campaign()
    with engine.connect() as connection:
        for table in ("customers", "ranking", "outcomes"):
            plan = (
                connection.exec_driver_sql(f"EXPLAIN SELECT * FROM {table} WHERE campaign_id = {id}").scalars().first()
            )
            assert int(re.findall(r"rows=(\d+)", plan)[0]) > 500, table
