"""The calls that live figures are computed from, and the figures, in the store."""

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import numpy as np
import pytest
from sqlalchemy import update

from campaigns.records import Outcome
from campaigns.store import campaigns, customers, outcomes, performance
from campaigns.store.outcomes import Known
from campaigns.store.performance import Stored
from campaigns.store.tables import campaigns as table
from tests.support.campaigns import customer, ranked

NOW = datetime(2026, 11, 24, 12, tzinfo=timezone.utc)
HOUR = timedelta(hours=1)


@pytest.fixture
def frozen(engine):
    """The id of a campaign of nine customers with a call list of the best three and the fifth."""
    id = ranked(engine, [customer(row, 1 - row / 10) for row in range(1, 10)])
    campaigns.update(engine, id, model="purchase-model", version="7")
    customers.freeze(engine, id, 3, (5,))
    return id


def test_calls_are_joined_with_what_became_of_them(engine, frozen):
    told = [
        Outcome("c1", True, True, NOW),
        Outcome("c2", False, None, NOW),
        Outcome("c4", True, True, NOW),
        Outcome("c5", True, False, NOW),
    ]
    outcomes.record(engine, frozen, told)
    calls = performance.calls(engine, frozen)
    np.testing.assert_array_equal(calls.probabilities, [0.9, 0.8, 0.7, 0.5])
    np.testing.assert_array_equal(calls.control, [False, False, False, True])
    np.testing.assert_array_equal(calls.bought, [1, np.nan, np.nan, 0])
    assert [*outcomes.known(engine, frozen)] == [
        Known(customer(1).cells, control=False, bought=True),
        Known(customer(5).cells, control=True, bought=False),
    ]


def test_a_call_list_that_is_not_frozen_has_no_calls(engine):
    id = ranked(engine, [customer(1)])
    assert len(performance.calls(engine, id).bought) == 0
    assert id not in {one.id for one in performance.frozen(engine)}


def test_a_frozen_campaign_and_its_month_in_utc(engine, frozen):
    east = timezone(timedelta(hours=7))
    with engine.begin() as connection:
        time = datetime(2026, 12, 1, 3, tzinfo=east)
        connection.execute(update(table).where(table.c.id == frozen).values(frozen=time))
    found = next(one for one in performance.frozen(engine) if one.id == frozen)
    assert (found.model, found.version, found.customers, found.cost, found.margin) == (
        "purchase-model",
        "7",
        9,
        4.5,
        80,
    )
    assert found.month == "2026-11"


def test_the_last_outcomes(engine, frozen):
    assert frozen not in performance.last_outcomes(engine)
    outcomes.record(engine, frozen, [Outcome("c1", True, True, NOW), Outcome("c2", True, True, NOW + HOUR)])
    assert performance.last_outcomes(engine)[frozen] == NOW + HOUR == outcomes.last_recorded(engine, [frozen])


def test_figures_replace_earlier_ones_of_their_version_and_month(engine):
    first = Stored("m", "1", "2026-10", {"calls": 3}, None, NOW)
    performance.write(engine, first)
    newer = replace(first, month="2026-11", figures={"rate": 0.5, "auc": None})
    performance.write(engine, newer)
    corrected = replace(first, figures={"calls": 4}, last_outcome=NOW, computed=NOW + HOUR)
    performance.write(engine, corrected)
    assert [row for row in performance.read(engine) if row.model == "m"] == [newer, corrected]
