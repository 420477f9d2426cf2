"""`--retain DAYS` removes old campaigns with their files, and the logs."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone

import pytest
from sqlalchemy import insert, update

from campaigns import lists, training
from campaigns.jobs import Worker
from campaigns.retention import Retention
from campaigns.store import campaigns, tables
from tests.campaigns.conftest import Desk
from tests.support.campaigns import customer, ranked, waiting
from tests.support.request_log import wait_until

OLD = datetime.now(timezone.utc) - timedelta(days=31)


def age(desk: Desk, *ids: int) -> None:
    with desk.engine.begin() as connection:
        connection.execute(update(tables.campaigns).where(tables.campaigns.c.id.in_(ids)).values(created=OLD))


@pytest.fixture
def worker(desk):
    return Worker(desk.engine, desk.server.url, desk.uploads, desk.artifacts)


def test_old_lists_and_logs_go_at_the_start(desk, worker, caplog):
    old, young = ranked(desk.engine, [customer(1)]), ranked(desk.engine, [customer(1)])
    age(desk, old)
    left_over = lists.place(desk.lists, old)
    left_over.write_text("left over")
    rows = training.file(desk.lists, old)
    rows.parent.mkdir()
    rows.write_text("left over")
    with desk.engine.begin() as connection:
        action = {"request": "", "caller": "", "action": "freeze", "subject": ""}
        connection.execute(insert(tables.audit).values(time=OLD, **action))
    retention = Retention(desk.engine, desk.uploads, worker, 30)
    retention.start()
    wait_until(lambda: "older than" in caplog.text)
    retention.stop(10)
    assert [campaign.id for campaign in campaigns.all_campaigns(desk.engine)] == [young]
    assert not left_over.exists()
    assert not rows.exists()
    assert "1 campaigns, 0 rows of the request log, 1 of the audit log" in caplog.text


def test_an_old_list_that_waits_is_cancelled_and_then_removed(desk, worker):
    id = waiting(desk.engine)
    worker.submit(id)
    age(desk, id)
    retention = Retention(desk.engine, desk.uploads, worker, 30)
    retention.remove()
    assert campaigns.get(desk.engine, id).state == "cancelled"
    retention.remove()
    assert campaigns.get(desk.engine, id) is None


def test_it_goes_on_after_a_failure(desk, worker, monkeypatch, caplog):
    retention = Retention(desk.engine, desk.uploads, worker, 30)
    monkeypatch.setattr("campaigns.retention.EVERY_SECONDS", 0.01)
    monkeypatch.setattr(retention, "remove", lambda: time.sleep(0.01) or 1 / 0)
    retention.start()
    wait_until(lambda: caplog.text.count("could not be removed") > 2)
    retention.stop(10)
