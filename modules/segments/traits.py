"""Traits: sets of values of a column that have words, as names of segments are made of them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from data.contract import Contract
from modules.segments import words
from modules.segments.values import Values

COMMON = 0.3
"""From this share of the customers on, the absence of a category is a trait too."""
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3})")
_VAGUE = frozenset({"unknown", "other", "others", "none", "nonexistent", "failure", "success", "missing", "n/a"})
"""Values that say nothing without the name of their column."""
RANGE, VAGUE, CHARACTER, LONG = 0.04, 0.08, 0.002, 0.2
"""Costs: of a range; of what is not known, not so, or neither high nor low; of each character; and of a text so long
that it leaves no room for another part."""
MOST_CHARACTERS = 34
"""A longer text is long."""


@dataclass(frozen=True)
class Trait:
    """Some values of a column.

    Attributes:
      text: in words, without a comma.
      column: of the contract.
      codes: indices of the values.
      cost: by so much better a trait must separate customers than one in the fewest and plainest words.
    """

    text: str
    column: str = ""
    codes: tuple[int, ...] = ()
    cost: float = 0.0


def of(values: Values, contract: Contract) -> Iterator[Trait]:
    """The traits that a column has: adjacent values of numbers and ordered categories, single values of others."""
    known = len(values.texts) - values.missing
    if len(values.texts) < 2:
        return
    if values.missing:
        yield _trait(f"{words.plain(values.column, contract)} {words.MISSING}", values, [known], VAGUE)
    if values.column in contract.numeric:
        yield from _numbers(values, known, contract)
    elif values.ordered:
        for low, high in _runs(known):
            yield _trait(_levels(values, low, high, contract), values, range(low, high), RANGE * (high - low > 1))
    else:
        yield from _categories(values, known, contract)


def _runs(known: int) -> Iterator[tuple[int, int]]:
    """First value and the one after the last of each run of adjacent values that is not all of them."""
    return ((low, high) for low in range(known) for high in range(low + 1, known + 1) if high - low < known)


def _numbers(values: Values, known: int, contract: Contract) -> Iterator[Trait]:
    counts = values.counts()[:known]
    below = np.append(0, np.cumsum(counts)) / counts.sum()
    for low, high in _runs(known):
        text, cost = _range(values, low, high, float(below[low]), float(1 - below[high]), contract)
        if text:
            yield _trait(text, values, range(low, high), cost)


def _categories(values: Values, known: int, contract: Contract) -> Iterator[Trait]:
    shares = values.counts() / len(values.codes)
    for code in range(known):
        text = _category(values, code, contract)
        yield _trait(text, values, [code], VAGUE * (values.texts[code].lower() in _VAGUE))
        if shares[code] >= COMMON and known > 2:
            yield _trait(f"not {text}", values, [other for other in range(known) if other != code], VAGUE)


def _trait(text: str, values: Values, codes: range | list[int], cost: float = 0.0) -> Trait:
    text = " ".join(_THOUSANDS.sub("", text).replace(",", " ").split())
    return Trait(text, values.column, tuple(codes), cost + CHARACTER * len(text) + LONG * (len(text) > MOST_CHARACTERS))


def _category(values: Values, code: int, contract: Contract) -> str:
    """`retired` where no other column has this value, `with housing`, `no housing`, or `contact unknown`."""
    value, column = values.texts[code], words.plain(values.column, contract)
    if words.yes_or_no(values.column, contract) and value in words.NO | words.YES:
        return f"no {column}" if value in words.NO else f"with {column}"
    owners = sum(value in rules.values for rules in contract.categorical.values())
    alone = owners == 1 and value.lower() not in _VAGUE and not value.isnumeric() and len(value) > 1
    return value if alone else f"{column} {value}"


def _levels(values: Values, low: int, high: int, contract: Contract) -> str:
    """Adjacent ordered categories: `education secondary`, `education up to primary`, `education from secondary`."""
    column, known = words.plain(values.column, contract), len(values.texts) - values.missing
    first, last = values.texts[low], values.texts[high - 1]
    if high - low == 1:
        return f"{column} {first}"
    if low == 0:
        return f"{column} up to {last}"
    return f"{column} from {first}" if high == known else f"{column} {first} to {last}"


def _range(values: Values, low: int, high: int, below: float, above: float, contract: Contract) -> tuple[str, float]:
    """Adjacent ranges of a number in words, and the cost of the words; empty where there are no plain words.

    Args:
      values: of the number.
      low, high: first range, and the one after the last.
      below, above: share of the customers with lower and with higher numbers.
      contract: tells whether the unit says what the number counts.
    """
    rules, known = contract.numeric[values.column], len(values.edges)
    counted = words.counts(values.column, contract)
    column = rules.unit if counted else words.plain(values.column, contract)
    from_zero = values.edges[0] == (0.0, 0.0)
    if from_zero and high == 1:
        return f"no {column}", 0.0
    if from_zero and (low, high) == (1, known):
        return f"with {column}", 0.0
    single = high - low == 1 and values.edges[low][0] == values.edges[low][1]
    if counted or rules.unit in ("months", "days") or (single and high == known):
        bottom = values.edges[low - 1][1] if low else -math.inf
        top = values.edges[high - 1][1] if high < known else math.inf
        text = values.texts[low] if high - low == 1 else words.between(bottom, top, rules)
        return (text if counted else f"{column} {text}"), RANGE * (not single)
    if low and high < known:
        if from_zero and low == 1:
            return f"little {column}", VAGUE
        return f"{'rather high' if below >= 0.5 else 'rather low' if above >= 0.5 else 'medium'} {column}", VAGUE
    end, beyond = ("high", below) if low else ("low", above)
    if beyond < 0.5:
        return "", 0.0
    return f"{'very ' * (beyond >= 0.8)}{end} {column}", RANGE
