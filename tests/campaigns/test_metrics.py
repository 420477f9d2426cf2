"""What Prometheus reads at the desk's `/metrics`."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from datetime import datetime, timezone

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy.exc import OperationalError
from starlette.testclient import TestClient

from campaigns import app, metrics
from campaigns.metrics import Measured, Metrics, Month, Written
from campaigns.records import Scored
from campaigns.settings import Settings
from campaigns.store.overview import Overview
from tests.campaigns.browsing import ADDRESS
from tests.campaigns.conftest import list_text

MOMENT = datetime(2026, 5, 1, tzinfo=timezone.utc)
SOME = Month(
    "purchase-model", "7", "2026-05", 200, 0.2, 0.15, 0.26, 0.25, 0.19, 0.32, None, 0.1, 0.05, 900.0, 1100.0, MOMENT
)


@pytest.fixture
def client(tmp_path, model_server) -> Iterator[TestClient]:
    desk = app.create(Settings(model_server.url, artifacts=tmp_path))
    with TestClient(desk, base_url=ADDRESS, raise_server_exceptions=False) as client:
        yield client


def read(client: TestClient) -> dict[str, float]:
    """Values by name and labels in their order, with blanks between."""
    answer = client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    return parsed(answer.text)


def parsed(text: str) -> dict[str, float]:
    samples = [one for family in text_string_to_metric_families(text) for one in family.samples]
    return {
        " ".join([sample.name, *(sample.labels[name] for name in sorted(sample.labels))]): sample.value
        for sample in samples
    }


def shown(metrics: Metrics) -> dict[str, float]:
    return parsed(metrics.exposition("")[0].decode())


def made(overview=lambda: Overview({"frozen": 2}, None), months=lambda: [SOME]) -> Metrics:
    return Metrics(overview, months, lambda: Written(3, 4, 5, 6))


def test_requests_are_counted_by_route_and_never_by_their_path(client):
    for path in ("/campaigns/1", "/campaigns/2", "/api/campaigns/77", "/api/campaigns/5/calls.csv", "/a?b", "/c/d/e"):
        client.get(path)
    client.post("/api/campaigns/3/freeze")
    client.get("/", headers={"Host": "elsewhere.example"})
    counted = {
        key.partition(" ")[2]: n for key, n in read(client).items() if key.startswith("campaigns_requests_total")
    }
    assert counted == {
        "GET /campaigns/{campaign_id} 404": 2,
        "GET /api/campaigns/{campaign_id} 404": 1,
        "GET /api/campaigns/{campaign_id}/calls.csv 404": 1,
        "POST /api/campaigns/{campaign_id}/freeze 404": 1,
        "GET other 404": 2,
        "GET other 421": 1,
    }
    assert read(client)["campaigns_request_seconds_count /campaigns/{campaign_id}"] == 2


def test_names_that_clients_invent_add_no_series(client):
    for name in ("BREW", "SPILL", "DRINK"):
        client.request(name, f"/{name}")
    found = read(client)
    assert found["campaigns_requests_total other other 404"] == 3
    assert not [key for key in found if "BREW" in key]


def test_a_failure_of_the_desk_counts_as_one(client, monkeypatch):
    monkeypatch.setattr("campaigns.store.campaigns.all_campaigns", lambda _: 1 / 0)
    assert client.get("/api/campaigns").status_code == 500
    assert read(client)["campaigns_requests_total GET /api/campaigns 500"] == 1


def test_lists_and_the_process(client):
    found = read(client)
    assert found["campaigns_lists ranked"] == 0
    assert found["campaigns_database_up"] == 1
    assert found["process_resident_memory_bytes"] > 1e6
    files = {"file": ("a.csv", list_text([{"age": "30"}]))}
    client.post("/api/campaigns", data={"name": "s", "cost": "1", "margin": "10"}, files=files)
    deadline = time.monotonic() + 30
    while read(client)["campaigns_lists ranked"] != 1:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_figures_of_log_store_and_months():
    found = shown(made())
    assert found["campaigns_request_log_queued"] == 3
    assert found["campaigns_request_log_dropped_total"] == 4
    assert found["campaigns_request_log_written_total"] == 5
    assert found["campaigns_request_log_spooled_bytes"] == 6
    assert found["campaigns_lists frozen"] == 2
    assert "campaigns_oldest_list_without_outcomes_timestamp_seconds" not in found
    month = "purchase-model 2026-05 7"
    assert found[f"campaigns_calls {month}"] == 200
    assert found[f"campaigns_realised_rate_high {month}"] == 0.32
    assert found[f"campaigns_realised_profit_euros {month}"] == 1100
    assert found[f"campaigns_last_outcome_timestamp_seconds {month}"] == MOMENT.timestamp()
    assert f"campaigns_auc {month}" not in found, "a figure that is not known is absent"


def test_rows_are_counted_by_where_they_came_from():
    some = made()
    for campaign_id, rows in ((None, 3), (None, 2), (8, 100)):
        some.scored(Scored(0.0, "", "", campaign_id, [None] * rows, "m", "1", [0.5] * rows, [1] * rows, 0.1))
    found = shown(some)
    assert (found["campaigns_rows_scored_total api"], found["campaigns_rows_scored_total list"]) == (5, 100)


def test_a_dead_database_leaves_its_figures_out():
    def dead():
        raise OperationalError("SELECT 1", None, Exception("refused"))

    for found in (shown(made(overview=dead)), shown(made(months=dead))):
        assert found["campaigns_database_up"] == 0
        assert found["campaigns_request_log_dropped_total"] == 4
        assert not {key.split()[0] for key in found} & {"campaigns_lists", "campaigns_calls"}


def test_a_database_that_hangs_holds_no_scrape_up_and_comes_back(monkeypatch):
    monkeypatch.setattr(metrics, "READ_SECONDS", 0.05)
    hangs, asked = threading.Event(), []

    def slow():
        asked.append(1)
        hangs.wait(30)
        return Overview({}, None)

    some = made(overview=slow)
    assert [shown(some)["campaigns_database_up"] for _ in range(3)] == [0, 0, 0]
    assert len(asked) == 1, "a second reading waits for none"
    hangs.set()
    deadline = time.monotonic() + 30
    while shown(some)["campaigns_database_up"] != 1:
        assert time.monotonic() < deadline


def test_the_time_is_that_until_the_answer_begins():
    some = made()

    async def stream(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await asyncio.sleep(0.2)
        await send({"type": "http.response.body", "body": b""})

    async def nobody(*_):
        return {}

    scope = {"type": "http", "method": "GET", "path": "/"}
    asyncio.run(Measured(stream, some)(scope, nobody, nobody))
    assert shown(some)["campaigns_request_seconds_bucket 0.1 other"] == 1
