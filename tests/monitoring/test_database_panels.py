"""The panels that read the desk's database, with the user that Grafana has there, on a real PostgreSQL."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import asdict, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import psycopg
import pytest
from sqlalchemy import insert

from analysis.economics import wilson
from analysis.live_performance import CallList, live
from campaigns.store import performance, tables
from campaigns.store.database import open_database
from campaigns.store.performance import Stored
from monitoring.dashboards import DASHBOARDS
from tests.support import postgresql

pytestmark = pytest.mark.e2e

READER = Path(__file__).parents[2] / "monitoring" / "grafana" / "reader.sql"
PASSWORD = "a'b \"c$d"
NOW = datetime.now(timezone.utc).replace(minute=30, second=0, microsecond=0)
QUERIES = {
    panel.title: query
    for dashboard in DASHBOARDS
    for row in dashboard.rows
    for panel in row.panels
    for query in panel.queries.values()
    if panel.language == "sql"
}


@pytest.fixture(scope="module")
def postgres():
    with postgresql.for_tests() as server:
        yield server


def let_grafana_read(url: str) -> None:
    variables = {**os.environ, "GRAFANA_DATABASE_PASSWORD": PASSWORD}
    command = ["psql", "--no-psqlrc", "--quiet", "--file", READER, url]
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module", params=["before", "after"])
def grafana(request, postgres, tmp_path_factory):
    """A connection of Grafana's user, who was made before or after the desk's first start."""
    url = postgres.new_database()
    if request.param == "before":
        let_grafana_read(url)
    engine = open_database(url, tmp_path_factory.mktemp("desk"))
    fill(engine)
    engine.dispose()
    if request.param == "after":
        let_grafana_read(url)
        let_grafana_read(url)
    with psycopg.connect(url, user="grafana", password=PASSWORD, autocommit=True) as connection:
        yield connection


def fill(engine) -> None:
    """Customers scored by two versions in the last two hours and long ago, and the figures of a month."""
    rows = [
        {"batch": 1, "place": place, "time": when, "request": "r", "caller": "x", "model": "purchase-model",
         "version": version, "probability": probability, "purchase": 0, "seconds": 0.1, "customer": "hash"}
        for place, (when, version, probability) in enumerate(
            [
                *((NOW, "1", 0.2), (NOW, "1", 0.4), (NOW, "2", 0.5), (NOW - timedelta(hours=1), "1", 0.1)),
                (NOW - timedelta(days=9), "1", 0.9),
            ]
        )
    ]  # fmt: skip
    outcomes = np.where(np.arange(200) < 50, 1.0, 0.0)
    called = CallList(np.full(200, 0.24), np.zeros(200, bool), outcomes, 1_000, 5.0, 80.0)
    months = [
        Stored("purchase-model", "1", "2026-05", asdict(live([called])), NOW, NOW),
        Stored("purchase-model", "2", "2026-06", asdict(live([replace(called, bought=outcomes * np.nan)])), None, NOW),
    ]
    for month in months:
        performance.write(engine, month)
    with engine.begin() as connection:
        connection.execute(insert(tables.request_log), rows)


def shown(connection, title: str, version: str = ".+") -> list[tuple]:
    """The rows of a panel over the last six hours, as Grafana asks for them."""
    start, end = (f"'{when.isoformat()}'" for when in (NOW - timedelta(hours=6), NOW + timedelta(hours=1)))
    query = re.sub(r"\$__timeFilter\((\w+)\)", rf"\1 BETWEEN {start} AND {end}", QUERIES[title])
    query = query.replace("${model:regex}", ".+").replace("${version:regex}", version)
    assert "$" not in query.replace(")$'", "")
    return connection.execute(query).fetchall()


def test_every_query_is_tried_here():
    assert set(QUERIES) == {"Scored customers per hour", "Mean probability", "Performance"}


def test_customers_are_counted_by_hour_and_version(grafana):
    hour = NOW.replace(minute=0)
    first, *rest = shown(grafana, "Scored customers per hour")
    assert first == (hour - timedelta(hours=1), "purchase-model 1", 1)
    assert rest == [(hour, "purchase-model 1", 2), (hour, "purchase-model 2", 1)]
    assert shown(grafana, "Scored customers per hour", "2") == [(hour, "purchase-model 2", 1)]


def test_the_mean_probability(grafana):
    assert [value for _, _, value in shown(grafana, "Mean probability")] == pytest.approx([0.1, 0.3, 0.5])


def test_performance_newest_month_first(grafana):
    unknown, known = shown(grafana, "Performance")
    assert unknown[:4] == ("2026-06", "purchase-model", "2", None)
    low, high = wilson(50, 200)
    rates, auc, error, profits = known[4:8], known[8], known[9], known[10:12]
    assert (known[:4], known[12]) == (("2026-05", "purchase-model", "1", 200), NOW)
    assert rates == pytest.approx((0.24, 0.25, low, high))
    assert (auc, error) == pytest.approx((0.5, 0.01))
    assert profits == pytest.approx((200 * (0.24 * 80 - 5), 50 * 80 - 200 * 5))


@pytest.mark.parametrize(
    "query",
    [
        *(f"SELECT * FROM {name}" for name in ("customers", "ranking", "outcomes", "keys", "audit", "campaigns")),
        *(f"SELECT {column} FROM request_log" for column in ("customer", "inputs", "caller")),
        "DELETE FROM performance",
        "CREATE TABLE mine (x int)",
    ],
)
def test_grafana_sees_no_customer_and_changes_nothing(grafana, query):
    with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.ReadOnlySqlTransaction)):
        grafana.execute(query)


def test_the_users_password_is_asked_for(grafana):
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(grafana.info.dsn, password="wrong")
