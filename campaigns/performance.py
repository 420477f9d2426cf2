"""Live performance: what the calls of frozen call lists brought, by version of the model and month of the freeze.

Figures are computed when a call list is frozen and when outcomes are uploaded, and stored as rows of the table
`performance`. They stay there when a campaign is removed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from threading import Lock
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import Engine

from analysis.live_performance import CallList, LiveFigures, live
from campaigns.store import outcomes
from campaigns.store import performance as store
from campaigns.store.performance import Frozen, Stored

_FIGURES = TypeAdapter(LiveFigures)
_computing = Lock()
"""Figures of an earlier state of the store never replace those of a later one."""


@dataclass(frozen=True)
class LivePerformance:
    """What calls brought.

    Attributes:
      model, version: that scored the lists.
      month: in which the call lists were frozen, in UTC: `2026-11`.
      figures: see LiveFigures.
      last_outcome: when the last outcome was uploaded; None where there is none.
      computed: when the figures were computed.
    """

    model: str
    version: str
    month: str
    figures: LiveFigures
    last_outcome: datetime | None
    computed: datetime


def all_months(engine: Engine) -> list[LivePerformance]:
    """The stored figures, the newest month first."""
    return [
        LivePerformance(
            row.model, row.version, row.month, figures_from_json(row.figures), row.last_outcome, row.computed
        )
        for row in store.read(engine)
    ]


def refresh(engine: Engine, campaign_id: int, calibration_error: float) -> None:
    """Computes and stores the figures of a campaign's version and month.

    Args:
      engine: the store.
      campaign_id: of a campaign; nothing happens where its call list is not frozen, or is empty.
      calibration_error: expected calibration error of the model, as for the campaign's plan.
    """
    with _computing:
        campaigns = store.frozen(engine)
        one = next((found for found in campaigns if found.id == campaign_id), None)
        if one is None:
            return
        group = [found for found in campaigns if _key(found) == _key(one)]
        last = outcomes.last_recorded(engine, [found.id for found in group])
        lists = [call_list for found in group if len((call_list := _call_list(engine, found)).probabilities)]
        if lists:
            figures = asdict(live(lists, calibration_error))
            store.write(engine, Stored(*_key(one), figures, last, datetime.now(timezone.utc)))


def stale(engine: Engine) -> list[int]:
    """A campaign of each version and month whose figures lack a frozen call list or an outcome."""
    groups: dict[tuple[str, str, str], list[Frozen]] = {}
    for campaign in store.frozen(engine):
        groups.setdefault(_key(campaign), []).append(campaign)
    last = store.last_outcomes(engine)
    known = {(row.model, row.version, row.month): row for row in store.read(engine)}

    def lacks(key: tuple[str, str, str], group: Iterable[Frozen]) -> bool:
        row = known.get(key)
        if row is None:
            return True
        newest = row.last_outcome or datetime.min.replace(tzinfo=timezone.utc)
        return any(one.frozen > row.computed or (one.id in last and last[one.id] > newest) for one in group)

    return [group[0].id for key, group in groups.items() if lacks(key, group)]


def figures_from_json(document: Any) -> LiveFigures:
    """Reads what `dataclasses.asdict` made of figures."""
    return _FIGURES.validate_python(document)


def _key(campaign: Frozen) -> tuple[str, str, str]:
    return campaign.model, campaign.version, campaign.month


def _call_list(engine: Engine, campaign: Frozen) -> CallList:
    calls = store.calls(engine, campaign.id)
    return CallList(
        calls.probabilities, calls.control, calls.bought, campaign.customers, campaign.cost, campaign.margin
    )
