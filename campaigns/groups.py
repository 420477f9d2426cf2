"""The groups into which the contract's sensitive columns divide the customers of a list."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from sqlalchemy import Engine

from analysis.groups import Shares, shares
from campaigns.store import groups as store
from data.contract import Contract
from data.csv_rows import number


@dataclass(frozen=True)
class Group:
    """Customers with the same value of a column, or with a number from `low` to below `high`.

    Attributes:
      column: that divides the customers.
      value: of a text column.
      low, high: of a number column; None where the band has no end. With no value and no end the group is that of the
        other customers: their cell is blank, or the contract does not know it.
    """

    column: str
    value: str | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class GroupShares:
    """The groups of one column that have customers, with their shares."""

    column: str
    groups: Sequence[tuple[Group, Shares]]


def of_column(contract: Contract, column: str) -> list[Group]:
    """The groups of a sensitive column in the contract's order; the last one is that of the other customers."""
    if column in contract.categorical:
        return [*(Group(column, value) for value in contract.categorical[column].values), Group(column)]
    ends = [None, *contract.numeric[column].bands, None]
    bands = [Group(column, None, low, high) for low, high in pairwise(ends)]
    return [*bands, Group(column)]


def divide(engine: Engine, campaign_id: int, contract: Contract) -> None:
    """Stores to which groups each customer of a ranked list belongs."""
    if not contract.sensitive:
        return
    finders = [_finder(contract, column) for column in contract.sensitive]
    rows: list[np.ndarray] = []
    numbers: list[list[np.ndarray]] = []
    for part, cells in store.cells(engine, campaign_id, contract.sensitive):
        rows.append(np.array(part, np.int64))
        numbers.append(
            [np.array([find[cell] for cell in column], np.uint16) for find, column in zip(finders, cells, strict=True)]
        )
    if not rows:
        return
    by_rank = np.concatenate(rows).searchsorted(store.rows_by_rank(engine, campaign_id))
    columns = (np.concatenate(parts) for parts in zip(*numbers, strict=True))
    store.keep(engine, campaign_id, {n: c[by_rank] for n, c in zip(contract.sensitive, columns, strict=True)})


def compare(contract: Contract, numbers: Mapping[str, np.ndarray], called: np.ndarray) -> list[GroupShares]:
    """The shares of groups in a list and in its call list.

    Args:
      contract: of the campaign.
      numbers: as `divide` stored them: by column the number of each customer's group, by rank.
      called: ranks of the call list.
    """
    found = []
    for column in contract.sensitive:
        if column not in numbers:
            continue
        names = of_column(contract, column)
        each = shares(numbers[column], len(names), called - 1)
        found.append(GroupShares(column, [(n, s) for n, s in zip(names, each, strict=False) if s.listed > 0]))
    return found


class _Found(defaultdict[str | None, int]):
    """Numbers of groups by cell; a cell's number is found once."""

    def __init__(self, find: Callable[[str | None], int]):
        super().__init__()
        self._find = find

    def __missing__(self, cell: str | None) -> int:
        self[cell] = self._find(cell)
        return self[cell]


def _finder(contract: Contract, column: str) -> _Found:
    if column in contract.categorical:
        values = contract.categorical[column].values
        places = {value: place for place, value in enumerate(values)}
        return _Found(lambda cell: places.get(cell or "", len(values)))
    rule = contract.numeric[column]

    def band(cell: str | None) -> int:
        value = number(cell or "")
        if value is None or value != value or value == rule.missing:
            return len(rule.bands) + 1
        return int(np.digitize(value, rule.bands))

    return _Found(band)
