"""Reasons for and against calling a customer, in the contract's words, from the contributions of the columns."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import NamedTuple

from data.contract import MISSING_TEXT, Contract, Numeric

MOST = 3
"""Reasons of each kind."""
LEAST = 0.01
"""A contribution below this size is no reason: it changes the odds by less than one percent."""
NO_VALUE = "no value"
_MOST_DIGITS = 30


class Reasons(NamedTuple):
    """What raises and what lowers the probability, the strongest first."""

    supporting: tuple[str, ...]
    opposing: tuple[str, ...]


def reasons(contributions: Mapping[str, float], cells: Mapping[str, str], contract: Contract) -> Reasons:
    """The strongest reasons for and against, at most MOST of each.

    Args:
      contributions: what each column adds to the logit, see `serving.client.Explanation`.
      cells: the row as text, with each of these columns.
      contract: what the columns mean.

    Returns:
      Phrases such as `job: retired` and `previous: no calls before this campaign`.
    """
    strongest = sorted(contributions, key=lambda name: abs(contributions[name]), reverse=True)
    supporting = [name for name in strongest if contributions[name] >= LEAST][:MOST]
    opposing = [name for name in strongest if contributions[name] <= -LEAST][:MOST]
    return Reasons(*(tuple(phrase(name, cells[name], contract) for name in names) for names in (supporting, opposing)))


def phrase(name: str, cell: str, contract: Contract) -> str:
    """A column with its value in words.

    Args:
      name: of a feature.
      cell: its text.
      contract: what the column means.
    """
    number = contract.numeric.get(name)
    return f"{name}: {_number(cell, number) if number else cell if cell != MISSING_TEXT else NO_VALUE}"


def _number(cell: str, column: Numeric) -> str:
    """A number with its unit: `1,200 euros per year`, `1 call in this campaign`, `5 (day of month)`."""
    try:
        value = Decimal(cell.strip() or "nan")
    except InvalidOperation:
        return cell
    if not value.is_finite() or (column.missing is not None and value == Decimal(column.missing)):
        return NO_VALUE
    if abs(value.adjusted()) > _MOST_DIGITS:
        return cell
    shown = format(value.normalize(), ",f") if value else "0"
    if not column.unit:
        return shown
    first, blank, rest = column.unit.partition(" ")
    if not (first.endswith("s") and first.islower()):
        return f"{shown} ({column.unit})"
    if not value and column.integer and column.min == 0:
        return f"no {column.unit}"
    return f"{shown} {first[:-1] if value == 1 else first}{blank}{rest}"
