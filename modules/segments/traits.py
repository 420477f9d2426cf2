"""Traits: sets of values of a column that have words, as names of segments are made of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from data.contract import Contract
from modules.segments import words
from modules.segments.values import Values

COMMON = 0.3
"""From this share of the customers on, the absence of a category is a trait too."""
_VAGUE = frozenset({"unknown", "other", "others", "none", "nonexistent", "failure", "success", "missing", "n/a"})
"""Values that say nothing without the name of their column."""
RANGE, VAGUE, CHARACTER = 0.04, 0.08, 0.002
"""Costs: of a range; of what is not known, not so, or neither high nor low; of each character."""


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
    number, shares = values.column in contract.numeric, values.counts() / len(values.codes)
    if number or values.ordered:
        for low in range(known):
            for high in range(low + 1, known + 1):
                text = _range(values, low, high, shares, contract) if number else _levels(values, low, high, contract)
                if text and high - low < known:
                    yield _trait(text, values, range(low, high), _cost(text))
        return
    for code in range(known):
        yield _trait(_category(values, code, contract), values, [code], VAGUE * (values.texts[code].lower() in _VAGUE))
        if shares[code] >= COMMON and known > 2:
            rest = [other for other in range(known) if other != code]
            yield _trait(f"not {_category(values, code, contract)}", values, rest, VAGUE)


def _trait(text: str, values: Values, codes: range | list[int], cost: float = 0.0) -> Trait:
    text = " ".join(text.replace(",", " ").split())
    return Trait(text, values.column, tuple(codes), cost + CHARACTER * len(text))


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


def _range(values: Values, low: int, high: int, shares: np.ndarray, contract: Contract) -> str:
    """Adjacent ranges of a number; empty where no plain words say which.

    Args:
      values: of the number.
      low, high: first range, and the one after the last.
      shares: of the customers by range.
      contract: tells whether the unit says what the number counts.
    """
    rules, known = contract.numeric[values.column], len(values.texts) - values.missing
    first, last = values.edges[low], values.edges[high - 1]
    from_zero = values.edges[0] == (0.0, 0.0)
    counted = words.counts(values.column, contract)
    column = rules.unit if counted else words.plain(values.column, contract)
    if first == last == (0.0, 0.0):
        return f"no {column}"
    if from_zero and low == 1 and high == known:
        return f"with {column}"
    if counted or rules.unit in ("months", "days"):
        bottom = values.edges[low - 1][1] if low else -np.inf
        top = last[1] if high < known else np.inf
        text = values.texts[low] if high - low == 1 else words.between(bottom, top, rules)
        return (text if counted else f"{column} {text}").replace(",", "")
    below, above = shares[:low].sum() / shares[:known].sum(), shares[high:known].sum() / shares[:known].sum()
    if first[0] == first[1] and low == high - 1 == known - 1:
        return f"{column} {values.texts[low]}".replace(",", "")
    if high == known and below >= 0.5:
        return f"very high {column}" if below >= 0.8 else f"high {column}"
    if low == 0 and above >= 0.5:
        return f"very low {column}" if above >= 0.8 else f"low {column}"
    if low and high < known:
        return _inner(column, below, above, from_zero and low == 1)
    return ""


def _cost(text: str) -> float:
    """Of a trait of a number or an ordered category."""
    first = text.split(" ")[0]
    return VAGUE if first in ("little", "medium", "rather") else 0.0 if first in ("no", "with") else RANGE


def _inner(column: str, below: float, above: float, next_to_zero: bool) -> str:
    """Words of a range with customers below and above it, by their shares."""
    if next_to_zero:
        return f"little {column}"
    if below >= 0.5:
        return f"rather high {column}"
    return f"rather low {column}" if above >= 0.5 else f"medium {column}"
