"""Numbers, ranges and columns in words, for names, cards and rules."""

from __future__ import annotations

import math

from data.contract import Contract
from data.contract_columns import Numeric

MISSING = "missing"
NO = frozenset({"0", "no", "No", "NO", "false", "False", "N"})
YES = frozenset({"1", "yes", "Yes", "YES", "true", "True", "Y"})
_LARGE = ((1e12, "trillion "), (1e9, "billion "), (1e6, "million "))
_SHARE = "share"


def number(value: float, digits: int = 3) -> str:
    """A number with this many significant digits, whole numbers below a million in full: `12,400`, `0.0833`."""
    if not math.isfinite(value):
        return MISSING
    for size, word in _LARGE:
        if abs(value) >= size:
            return f"{number(value / size, digits)} {word.strip()}"
    if float(value).is_integer() or abs(value) >= 1000:
        return f"{value + 0.0:,.0f}"  # + 0.0 makes a negative zero positive
    decimals = min(6, digits - 1 - math.floor(math.log10(abs(value))))
    text = f"{value:,.{decimals}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


def amount(value: float, column: Numeric) -> str:
    """A number with its unit: `58 years`, `1 child`; of a unit such as `share of months` a percentage.

    Args:
      value: NaN is "missing".
      column: gives the unit.
    """
    return quantity(value, column.unit)


def quantity(value: float, unit: str) -> str:
    """The same, given the unit."""
    return _with_unit(number(_scaled(value, unit)), unit) if math.isfinite(value) else MISSING


def between(low: float, high: float, column: Numeric) -> str:
    """The numbers above `low` up to `high` in words; an infinite bound is left out.

    Args:
      low: exclusive bound.
      high: inclusive bound.
      column: gives the unit; the bounds of its whole numbers are both told inclusively: `34 to 48 years`.
    """
    if math.isinf(low):
        return "up to " + amount(high, column)
    if math.isinf(high):
        few = column.integer and 0 <= low < 10
        return f"{low + 1:.0f} or more {column.unit}" if few else "over " + amount(low, column)
    if column.integer:
        low = math.floor(low) + 1
        if low >= math.floor(high):
            return amount(high, column)
    return span(low, high, column)


def span(low: float, high: float, column: Numeric) -> str:
    """The numbers from `low` to `high`, both inclusive: `20 to 38 years`, `1 child`.

    Args:
      low: finite, at most `high`.
      high: finite.
      column: gives the unit.
    """
    start, end = (number(_scaled(value, column.unit)) for value in (low, high))
    return amount(high, column) if start == end else f"{start} to {amount(high, column)}"


def plain(column: str, contract: Contract) -> str:
    """The name of a column as it stands in a sentence: `CASH_ADVANCE` -> `cash advance`.

    The first word of yes-or-no columns is left out where at least three of them share it: `Produk_Deposito`.
    """
    spaced = " ".join(column.replace("_", " ").split()) or column
    first, _, rest = column.partition("_")
    if rest and sum(name.startswith(first + "_") and yes_or_no(name, contract) for name in contract.categorical) >= 3:
        spaced = " ".join(rest.replace("_", " ").split()) if yes_or_no(column, contract) else spaced
    return spaced.lower() if column.isupper() and len(column) > 4 else spaced


def yes_or_no(column: str, contract: Contract) -> bool:
    """Whether a text column has one value of `NO` and one of `YES`."""
    values = contract.categorical[column].values if column in contract.categorical else ()
    return len(values) == 2 and len(NO & {*values}) == len(YES & {*values}) == 1


def counts(name: str, contract: Contract) -> bool:
    """Whether the unit alone says what a number counts, as in `over 53 years` and `2 children`.

    It does for whole numbers whose unit is a plural that no other number has, unless the unit is a measure of time
    other than years, or the numbers are as large as sums of money.
    """
    column = contract.numeric[name]
    first = column.unit.split(" ")[0]
    alone = sum(other.unit == column.unit for other in contract.numeric.values()) == 1
    bare_time = column.unit in ("seconds", "minutes", "hours", "days", "weeks", "months")
    plural = first.endswith("s") or first in _SINGULAR
    return column.integer and alone and plural and not bare_time and column.max <= 10_000


_SINGULAR = {"children": "child", "people": "person"}


def _scaled(value: float, unit: str) -> float:
    return value * 100 if unit.split(" ")[0] == _SHARE else value


def _with_unit(text: str, unit: str) -> str:
    first, *rest = unit.split(" ")
    if first == _SHARE:
        first = "%"
    elif text == "1":
        first = _SINGULAR.get(first, first[:-1] if first.endswith("s") and not first.endswith("ss") else first)
    return " ".join([text, first, *rest]).strip()
