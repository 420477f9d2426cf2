"""The audit log: who did what, in the order in which it was done."""

from dataclasses import replace
from datetime import datetime, timezone

import pytest

from campaigns import context
from campaigns.records import Outcome
from campaigns.store import audit, campaigns, customers, outcomes
from campaigns.store.errors import StateError
from tests.support.campaigns import TERMS, customer, ranked, waiting


@pytest.fixture
def ana():
    """The caller of a request."""
    before = context.caller.set("ana"), context.request_id.set("r-1")
    yield
    context.caller.reset(before[0])
    context.request_id.reset(before[1])


def test_what_is_done_to_a_campaign_is_noted_with_who_did_it(engine, ana):
    start = datetime.now(timezone.utc)
    id = ranked(engine, [customer(1), customer(2), customer(3)])
    campaigns.change_terms(engine, id, replace(TERMS, calls=None))
    customers.freeze(engine, id, 1, [3])
    outcomes.record(engine, id, [Outcome("c1", True, True, start), Outcome("zz", True, None, start)])
    entries = audit.latest(engine, 4)[::-1]
    assert [(entry.action, entry.subject) for entry in entries] == [
        ("start", f"campaign {id}: spring, list.csv"),
        ("terms", f"campaign {id}: cost 4.5, margin 80, calls open, control 0.1"),
        ("freeze", f"campaign {id}: 2 calls"),
        ("outcomes", f"campaign {id}: 1 new, 0 corrected, 0 unchanged, 1 unknown"),
    ]
    assert {(entry.caller, entry.request) for entry in entries} == {("ana", "r-1")}
    assert start <= entries[0].time <= entries[-1].time <= datetime.now(timezone.utc)


def test_what_was_refused_is_not_noted(engine):
    id = waiting(engine)
    before = audit.latest(engine, 1)
    with pytest.raises(StateError):
        customers.freeze(engine, id, 1, [])
    with pytest.raises(StateError):
        campaigns.change_terms(engine, 10**6, TERMS)
    assert audit.latest(engine, 1) == before


def test_it_is_read_page_by_page(engine):
    for number in range(5):
        audit.add(engine, "download", f"file {number}\0")
    first = audit.latest(engine, 3)
    second = audit.latest(engine, 2, before=first[-1].id)
    assert [entry.subject[:6] for entry in (*first, *second)] == [f"file {number}" for number in (4, 3, 2, 1, 0)]
