"""How many calls the bank makes, where nobody says it for a list that is to be scored."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from pathlib import Path

import numpy as np

from data import spans
from data.list_size import WINDOWS
from data.model_folder import CARD, ListSize, ModelFolder, PurchaseCard
from data.span_folder import EPOCH, day_number

TODAY = "calls_today"


@dataclass(frozen=True)
class AssumedSize:
    """What a purchase model is told of the size of a list unless somebody says otherwise.

    Attributes:
      usual: what was usual in the newest month that the model learned from.
      past: the calls on the 7 and 30 days before `until`, by column; empty where no calls are known, and the usual
        ones count.
      until: the day, as far as the calls are known, at the latest today.
    """

    usual: ListSize
    past: dict[str, int]
    until: date | None

    def value(self, column: str) -> int:
        """The value of a derived column."""
        return self.past.get(column, getattr(self.usual, column))

    def values(self, lacking: Collection[str]) -> dict[str, int]:
        """The values of those derived columns that are lacking, in the order of the contract."""
        return {name: self.value(name) for name in (TODAY, *WINDOWS) if name in lacking}


def assumed(model: ModelFolder, artifacts: Path, today: date | None = None) -> AssumedSize | None:
    """What to assume for a version of the purchase model; None where its folder does not say what was usual.

    The calls of the past are those of the spans of the model's contract. Where the newest of these calls was before
    yesterday, the days count from that call and not from today: calls that were not reported yet are not none.

    Args:
      model: the version.
      artifacts: the folder that runs write to, with the spans.
      today: the day of the planned calls; None for today in UTC.
    """
    try:
        card = PurchaseCard.from_json(model.extra(CARD).read_bytes())
    except (OSError, ValueError):
        return None
    if card.list_size is None:
        return None
    volume = spans.volume(spans.folder(artifacts, card.contract))
    if not len(volume.days):
        return AssumedSize(card.list_size, {}, None)
    today = today or datetime.now(timezone.utc).date()
    day = min(day_number(today), int(volume.days[-1]) + 1)
    columns = volume.columns(np.array([day]))
    return AssumedSize(card.list_size, {name: int(columns[name][0]) for name in WINDOWS}, EPOCH + timedelta(days=day))
