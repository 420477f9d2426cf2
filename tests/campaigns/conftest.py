"""A store, a list and a model server for the tests of the desk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from sqlalchemy import Engine

from campaigns import lists, scoring
from campaigns.records import Campaign, Customer, Terms
from campaigns.served import contract_to_json
from campaigns.store import campaigns, customers
from campaigns.store.database import open_database
from campaigns.uploads import Uploads
from data.contract import Contract, Role
from tests.support import postgresql
from tests.support.customers import CONTRACT
from tests.support.model_server import ModelServer
from tests.support.postgresql import PostgresProcess
from tests.support.server import ServerProcess

TYPICAL = {
    "age": "30", "job": "services", "marital": "married", "education": "secondary", "default": "no", "balance": "500",
    "housing": "yes", "loan": "no", "contact": "cellular", "day": "5", "month": "may", "campaign": "1", "pdays": "-1",
    "previous": "0", "poutcome": "unknown",
}  # fmt: skip
"""A customer of bank-full, with the day and month of a former call, which the model does not take."""
ROW = {
    **{
        name: float(TYPICAL[name]) if name in CONTRACT.numeric else TYPICAL[name]
        for name in CONTRACT.columns(Role.CUSTOMERS)
    },
    **{"calls_today": 130.0, "calls_7d": 700.0, "calls_30d": 2900.0},
}
"""The same customer in a request of the API, with how many calls are planned for the day and were made before."""


def list_text(rows: list[dict[str, str]]) -> str:
    """A list of customers as CSV; each differs from TYPICAL in the given cells, and a column with None is left out."""
    full = [{**TYPICAL, **row} for row in rows]
    names = [name for name in {name: None for row in full for name in row} if full[0].get(name) is not None]
    return "\n".join([";".join(names), *(";".join(row.get(name, "") for name in names) for row in full)]) + "\n"


class Desk:
    """The store and the files of a desk, and a model server that it asks."""

    def __init__(self, folder: Path, server: ModelServer | ServerProcess):
        self.engine: Engine = open_database(None, folder)
        self.lists = folder / "lists"
        self.lists.mkdir()
        self.uploads = Uploads(self.lists)
        self.artifacts = folder / "artifacts"
        self.server = server

    def campaign(self, text: str, contract: Contract = CONTRACT, **terms) -> Campaign:
        """A campaign whose list is in its place."""
        wanted = Terms(name="spring", cost=5.0, margin=100.0, **terms)
        campaign = campaigns.create(self.engine, wanted, "customers.csv", contract_to_json(contract))
        lists.place(self.lists, campaign.id).write_text(text, encoding="utf-8")
        return campaign

    def run(self, campaign: Campaign, stop: Event | None = None, log: Any = None) -> Campaign:
        """Scores a campaign in this thread, and returns what became of it."""
        file = lists.place(self.lists, campaign.id)
        scoring.run(self.engine, campaign.id, file, self.server.url, self.artifacts, stop or Event(), log)
        return self.get(campaign)

    def get(self, campaign: Campaign) -> Campaign:
        found = campaigns.get(self.engine, campaign.id)
        assert found is not None
        return found

    def customers(self, campaign: Campaign) -> list[Customer]:
        """The scored rows in the order of the file, ranked or not."""
        rows = range(1, customers.last_row(self.engine, campaign.id) + 1)
        return [customer for row in rows if (customer := customers.one(self.engine, campaign.id, row))]


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresProcess]:
    """A running PostgreSQL server."""
    with postgresql.for_tests() as server:
        yield server


@pytest.fixture
def model_server() -> Iterator[ModelServer]:
    with ModelServer(CONTRACT) as server:
        yield server


@pytest.fixture
def desk(tmp_path, model_server, monkeypatch) -> Desk:
    monkeypatch.setattr(scoring, "RETRY_SECONDS", 0.05)
    return Desk(tmp_path, model_server)
