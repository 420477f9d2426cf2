"""What is old is removed in parts, and nothing else."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from sqlalchemy import delete, func, insert, select, update

from campaigns.records import Bad, Outcome
from campaigns.request_log.rows import first_number
from campaigns.store import audit, campaigns, customers, outcomes, removal, tables
from tests.support.campaigns import customer, ranked, waiting

NOW = datetime.now(timezone.utc)
OLD, NEW = NOW - timedelta(days=40), NOW - timedelta(days=2)
BEFORE = NOW - timedelta(days=30)


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    monkeypatch.setattr(removal, "PART", 7)


def aged(engine, id, created=OLD) -> int:
    with engine.begin() as connection:
        connection.execute(update(tables.campaigns).where(tables.campaigns.c.id == id).values(created=created))
    return id


def rows(engine, table, id) -> int:
    with engine.connect() as connection:
        return connection.scalar(select(func.count()).where(table.c.campaign_id == id))


def full(engine) -> int:
    """A campaign with rows in every table."""
    id = ranked(engine, [customer(row) for row in range(1, 31)])
    campaigns.add_bad(engine, id, [Bad(line, "problem", "text") for line in range(20)])
    customers.freeze(engine, id, 5, [7])
    outcomes.record(engine, id, [Outcome(f"c{row}", True, None, NOW) for row in range(1, 21)])
    return id


@pytest.mark.parametrize("part", [1, 7, 10, 30, 1_000])
def test_a_campaign_goes_with_all_its_rows(engine, monkeypatch, part):
    monkeypatch.setattr(removal, "PART", part)
    gone, stays = full(engine), full(engine)
    assert removal.remove_campaign(engine, gone, "old")
    assert campaigns.get(engine, gone) is None
    parts = (tables.customers, tables.ranking, tables.bad_rows, tables.outcomes)
    assert [rows(engine, table, gone) for table in parts] == [0, 0, 0, 0]
    assert [rows(engine, table, stays) for table in parts] == [30, 30, 20, 20]
    assert not removal.remove_campaign(engine, gone, "old")
    (noted,) = [one for one in audit.latest(engine, 50) if one.subject.startswith(f"campaign {gone}: old")]
    assert noted.action == "delete"


def test_a_campaign_that_is_being_scored_stays(engine):
    id = waiting(engine)
    assert not removal.remove_campaign(engine, id, "old")
    assert campaigns.get(engine, id)


def test_a_removal_that_was_broken_off_goes_on(engine, monkeypatch):
    id = full(engine)

    def killed(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(removal.time, "sleep", killed)
    with pytest.raises(KeyboardInterrupt):
        removal.remove_campaign(engine, id, "it is being removed")
    monkeypatch.undo()
    shown = campaigns.get(engine, id)
    assert (shown.state, shown.problem) == ("cancelled", "it is being removed")
    assert removal.remove_campaign(engine, id, "old")
    assert rows(engine, tables.customers, id) == 0


def test_old_campaigns_by_whether_they_came_to_an_end(engine):
    ended, unfinished, young = aged(engine, full(engine)), aged(engine, waiting(engine)), full(engine)
    found = removal.old_campaigns(engine, BEFORE)
    assert ended in found[0]
    assert unfinished in found[1]
    assert young not in (*found[0], *found[1])


def test_old_rows_of_the_logs_go(engine):
    log = {"request": "", "caller": "", "model": "m", "version": "1", "probability": 0.5, "purchase": 1, "seconds": 0.1}
    action = {"request": "", "caller": "", "action": "freeze", "subject": ""}
    with engine.begin() as connection:
        for table in (tables.request_log, tables.audit):
            connection.execute(delete(table))
        for number in range(40):
            time = OLD if number % 4 else NEW
            for place in range(3):
                key = {"batch": first_number(time) + number, "place": place}
                connection.execute(insert(tables.request_log).values(**key, time=time, **log))
            connection.execute(insert(tables.audit).values(time=time, **action))
    assert removal.remove_log(engine, BEFORE) == 90
    assert removal.remove_audit(engine, BEFORE) == 30
    with engine.connect() as connection:
        for table, left in ((tables.request_log, 30), (tables.audit, 10)):
            times = connection.scalars(select(table.c.time)).all()
            assert len(times) == left
            assert min(times) > BEFORE
    assert removal.remove_log(engine, BEFORE) == 0
