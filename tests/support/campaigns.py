"""Campaigns in a database, for tests of the desk."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Engine

from campaigns.records import Customer, Terms
from campaigns.store import campaigns, customers

TERMS = Terms(
    name="spring",
    cost=4.5,
    margin=80.0,
    calls=200,
    control_share=0.1,
    plan={"contact": "cellular", "calls_today": "120"},
)


def waiting(engine: Engine) -> int:
    """Creates a campaign that waits; returns its id."""
    return campaigns.create(engine, TERMS, "list.csv", "{}").id


def customer(row: int, probability: float = 0.5, segment: str | None = None, identifier: str | None = None) -> Customer:
    cells = {"job": "retired", "age": str(20 + row % 60)}
    return Customer(row, identifier or f"c{row}", cells, probability, segment, ("job: 'x' was not seen in training",))


def ranked(engine: Engine, rows: Sequence[Customer]) -> int:
    """Creates a ranked campaign of these customers; returns its id."""
    id = waiting(engine)
    customers.add(engine, id, rows)
    customers.rank(engine, id)
    campaigns.update(engine, id, state="ranked", rows=len(rows), scored=len(rows))
    return id
