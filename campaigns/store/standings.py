"""How the campaigns do, one note for each ranked campaign."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Engine, select

from campaigns.records import SoFar, Standing
from campaigns.store import database
from campaigns.store.tables import standings


def note(engine: Engine, id: int, standing: Standing) -> None:
    """Notes how a campaign does, in place of an earlier note."""
    values = {"campaign_id": id, "figures": asdict(standing)}
    with engine.begin() as connection:
        statement = database.insert(connection, standings).values(values)
        replaced = {"figures": statement.excluded.figures}
        connection.execute(statement.on_conflict_do_update(index_elements=[standings.c.campaign_id], set_=replaced))


def of(engine: Engine, ids: Sequence[int]) -> dict[int, Standing]:
    """The notes about some campaigns, by id; those without a note are left out."""
    query = select(standings.c.campaign_id, standings.c.figures).where(standings.c.campaign_id.in_(ids))
    with engine.connect() as connection:
        return {id: _standing(figures) for id, figures in connection.execute(query)}


def _standing(figures: dict[str, Any]) -> Standing:
    so_far = figures["so_far"]
    return Standing(**{**figures, "so_far": so_far and SoFar(**so_far)})
