"""Guesses from the cells of a column what a contract should say about it."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from data.contract import LARGEST_NUMBER
from data.csv_rows import number

LEAK_AUC = 0.79
"""A column that alone ranks the label with at least this AUC is taken for one known only after the call. In the three
bank files the length of the call reaches 0.809 to 0.818, and the best column known before it 0.770."""
LEAK_ROWS = 20
"""With fewer positive or negative rows in either half the AUC is mostly chance, and no column is taken for a leak."""
MOST_VALUES = 200
"""A column with more different texts than this is not taken for a category."""
UNIQUE = 0.95
"""A column with this many different values per row names the row."""
FEWEST_ROWS = 20
"""With fewer filled rows than this, unique values say nothing."""
MOST_NUMBERS = 0.9
"""A column with texts in it was meant to hold numbers if this share of its cells are numbers."""
_MARKER_SHARE = 0.01
"""A number stands for "no value" only if this share of the rows has it."""
_IDENTIFIER = re.compile(
    r"(^|[^a-z])(id|ids|uuid|nr|no|num|number|key|code|phone|account|iban)([^a-z]|$)", re.IGNORECASE
)
_DECIMAL_COMMA = re.compile(r"[+-]?[\d.]*,\d+")
_SMALLEST_WIDTH = 1e-30
_BINS = 32
_PRIOR_ROWS = 10
"""Rows by whose weight the positive rate of a bin is drawn to that of all rows."""


@dataclass(frozen=True)
class Column:
    """One column of a file."""

    name: str
    values: Sequence[str]
    """The different cells."""
    codes: np.ndarray
    """Index into `values`, int [rows]."""


@dataclass(frozen=True)
class Guess:
    """What a contract should say about a column.

    Attributes:
      kind: key of the contract, `numeric`, `categorical` or `identifiers`; "" if the column cannot be used.
      rule: the entry below that key, as YAML has it; empty for an identifier.
      note: what a person should check, or why the column cannot be used; "" if nothing is doubtful.
    """

    kind: str
    rule: dict[str, Any]
    note: str = ""


def guess(column: Column) -> Guess:
    """Guesses whether a column is a number, a category or an identifier, and its range or values."""
    counts = np.bincount(column.codes, minlength=len(column.values))
    filled = {text: int(count) for text, count in zip(column.values, counts, strict=True) if text}
    rows, blank = sum(filled.values()), len(filled) < len(column.values)
    if not filled:
        return Guess("identifiers", {}, "every cell is blank, so the column is left out")
    numbers = {text: value for text in filled if (value := number(text)) is not None}
    unique = rows >= FEWEST_ROWS and len(filled) >= UNIQUE * rows
    if len(numbers) == len(filled):
        return _number(column.name, np.array([*numbers.values()]), np.array([*filled.values()]), blank, unique)
    if fault := _misspelt_numbers(filled, numbers):
        return Guess("", {}, fault)
    if unique:
        return Guess("identifiers", {}, "nearly every row has a text of its own")
    if len(filled) > MOST_VALUES:
        note = f"{len(filled):,} different texts are too many for a category, so the column is left out"
        return Guess("identifiers", {}, note)
    note = "" if len(filled) > 1 else f"every row has {next(iter(filled))!r}"
    return Guess("categorical", {"values": sorted(filled)} | ({"blank": True} if blank else {}), note)


def _misspelt_numbers(filled: dict[str, int], numbers: Container[str]) -> str:
    """What is wrong with a column that was meant to hold numbers, from how many rows have each text; mostly ""."""
    most = MOST_NUMBERS * sum(filled.values())
    if len(filled) <= FEWEST_ROWS:
        return ""
    if sum(count for text, count in filled.items() if text in numbers) >= most:
        others = [text for text in filled if text not in numbers]
        more = f" and {len(others) - 3} other texts" if len(others) > 3 else ""
        return f"numbers and {', '.join(map(repr, others[:3]))}{more}; leave a cell without a number blank"
    if sum(count for text, count in filled.items() if _DECIMAL_COMMA.fullmatch(text)) >= most:
        return "numbers with a comma; write them with a decimal point and without separators, such as 1234.5"
    return ""


def _number(name: str, values: np.ndarray, counts: np.ndarray, blank: bool, unique: bool) -> Guess:
    """A number column from its different values and how many rows have each."""
    integer = bool((values == np.floor(values)).all())
    low, high = float(values.min()), float(values.max())
    if max(-low, high) > LARGEST_NUMBER:
        return Guess("", {}, f"numbers beyond {LARGEST_NUMBER:g}, which a contract cannot have; use a larger unit")
    note = ""
    if unique and integer:
        if _IDENTIFIER.search(name) or high - low < 1.5 * counts.sum():
            return Guess("identifiers", {}, "nearly every row has a number of its own")
        note = "nearly every row has a number of its own; does it name the customer? Then list it under identifiers"
    marker = _marker(values, counts)
    rest = values if marker is None else values[values != marker]
    low, high = _with_room(float(rest.min()), float(rest.max()), integer)
    rule: dict[str, Any] = {"unit": "?", "min": _plain(low), "max": _plain(high)}
    if integer:
        rule["integer"] = True
    if marker is not None:
        share = counts[values == marker].sum() / counts.sum()
        rule["missing"] = _plain(marker)
        note = f"{marker:g} in {share:.1%} of the rows is taken for a missing value"
    if blank:
        rule["blank"] = True
    if len(values) == 1:
        note = f"every row has {values[0]:g}"
    return Guess("numeric", rule, note)


def _marker(values: np.ndarray, counts: np.ndarray) -> float | None:
    """The number that seems to stand for "no value".

    That is -1, or nines such as 999 or -99, as the least or greatest of all, in many rows, and either the only
    negative number or further from the other numbers than these are from each other.
    """
    if len(values) < 3:
        return None
    ordered = np.sort(values)
    for marker, nearest, furthest in ((ordered[0], ordered[1], ordered[-1]), (ordered[-1], ordered[-2], ordered[0])):
        digits = f"{abs(marker):.0f}"
        known = abs(marker) == float(digits) and (marker == -1 or (set(digits) == {"9"} and len(digits) > 1))
        often = counts[values == marker].sum() >= _MARKER_SHARE * counts.sum()
        apart = marker < 0 <= nearest or abs(marker - nearest) > abs(nearest - furthest)
        if known and often and apart:
            return float(marker)
    return None


def _with_room(low: float, high: float, integer: bool) -> tuple[float, float]:
    """A range with half of its width as room on both sides, in two digits; what is never negative stays so."""
    if (low, high) == (0.0, 1.0):
        return low, high
    room = (high - low) / 2 if high - low > _SMALLEST_WIDTH else max(abs(low) / 2, 1.0)
    wider = _rounded(low - room, math.floor, integer), _rounded(high + room, math.ceil, integer)
    return max(0.0 if low >= 0 else -LARGEST_NUMBER, wider[0]), min(0.0 if high < 0 else LARGEST_NUMBER, wider[1])


def _rounded(value: float, direction: Callable[[float], int], integer: bool) -> float:
    if abs(value) < _SMALLEST_WIDTH:
        return math.copysign(_SMALLEST_WIDTH, value) if value else 0.0
    exponent = math.floor(math.log10(abs(value))) - 1
    step = 10.0 ** (max(exponent, 0) if integer else exponent)
    return float(f"{direction(value / step) * step:.6g}")


def _plain(value: float) -> float | int:
    return int(value) if value.is_integer() and abs(value) < 1e15 else value


def auc_alone(column: Column, positive: np.ndarray) -> float:
    """How well one column ranks the label: the AUC on one half of the rows of positive rates counted on the other.

    Numbers are cut into bins of about as many rows each; blanks and texts are bins of their own.

    Args:
      column: number or text.
      positive: bool [rows].

    Returns:
      0.5 for a column that says nothing, and where there are too few rows to tell.
    """
    first = np.random.default_rng(0).random(len(positive)) < 0.5
    if min(np.bincount(positive[half], minlength=2).min() for half in (first, ~first)) < LEAK_ROWS:
        return 0.5
    bins = _binned(column)[column.codes]
    count = int(bins.max()) + 1
    hits, rows = _per_bin(bins[first], positive[first], count)
    rates = (hits + _PRIOR_ROWS * positive[first].mean()) / (rows + _PRIOR_ROWS)
    hits, rows = _per_bin(bins[~first], positive[~first], count)
    _, rank = np.unique(rates, return_inverse=True)
    hits, rows = np.bincount(rank, hits), np.bincount(rank, rows)
    misses = rows - hits
    below = np.cumsum(misses) - misses / 2
    return float((hits * below).sum() / (hits.sum() * misses.sum()))


def _per_bin(bins: np.ndarray, positive: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Positive rows and rows of each bin."""
    return np.bincount(bins[positive], minlength=count), np.bincount(bins, minlength=count)


def _binned(column: Column) -> np.ndarray:
    """The bin of each different cell, int [values]."""
    numbers = [number(text) for text in column.values]
    if any(value is None for value in numbers):
        return np.arange(len(numbers))
    values = np.array(numbers, float)
    each_row = values[column.codes]
    edges = np.unique(np.nanquantile(each_row, np.linspace(0, 1, _BINS + 1)[1:-1], method="nearest"))
    return np.where(np.isnan(values), len(edges) + 1, np.searchsorted(edges, values, side="right"))
