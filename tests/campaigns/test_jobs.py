"""The worker takes campaigns in order, can be cancelled, and goes on after a restart."""

from __future__ import annotations

import time
from threading import Event

import pytest

from campaigns import scoring
from campaigns.jobs import Worker
from campaigns.records import Campaign
from tests.campaigns.conftest import Desk, list_text

LIST = list_text([{"age": str(age)} for age in range(20, 60)])


@pytest.fixture
def worker(desk, monkeypatch):
    monkeypatch.setattr(scoring, "BATCH_ROWS", 3)
    worker = Worker(desk.engine, desk.server.url, desk.uploads, desk.artifacts)
    yield worker
    worker.stop(10)


def wait(desk: Desk, campaign: Campaign, *states: str) -> Campaign:
    deadline = time.monotonic() + 20
    while (found := desk.get(campaign)).state not in states:
        assert time.monotonic() < deadline, found
        time.sleep(0.01)
    return found


class Gate:
    """Holds the model server back at its third request until it is opened."""

    def __init__(self, desk: Desk):
        self._server = desk.server
        self.reached, self.open = Event(), Event()
        desk.server.before = self._hold

    def _hold(self) -> None:
        if len(self._server.requests) >= 2:
            self.reached.set()
            self.open.wait(10)


def test_campaigns_are_scored_in_order(desk, worker):
    worker.start()
    first, second = desk.campaign(LIST), desk.campaign(list_text([{"age": "99"}]))
    worker.submit(first.id)
    worker.submit(second.id)
    wait(desk, second, "ranked")
    assert desk.get(first).state == "ranked"
    assert [row["age"] for row in desk.server.rows()] == [*range(20, 60), 99]


def test_a_campaign_that_is_being_scored_can_be_cancelled(desk, worker):
    gate, campaign, other = Gate(desk), desk.campaign(LIST), desk.campaign(LIST)
    worker.start()
    assert gate.reached.wait(10)
    worker.cancel(campaign.id)
    gate.open.set()
    cancelled = wait(desk, campaign, "cancelled")
    assert cancelled.scored < 40
    assert wait(desk, other, "ranked").scored == 40


def test_a_campaign_that_waits_can_be_cancelled(desk, worker):
    gate, first, second = Gate(desk), desk.campaign(LIST), desk.campaign(LIST)
    worker.start()
    assert gate.reached.wait(10)
    worker.cancel(second.id)
    assert desk.get(second).state == "cancelled"
    gate.open.set()
    wait(desk, first, "ranked")
    assert desk.get(second).state == "cancelled"


def test_a_campaign_can_be_cancelled_while_the_server_is_down(desk, worker):
    desk.server.models.clear()
    campaign = desk.campaign(LIST)
    worker.start()
    while not desk.get(campaign).problem:
        time.sleep(0.01)
    worker.cancel(campaign.id)
    assert wait(desk, campaign, "cancelled").problem is None


def test_what_has_come_to_its_end_is_not_cancelled(desk, worker):
    worker.start()
    campaign = desk.campaign(LIST)
    worker.submit(campaign.id)
    wait(desk, campaign, "ranked")
    worker.cancel(campaign.id)
    assert desk.get(campaign).state == "ranked"


def test_the_next_worker_goes_on_where_a_stopped_one_was(desk, worker):
    gate, campaign = Gate(desk), desk.campaign(LIST)
    worker.start()
    assert gate.reached.wait(10)
    gate.open.set()
    worker.stop(10)
    stopped = desk.get(campaign)
    assert stopped.state == "scoring"
    assert 0 < stopped.scored < 40
    again = Worker(desk.engine, desk.server.url, desk.uploads, desk.artifacts)
    again.start()
    wait(desk, campaign, "ranked")
    again.stop(10)
    assert [customer.cells["age"] for customer in desk.customers(campaign)] == [str(age) for age in range(20, 60)]


def test_an_error_of_the_desk_itself_fails_the_campaign_and_not_the_worker(desk, worker, monkeypatch):
    run = scoring.run

    def break_once(*arguments):
        monkeypatch.setattr(scoring, "run", run)
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(scoring, "run", break_once)
    first, second = desk.campaign(LIST), desk.campaign(LIST)
    worker.start()
    assert "a bug" in wait(desk, first, "failed").problem
    wait(desk, second, "ranked")


def test_a_campaign_without_its_file_fails(desk, worker):
    campaign = desk.campaign(LIST)
    next(desk.lists.iterdir()).unlink()
    worker.start()
    assert wait(desk, campaign, "failed").problem.startswith("customers.csv: no such file")


def test_files_that_are_no_longer_needed_are_removed(desk, worker):
    first, second = desk.campaign(LIST), desk.campaign(list_text([{"age": "x"}]))
    (desk.lists / "0123.part").write_text("an upload that was broken off")
    worker.start()
    wait(desk, first, "ranked")
    wait(desk, second, "failed")
    worker.stop(10)
    assert not [*desk.lists.iterdir()]
