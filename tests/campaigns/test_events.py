"""What a page hears of the scoring of its list."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace

import httpx
import pytest
import uvicorn
from sqlalchemy import delete
from starlette.testclient import TestClient

from campaigns import app, events, running, scoring
from campaigns.settings import Settings
from campaigns.store import campaigns
from campaigns.store.tables import campaigns as table
from tests.campaigns.browsing import ADDRESS, Browser
from tests.campaigns.conftest import list_text

LIST = list_text([{"age": str(20 + row % 60)} for row in range(40)])


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr(events, "LOOK_SECONDS", 0.01)


@pytest.fixture
def browser(tmp_path, model_server, monkeypatch) -> Iterator[Browser]:
    monkeypatch.setattr(scoring, "BATCH_ROWS", 5)
    with TestClient(app.create(Settings(model_server.url, artifacts=tmp_path)), base_url=ADDRESS) as client:
        yield Browser(client)


def heard(text: str) -> list[tuple[str, dict]]:
    found = []
    for event in text.strip().split("\n\n"):
        name, data = (line.partition(": ")[2] for line in (event + "\n").split("\n")[:2])
        found.append((name, json.loads(data or "{}")))
    return found


def test_a_page_hears_the_progress_and_the_end(browser, model_server):
    model_server.before = lambda: time.sleep(0.05)
    page = browser.start(LIST)
    (address,) = page.events
    answer = browser.client.get(address)  # until the stream ends
    assert answer.headers["content-type"].startswith("text/event-stream")
    *progress, last = heard(answer.text)
    assert last == ("turn", {})
    done = [data["done"] for name, data in progress if name == "progress"]
    assert done == sorted(done)
    assert len({*done}) > 2
    assert progress[-1][1]["total"] == 40
    assert "of 40 customers are scored" in progress[-1][1]["label"]
    assert "Ranked list" in browser.open("/campaigns/1").text


def test_a_page_that_is_no_longer_true_is_loaded_again_at_once(browser, model_server):
    browser.start(LIST)
    browser.ended()
    assert heard(browser.client.get("/campaigns/1/events?face=running").text) == [("turn", {})]
    model_server.before = lambda: time.sleep(0.2)
    browser.start(LIST)
    assert heard(browser.client.get("/campaigns/2/events?face=running.problem").text) == [("turn", {})]


def test_there_are_no_events_of_nothing(browser):
    assert browser.client.get("/campaigns/9/events").status_code == 404


def listen(desk, stopping: threading.Event, news: list[str]) -> threading.Thread:
    campaign = desk.campaign(LIST)

    async def hear() -> None:
        stream = events._news(SimpleNamespace(engine=desk.engine), campaign, "running", stopping)
        async for one in stream:
            news.append(one)

    thread = threading.Thread(target=asyncio.run, args=(hear(),))
    thread.start()
    while not news:
        time.sleep(0.005)
    return thread


def test_streams_end_when_the_desk_stops(desk):
    stopping, news = threading.Event(), []
    thread = listen(desk, stopping, news)
    stopping.set()
    thread.join(5)
    assert not thread.is_alive()
    assert [name for name, _ in heard("".join(news))] == ["progress"]


def test_a_deleted_campaign_ends_its_streams(desk):
    news: list[str] = []
    thread = listen(desk, threading.Event(), news)
    with desk.engine.begin() as connection:
        connection.execute(delete(table))
    thread.join(5)
    assert not thread.is_alive()
    assert news[-1].startswith("event: turn")


def test_a_quiet_stream_says_that_it_is_there(desk, monkeypatch):
    monkeypatch.setattr(events, "QUIET_SECONDS", 0.02)
    stopping, news = threading.Event(), []
    thread = listen(desk, stopping, news)
    while len(news) < 3:
        time.sleep(0.005)
    stopping.set()
    thread.join(5)
    assert news[1:3] == [": still here\n\n"] * 2
    assert campaigns.get(desk.engine, 1).state == "waiting"


def test_a_desk_with_open_streams_stops(tmp_path, model_server):
    model_server.failures = [503] * 1_000  # the scoring waits, and its stream goes on
    listener = socket.create_server(("127.0.0.1", 0))
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    config = uvicorn.Config(
        app.create(Settings(model_server.url, artifacts=tmp_path)), log_config=None, timeout_graceful_shutdown=60
    )
    server = running._Server(config)
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    with httpx.Client(base_url=address, timeout=30) as client:
        answers = {"name": "spring", "cost": "5", "margin": "100"}
        client.post("/api/campaigns", data=answers, files={"file": ("list.csv", LIST)}).raise_for_status()
        while not client.get("/api/campaigns/1").json()["problem"]:
            time.sleep(0.02)
        with client.stream("GET", "/campaigns/1/events?face=running.problem") as stream:
            lines = stream.iter_lines()
            assert next(lines) == "event: progress"
            server.should_exit = True
            assert "event: turn" not in [*lines]
    thread.join(30)
    assert not thread.is_alive()
