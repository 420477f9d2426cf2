"""Live performance follows every freeze and every upload of outcomes, on the page, in the API and in the store."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import asdict

import numpy as np
import pytest
from sqlalchemy import delete
from starlette.testclient import TestClient

from analysis.campaign_results import KnownCalls
from analysis.campaign_results import results as measure
from analysis.live_performance import CallList, live
from campaigns import app, performance, training
from campaigns.desk import Desk
from campaigns.settings import Settings
from campaigns.store import tables
from data import reader
from tests.campaigns.browsing import ADDRESS, Browser
from tests.campaigns.conftest import list_text
from tests.support import stand_in
from tests.support.customers import CONTRACT

PLAIN = str.maketrans({"\N{NO-BREAK SPACE}": " ", "\N{MINUS SIGN}": "-"})
AGES = [20 + row % 60 for row in range(1_200)]
LIST = list_text([{"id": f"c{row}", "age": str(age)} for row, age in enumerate(AGES, 1)])


@pytest.fixture
def settings(tmp_path, model_server) -> Settings:
    artifacts = tmp_path / "artifacts"
    stand_in.write_contract(artifacts, 1)
    return Settings(model_server.url, artifacts=artifacts)


@pytest.fixture
def browser(settings) -> Iterator[Browser]:
    with TestClient(app.create(settings), base_url=ADDRESS) as client:
        yield Browser(client)


def desk_of(browser: Browser) -> Desk:
    return browser.client.app.state.desk


def freeze(browser: Browser, number: int = 1, **terms: str) -> None:
    browser.start(LIST, **{"calls": "600", "control_share": "0.25", **terms})
    browser.ended(number)
    browser.send(browser.open(f"/campaigns/{number}/budget"), "freeze")


def tell(browser: Browser, rate: float, number: int = 1, most: int = 1_200) -> None:
    """Uploads outcomes by which customers bought at `rate` times the probability that the model gave them."""
    drawn = np.random.default_rng(number).random(len(AGES))
    bought = drawn < rate * np.array(AGES) / 200
    rows = [f"c{row},yes,{'yes' if one else 'no'}" for row, one in enumerate(bought, 1)][:most]
    file = "\n".join(["identifier,called,bought", *rows]).encode()
    page = browser.send(browser.open(f"/campaigns/{number}/outcomes"), "outcomes", file=file)
    assert "recorded" in page.notices


def told(browser: Browser) -> str:
    return browser.open("/performance").notices["verdict"].translate(PLAIN)


def test_before_the_first_call_list_the_page_says_what_leads_to_it(browser):
    page = browser.open("/performance")
    assert (page.status, page.links["Start a new campaign"]) == (200, "/campaigns/new")
    assert "No call list is frozen yet" in page.text
    assert browser.client.get("/api/performance").json() == []
    assert browser.open("/").links["Performance"] == "/performance"


def test_after_the_freeze_it_says_what_is_expected_and_that_outcomes_are_missing(browser):
    freeze(browser)
    page = browser.open("/performance")
    assert "No outcome is known yet" in page.text
    assert "waiting" in page.notices
    (found,) = browser.client.get("/api/performance").json()
    assert (found["model"], found["version"], found["last_outcome"]) == ("purchase-model", "1", None)
    assert re.fullmatch(r"\d{4}-\d\d", found["month"])
    assert found["figures"]["together"] is None
    assert found["figures"]["foreseen"]["calls"] == 600
    assert 0.5 < found["figures"]["foreseen"]["auc"] < 1


@pytest.mark.parametrize(
    ("rate", "says"),
    [(1.0, "Calls bring what was promised"), (0.3, "Fewer bought than promised"), (2.0, "More bought than promised")],
)
def test_the_verdict_says_whether_the_calls_bring_what_was_promised(browser, rate, says):
    freeze(browser)
    tell(browser, rate)
    assert says in told(browser)
    page = browser.open("/performance")
    assert "waiting" not in page.notices
    assert "stay quiet when the relation itself changes" in page.text


def test_the_right_number_of_the_wrong_customers_is_not_as_promised(browser):
    freeze(browser, control_share="0")
    ages = np.array(AGES)
    wrong = np.random.default_rng(0).random(len(ages)) < np.where(ages > np.median(sorted(ages)[-600:]), 0.02, 0.66)
    rows = "\n".join(f"c{row},yes,{int(one)}" for row, one in enumerate(wrong, 1))
    browser.send(browser.open("/campaigns/1/outcomes"), "outcomes", file=f"identifier,called,bought\n{rows}\n".encode())
    assert "not the customers that were expected" in told(browser)


def test_figures_are_those_of_the_verdict_on_the_campaign(browser):
    freeze(browser)
    tell(browser, 0.8)
    (one,) = performance.all_months(desk_of(browser).engine)
    campaign = browser.client.get("/api/campaigns/1/results").json()["results"]
    assert asdict(one.figures.together.realised) == campaign["together"]
    assert asdict(one.figures.together.quality) == campaign["quality"]
    assert asdict(one.figures.best.realised) == campaign["best"]
    assert asdict(one.figures.control.realised) == campaign["control"]
    (answer,) = browser.client.get("/api/performance").json()
    assert performance.figures_from_json(answer["figures"]) == one.figures


def test_corrections_and_other_campaigns_of_the_month_change_the_figures(browser):
    freeze(browser)
    tell(browser, 1, most=300)
    (first,) = performance.all_months(desk_of(browser).engine)
    assert "outcomes are known" in told(browser)
    tell(browser, 0)
    (corrected,) = performance.all_months(desk_of(browser).engine)
    assert (corrected.figures.together.realised.calls, corrected.figures.together.realised.buyers) == (600, 0)
    assert corrected.last_outcome > first.last_outcome
    freeze(browser, 2, cost="7", margin="300")
    tell(browser, 1, 2)
    (both,) = performance.all_months(desk_of(browser).engine)
    assert (both.figures.campaigns, both.figures.together.realised.calls) == (2, 1_200)
    assert both.figures.together.realised.profit == 300 * both.figures.together.realised.buyers - 600 * (5 + 7)


def test_months_and_versions_stand_apart(browser, model_server):
    freeze(browser)
    model_server.version = "2"
    freeze(browser, 2)
    found = performance.all_months(desk_of(browser).engine)
    assert [one.version for one in found] == ["1", "2"]
    tell(browser, 1, 2)
    page = browser.open("/performance")
    assert "version 2" in page.notices["verdict"]


def test_the_next_start_computes_what_an_earlier_desk_did_not(settings):
    with TestClient(app.create(settings), base_url=ADDRESS) as client:
        browser = Browser(client)
        freeze(browser)
        tell(browser, 1)
        with desk_of(browser).engine.begin() as connection:
            connection.execute(delete(tables.performance))
        file = settings.folder / "training" / "1.csv"
        before = file.read_bytes()
        file.with_suffix(".json").unlink()
        file.unlink()
    with TestClient(app.create(settings), base_url=ADDRESS) as client:
        assert performance.stale(desk_of(Browser(client)).engine) == []
        assert client.get("/api/performance").json()[0]["figures"]["together"]["realised"]["calls"] == 600
        assert file.read_bytes() == before


def test_prometheus_gets_the_figures(browser):
    freeze(browser)
    assert "campaigns_realised_rate{" not in browser.client.get("/metrics").text
    tell(browser, 1)
    (one,) = performance.all_months(desk_of(browser).engine)
    month = f'{{model="purchase-model",month="{one.month}",version="1"}}'
    found = one.figures.together
    scraped = dict(line.rsplit(" ", 1) for line in browser.client.get("/metrics").text.splitlines())
    for name, value in (
        ("calls", 600),
        ("expected_rate_high", found.expected_rate.high),
        ("realised_rate", found.realised.rate.value),
        ("auc", found.auc.value),
        ("ece", found.ece.value),
        ("realised_profit_euros", found.realised.profit),
        ("last_outcome_timestamp_seconds", one.last_outcome.timestamp()),
    ):
        assert float(scraped[f"campaigns_{name}{month}"]) == pytest.approx(value), name


def test_training_rows_are_offered_beside_the_results(browser, settings):
    address = "/campaigns/1/training.csv"
    assert browser.client.get(address).status_code == 404
    freeze(browser)
    assert browser.client.get(f"/api{address}").status_code == 409
    tell(browser, 1)
    page = browser.open("/campaigns/1/outcomes")
    assert "600 calls with a known result are training rows" in page.text
    assert "150 rows are of the control group" in page.text
    answer = browser.client.get(page.links["Training rows as CSV"])
    assert answer.content == browser.client.get(f"/api{address}").content
    assert 'filename="campaign-1-training.csv"' in answer.headers["content-disposition"]
    file = settings.folder / "download.csv"
    file.write_bytes(answer.content)
    assert sum(block.batch.num_rows for block in reader.read(file, CONTRACT)) == 600


def test_without_the_contract_the_page_says_why_there_are_no_training_rows(browser, settings):
    shutil.rmtree(settings.artifacts / "serving")
    freeze(browser)
    tell(browser, 1)
    assert "There are no training rows" in browser.open("/campaigns/1/outcomes").text
    assert browser.client.get("/campaigns/1/training.csv").status_code == 409


def test_a_deleted_campaign_leaves_no_training_rows(browser, settings):
    freeze(browser)
    tell(browser, 1)
    assert training.file(settings.folder, 1).exists()
    desk_of(browser).remove(1)
    assert not training.file(settings.folder, 1).exists()
    assert "Calls bring what was promised" in told(browser)


def test_figures_stay_when_their_campaign_is_removed(browser):
    freeze(browser)
    tell(browser, 1)
    engine = desk_of(browser).engine
    before = performance.all_months(engine)
    with engine.begin() as connection:
        connection.execute(delete(tables.campaigns))
    desk_of(browser).catch_up()
    assert performance.all_months(engine) == before


def test_an_upload_stands_where_its_figures_cannot_be_computed(browser, monkeypatch, caplog):
    freeze(browser)
    monkeypatch.setattr(performance, "live", lambda *_: 1 / 0)
    tell(browser, 1)
    assert "live performance could not be brought up to date" in caplog.text
    monkeypatch.undo()
    assert len(performance.stale(desk_of(browser).engine)) == 1
    desk_of(browser).catch_up()
    assert "Calls bring what was promised" in told(browser)


def test_figures_survive_json():
    p = np.linspace(0.9, 0.01, 500)
    bought = (np.random.default_rng(1).random(500) < p).astype(float)
    figures = live([CallList(p, np.arange(500) >= 250, bought, 2_000, 5, 50)], 0.02)
    assert figures.list_auc
    assert performance.figures_from_json(asdict(figures)) == figures
    assert (
        figures.together.realised
        == measure(KnownCalls(p, np.arange(500) >= 250, bought == 1), 500, 5, 50, 0.02).together
    )
    unknown = live([CallList(p, p > 1, np.full(500, np.nan), 500, 5, 50)])
    assert performance.figures_from_json(asdict(unknown)) == unknown
