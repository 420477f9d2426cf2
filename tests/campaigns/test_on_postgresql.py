"""The desk on PostgreSQL: a whole campaign on its pages, and a database that is restarted while a list is scored."""

from __future__ import annotations

import time
from collections.abc import Iterator
from threading import Event

import pytest
from starlette.testclient import TestClient

from campaigns import app, callers, scoring
from campaigns.settings import Settings
from campaigns.store import keys
from tests.campaigns.browsing import ADDRESS, Browser
from tests.campaigns.conftest import list_text

pytestmark = pytest.mark.e2e

NOTE = "\N{SNOWMAN} '\\u0000', 1) --"
LIST = list_text([{"id": f"c{row}", "age": str(20 + row % 60), "note": NOTE} for row in range(120)])


@pytest.fixture
def browser(tmp_path, model_server, postgres, monkeypatch) -> Iterator[Browser]:
    monkeypatch.setattr(scoring, "RETRY_SECONDS", 0.1)
    monkeypatch.setattr(scoring, "BATCH_ROWS", 10)
    settings = Settings(model_server.url, artifacts=tmp_path / "artifacts", database=postgres.new_database())
    with TestClient(app.create(settings), base_url=ADDRESS, raise_server_exceptions=False) as client:
        yield Browser(client)


def test_a_campaign_from_the_list_to_the_verdict_and_its_end(browser):
    browser.start(LIST, calls="50")
    page = browser.ended()
    assert "Customers 1 to 50 of 120" in page.text
    assert "Customers 1 to 12 of 12" in browser.send(page, "filter", {"decile": "10", "page": "1"}).text
    assert NOTE in browser.open("/campaigns/1/customers/3").text
    frozen = browser.send(browser.open(page.links["Budget"]), "freeze")
    calls = browser.client.get(frozen.links["Call list as CSV"]).text.splitlines()
    assert len(calls) == 51
    assert browser.client.get(frozen.links["Call list as XLSX"]).status_code == 200
    identifiers = [line.partition(",")[0] for line in calls[1:]]
    lines = [f"{one},yes,{'yes' if place < 15 else 'no'}" for place, one in enumerate(identifiers)]
    file = "\n".join(["identifier,called,bought", *lines])
    judged = browser.send(browser.open(frozen.links["Outcomes"]), "outcomes", file=file.encode())
    assert "of 50 customers bought" in judged.notices["verdict"]
    assert "15 of 50" in browser.open("/").text
    said = browser.open("/performance").notices["verdict"]
    assert "As many bought as promised, but not the customers that were expected" in said
    assert browser.client.delete("/api/campaigns/1").status_code == 204
    assert browser.open("/performance").notices["verdict"] == said
    assert browser.open("/campaigns/1").status == 404
    assert "There is no campaign yet" in browser.open("/").text


def test_the_database_is_restarted_while_a_list_is_scored(browser, model_server, postgres):
    reached, go_on = Event(), Event()

    def hold() -> None:
        if len(model_server.requests) == 4:
            reached.set()
            go_on.wait(30)

    model_server.before = hold
    browser.start(LIST)
    assert reached.wait(30)
    key = {"Authorization": f"Bearer {keys.add(browser.client.app.state.desk.engine, 'ana', 'read')}"}
    time.sleep(callers.FRESH_SECONDS)
    assert browser.client.get("/campaigns/new", headers=key).status_code == 200
    time.sleep(callers.FRESH_SECONDS)
    postgres.stop()
    try:
        for path in ("/", "/campaigns/1", "/campaigns/1/budget"):
            page = browser.open(path)
            assert (page.status, "database does not answer" in page.notices["problem"]) == (503, True)
        answer = browser.client.get("/api/campaigns")
        assert (answer.status_code, "database does not answer" in answer.json()["error"]) == (503, True)
        assert browser.client.get("/readyz").status_code == 503
        assert browser.client.get("/livez").status_code == 200
        assert browser.client.get("/campaigns/new", headers=key).status_code == 200
        assert "campaigns_database_up 0.0" in browser.client.get("/metrics").text
        go_on.set()
        time.sleep(0.5)
    finally:
        postgres.start()
    assert "Customers 1 to 50 of 120" in browser.ended().text
    assert browser.client.get("/api/campaigns/1").json()["scored"] == 120
    ranked = browser.client.get("/api/campaigns/1/customers?limit=1000").json()["customers"]
    assert sorted(one["row"] for one in ranked) == list(range(1, 121))
    assert [one["rank"] for one in ranked] == list(range(1, 121))
