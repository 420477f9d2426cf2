"""What calls brought, by version and month of the freeze: the calls that figures are computed from, and the figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

import numpy as np
from sqlalchemy import Engine, func, select

from campaigns.store import database
from campaigns.store.outcomes import OF_A_RANK
from campaigns.store.tables import campaigns, outcomes, performance, ranking

_STREAMED = 50_000


@dataclass(frozen=True)
class Frozen:
    """A campaign with a frozen call list.

    Attributes:
      id: of the campaign.
      model, version: that scored its list.
      customers: in its list.
      cost: of a call.
      margin: of a buyer before the cost of the call.
      frozen: when.
    """

    id: int
    model: str
    version: str
    customers: int
    cost: float
    margin: float
    frozen: datetime

    @property
    def month(self) -> str:
        """Of the freeze, in UTC: `2026-11`."""
        return f"{self.frozen.astimezone(timezone.utc):%Y-%m}"


@dataclass(frozen=True)
class Stored:
    """Figures of one version and month; a row of the table `performance`.

    Attributes:
      model, version, month: of the figures.
      figures: as JSON.
      last_outcome: when the last outcome was uploaded; None where there is none.
      computed: when the figures were computed.
    """

    model: str
    version: str
    month: str
    figures: Mapping[str, Any]
    last_outcome: datetime | None
    computed: datetime


@dataclass(frozen=True)
class Calls:
    """The call list of a campaign by rank, with what became of it; arrays of one length.

    Attributes:
      probabilities: float64.
      control: whether the customer belongs to the control group, bool.
      bought: 1, 0, or NaN where the customer was not called or the result is not known, float64.
    """

    probabilities: np.ndarray
    control: np.ndarray
    bought: np.ndarray


def frozen(engine: Engine) -> list[Frozen]:
    """The campaigns with a frozen call list, by their ids."""
    columns = ("id", "model", "version", "scored", "cost", "margin", "frozen")
    query = select(*(campaigns.c[name] for name in columns)).where(campaigns.c.state == "frozen")
    with engine.connect() as connection:
        return [Frozen(*row) for row in connection.execute(query.order_by(campaigns.c.id))]


def calls(engine: Engine, id: int) -> Calls:
    """The call list of a campaign; empty before it is frozen."""
    columns = (ranking.c.probability, ranking.c.called == "control", outcomes.c.called, outcomes.c.bought)
    query = (
        select(*columns)
        .outerjoin_from(ranking, outcomes, OF_A_RANK)
        .where(ranking.c.campaign_id == id, ranking.c.called.is_not(None))
        .order_by(ranking.c.rank)
    )
    blocks = []
    with engine.connect() as connection:
        found = connection.execution_options(yield_per=_STREAMED).execute(query)
        for part in found.partitions():
            values = [(p, control, bought if called else None) for p, control, called, bought in part]
            blocks.append(np.array(values, np.float64))  # None becomes NaN
    probability, control, bought = np.concatenate([np.empty((0, 3)), *blocks]).T
    return Calls(probability, control == 1, bought)


def write(engine: Engine, row: Stored) -> None:
    """Stores figures in the place of earlier ones of the same version and month."""
    with engine.begin() as connection:
        statement = database.insert(connection, performance).values(vars(row))
        replaced = {name: statement.excluded[name] for name in ("figures", "last_outcome", "computed")}
        keys = [performance.c[name] for name in ("model", "version", "month")]
        connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=replaced))


def read(engine: Engine) -> list[Stored]:
    """All figures, the newest month first; of a month, by model and version."""
    order = (performance.c.month.desc(), performance.c.model, performance.c.version)
    names = Stored.__dataclass_fields__
    with engine.connect() as connection:
        rows = connection.execute(select(*(performance.c[name] for name in names)).order_by(*order))
        return [Stored(*row) for row in rows]


def last_outcomes(engine: Engine) -> dict[int, datetime]:
    """When the last outcome of each campaign that has any was uploaded."""
    query = select(outcomes.c.campaign_id, func.max(outcomes.c.recorded)).group_by(outcomes.c.campaign_id)
    with engine.connect() as connection:
        return dict(connection.execute(query).tuples().all())
