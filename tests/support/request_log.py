"""Entries and rows of the request log, for tests."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Engine, select

from campaigns.records import Scored
from campaigns.store.tables import request_log

KEY = b"a secret of the tests, long enough"
ENTRY = Scored(
    time=1_790_000_000.25,
    request="r1",
    caller="crm",
    campaign_id=None,
    identifiers=("C1", None),
    model="purchase-model",
    version="7",
    probabilities=(0.25, 0.75),
    purchases=(0, 1),
    seconds=0.125,
)


def entry(rows: int, **changes: Any) -> Scored:
    """An entry of customers c0, c1 and so on."""
    identifiers = [f"c{number}" for number in range(rows)]
    same = ENTRY._replace(identifiers=identifiers, probabilities=[0.5] * rows, purchases=[1] * rows)
    return same._replace(**changes)


def stored(engine: Engine) -> Sequence[Any]:
    """The rows of the table in the order in which they were scored."""
    order = (request_log.c.time, request_log.c.batch, request_log.c.place)
    with engine.connect() as connection:
        return connection.execute(select(request_log).order_by(*order)).all()


def wait_until(holds: Callable[[], bool], seconds: float = 30.0) -> None:
    """Waits for what another process does."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
