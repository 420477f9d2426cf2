"""What Prometheus reads at the desk's `/metrics`."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from datetime import datetime, timezone

import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy.exc import OperationalError
from starlette.testclient import TestClient

from analysis.live_performance import CallList, live
from campaigns import app, metrics
from campaigns.metrics import Measured, Metrics, Stored
from campaigns.performance import LivePerformance
from campaigns.request_log.queue import LogState
from campaigns.settings import Settings
from campaigns.store.overview import Overview
from tests.campaigns.browsing import ADDRESS
from tests.campaigns.conftest import ROW, list_text

MOMENT = datetime(2026, 5, 1, tzinfo=timezone.utc)
LOG = LogState(queued=3, dropped=4, written=5, spooled_bytes=6, database_up=True, of_requests=7, of_lists=800)


def month(bought: int, calls: int) -> LivePerformance:
    """Of calls of which the first ones bought, at a probability of 0.25."""
    outcomes = np.where(np.arange(calls) < bought, 1.0, 0.0)
    calls = CallList(np.full(calls, 0.25), np.zeros(calls, bool), outcomes, 1_000, 5.0, 80.0)
    return LivePerformance("purchase-model", "7", "2026-05", live([calls]), MOMENT, MOMENT)


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


def made(read=lambda: Stored(Overview({"frozen": 2}, None), [month(60, 200)])) -> Metrics:
    return Metrics(read, lambda: LOG)


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


def test_the_fast_path_of_scores_is_counted_with_its_rows(client):
    assert client.post("/api/score", json={"instances": [ROW, ROW]}).status_code == 200
    assert client.post("/api/score", json={"instances": [{}]}).status_code == 400
    found = read(client)
    assert found["campaigns_requests_total POST /api/score 200"] == 1
    assert found["campaigns_requests_total POST /api/score 400"] == 1
    assert found["campaigns_request_seconds_count /api/score"] == 2
    assert found["campaigns_rows_scored_total api"] == 2


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
    assert read(client)["campaigns_rows_scored_total list"] == 1


def test_figures_of_log_and_store():
    found = shown(made())
    assert found["campaigns_rows_scored_total api"] == 7
    assert found["campaigns_rows_scored_total list"] == 800
    assert found["campaigns_request_log_queued"] == 3
    assert found["campaigns_request_log_dropped_total"] == 4
    assert found["campaigns_request_log_written_total"] == 5
    assert found["campaigns_request_log_spooled_bytes"] == 6
    assert found["campaigns_lists frozen"] == 2
    assert "campaigns_oldest_list_without_outcomes_timestamp_seconds" not in found
    waits = shown(made(lambda: Stored(Overview({}, MOMENT), [])))
    assert waits["campaigns_oldest_list_without_outcomes_timestamp_seconds"] == MOMENT.timestamp()


def test_figures_of_a_month():
    found, of_it = shown(made()), "purchase-model 2026-05 7"
    assert found[f"campaigns_calls {of_it}"] == 200
    assert found[f"campaigns_expected_rate {of_it}"] == pytest.approx(0.25)
    assert found[f"campaigns_realised_rate {of_it}"] == pytest.approx(0.3)
    for name in ("expected", "realised"):
        low, high = (found[f"campaigns_{name}_rate_{end} {of_it}"] for end in ("low", "high"))
        assert low < found[f"campaigns_{name}_rate {of_it}"] < high
    assert found[f"campaigns_expected_profit_euros {of_it}"] == pytest.approx(200 * (0.25 * 80 - 5))
    assert found[f"campaigns_realised_profit_euros {of_it}"] == pytest.approx(60 * 80 - 200 * 5)
    assert found[f"campaigns_ece {of_it}"] == pytest.approx(0.05)
    assert found[f"campaigns_last_outcome_timestamp_seconds {of_it}"] == MOMENT.timestamp()


def test_a_figure_that_is_not_known_is_absent():
    found = shown(made(lambda: Stored(Overview({}, None), [month(2, 20)])))
    assert "campaigns_calls purchase-model 2026-05 7" in found
    assert not [key for key in found if key.startswith(("campaigns_auc", "campaigns_brier", "campaigns_ece"))]


def test_a_dead_database_leaves_its_figures_out():
    def dead():
        raise OperationalError("SELECT 1", None, Exception("refused"))

    found = shown(made(dead))
    assert found["campaigns_database_up"] == 0
    assert found["campaigns_request_log_dropped_total"] == 4
    assert not {key.split()[0] for key in found} & {"campaigns_lists", "campaigns_calls"}


def test_a_database_that_hangs_holds_no_scrape_up_and_comes_back(monkeypatch):
    monkeypatch.setattr(metrics, "READ_SECONDS", 0.05)
    hangs, asked = threading.Event(), []

    def slow():
        asked.append(1)
        hangs.wait(30)
        return Stored(Overview({}, None), [])

    some = made(slow)
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
