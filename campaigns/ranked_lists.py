"""Ranked lists that are asked for again and again, such as while a slider moves, kept in memory."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Lock

import numpy as np
from sqlalchemy import Engine

from analysis.campaigns import Curve, curve
from campaigns.store import customers, groups

LISTS = 2
"""Lists in memory; one of 1,000,000 customers with two sensitive columns takes 12 MB."""


@dataclass(frozen=True)
class RankedList:
    """What a budget is planned with.

    Attributes:
      probabilities: of all customers, the highest first, float64.
      groups: by sensitive column the number of each customer's group, by rank.
    """

    probabilities: np.ndarray
    groups: Mapping[str, np.ndarray]
    _curves: dict[tuple[float, ...], Curve] = field(default_factory=dict)

    def curve(self, cost: float, margin: float, calibration_error: float, control_share: float) -> Curve:
        """What each number of calls brings; the last curve is kept, since a slider changes only the calls."""
        terms = (cost, margin, calibration_error, control_share)
        found = self._curves.get(terms)
        if found is None:
            found = curve(self.probabilities, *terms)
            self._curves.clear()
            self._curves[terms] = found
        return found


class RankedLists:
    """Reads ranked lists from the store, and keeps the last ones."""

    def __init__(self, engine: Engine):
        self._engine = engine
        self._lock = Lock()
        self._kept: OrderedDict[tuple[int, int], RankedList] = OrderedDict()

    def get(self, campaign_id: int) -> RankedList:
        """The list of a ranked campaign."""
        key = (campaign_id, customers.count(self._engine, campaign_id))  # a customer may have been removed meanwhile
        with self._lock:
            if key not in self._kept:
                found = customers.probabilities(self._engine, campaign_id)
                self._kept[key] = RankedList(found, groups.get(self._engine, campaign_id))
            self._kept.move_to_end(key)
            while len(self._kept) > LISTS:
                self._kept.popitem(last=False)
            return self._kept[key]
