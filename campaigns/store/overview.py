"""How the desk is doing, in a few figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import get_args

from sqlalchemy import Engine, func, select

from campaigns.records import State
from campaigns.store.tables import campaigns, outcomes


@dataclass(frozen=True)
class Overview:
    """Figures of all campaigns.

    Attributes:
      lists: number of campaigns by state, every state included.
      waits_since: when the oldest call list was frozen of which no customer's answer is known; None where there is
        none.
    """

    lists: Mapping[State, int]
    waits_since: datetime | None


def overview(engine: Engine) -> Overview:
    """Reads the figures.

    Raises:
      SQLAlchemyError, StoreDownError: the database does not answer.
    """
    counts = select(campaigns.c.state, func.count()).group_by(campaigns.c.state)
    known = select(outcomes.c.identifier).where(
        outcomes.c.campaign_id == campaigns.c.id, outcomes.c.bought.is_not(None)
    )
    with engine.connect() as connection:
        lists = dict.fromkeys(get_args(State), 0) | dict(connection.execute(counts).tuples().all())
        waits = connection.scalar(
            select(func.min(campaigns.c.frozen)).where(campaigns.c.state == "frozen", ~known.exists())
        )
    return Overview(lists, waits)
