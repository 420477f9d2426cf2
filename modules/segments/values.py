"""Divides the customers by the values of a column: categories as they are, numbers into ranges."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from data.contract import Contract
from data.contract_columns import Numeric
from modules.segments import words

MOST_DISTINCT = 8
"""A number with so few different values is divided into them, not into ranges."""
QUARTERS = 4
SPIKE = 0.2
"""A lowest or highest number with this share of the customers is a value of its own, as 0 often is."""


@dataclass(frozen=True)
class Values:
    """The customers by the values of a column.

    Attributes:
      column: of the contract.
      texts: of the values that occur, in words, in their order; a missing value comes last.
      codes: for each customer the index of its value in `texts`, int [rows].
      ordered: whether the values rise, apart from a missing one.
      missing: whether the last value is "missing".
      edges: of a number's ranges (edges[i], edges[i + 1]]; both are one number for a range of a single number; empty
        for categories.
    """

    column: str
    texts: tuple[str, ...]
    codes: np.ndarray
    ordered: bool
    missing: bool
    edges: tuple[tuple[float, float], ...] = ()

    def counts(self, rows: np.ndarray | None = None) -> np.ndarray:
        """How many customers have each value: int [values], of all or of those that `rows` picks."""
        return np.bincount(self.codes if rows is None else self.codes[rows], minlength=len(self.texts))


def divide(raw: Mapping[str, np.ndarray], column: str, contract: Contract, parts: int | None = None) -> Values:
    """Divides the customers by the values of a column.

    Args:
      raw: raw columns, [rows] each; see `modules.examples.read_raw`.
      column: one of them, with or without a row.
      contract: gives types, the order of categories and the bands of numbers.
      parts: into about how many ranges, with equally many customers, a number is divided; None for the bands of the
        contract, or quarters where it has none.
    """
    if column in contract.numeric:
        return _numbers(numbers(raw, column, contract), column, contract.numeric[column], parts)
    rules = contract.categorical[column]
    found, codes = np.unique(raw[column].astype(bytes), return_inverse=True)
    texts = [text.decode("utf-8", "replace") for text in found.tolist()]
    place = {text: index for index, text in enumerate(rules.values)}
    order = sorted(range(len(texts)), key=lambda i: (texts[i] == "", place.get(texts[i], len(place)), texts[i]))
    rank = np.empty(len(texts), int)
    rank[order] = np.arange(len(texts))
    missing = "" in texts
    ordered = rules.ordered and all(text in place for text in texts if text)
    return Values(column, tuple(texts[i] or words.MISSING for i in order), rank[codes], ordered, missing)


def numbers(raw: Mapping[str, np.ndarray], column: str, contract: Contract) -> np.ndarray:
    """The numbers of a column, float64 [rows], NaN where missing, the contract's marker included."""
    values = raw[column].astype(np.float64)
    marker = contract.numeric[column].missing
    return values if marker is None else np.where(values == np.float32(marker), np.nan, values)


def _numbers(values: np.ndarray, column: str, rules: Numeric, parts: int | None) -> Values:
    absent = np.isnan(values)
    present = np.sort(values[~absent])
    bounds = _bounds(present, rules, parts) if present.size else np.empty(0)
    codes = np.searchsorted(bounds, values, side="left")
    filled = np.unique(codes[~absent])
    edges = []
    for code in filled.tolist():
        inside = values[(codes == code) & ~absent]
        low = bounds[code - 1] if code else -np.inf
        high = bounds[code] if code < len(bounds) else np.inf
        single = float(inside[0]) if inside.min() == inside.max() else None
        edges.append((float(low), float(high)) if single is None else (single, single))
    texts = [words.amount(low, rules) if low == high else words.between(low, high, rules) for low, high in edges]
    codes = np.searchsorted(filled, codes)
    codes[absent] = len(texts)
    missing = bool(absent.any())
    return Values(column, (*texts, *[words.MISSING] * missing), codes, True, missing, tuple(edges))


def _bounds(present: np.ndarray, rules: Numeric, parts: int | None) -> np.ndarray:
    """Inner bounds of the ranges of numbers that are sorted; a range includes its upper bound."""
    distinct = np.unique(present)
    if len(distinct) <= MOST_DISTINCT:
        return distinct[:-1]
    lowest, highest = np.mean(present == present[0]) >= SPIKE, np.mean(present == present[-1]) >= SPIKE
    ends = [*distinct[:1][[lowest]], *distinct[-2:-1][[highest]]]
    if rules.bands and parts is None:
        inner = [band - rules.integer for band in rules.bands]  # a band of the contract includes its lower bound
    else:
        rest = present[(present > distinct[0]) | (not lowest)]
        rest = rest[(rest < distinct[-1]) | (not highest)]
        parts = parts or QUARTERS
        quantiles = np.quantile(rest, np.arange(1, parts) / parts, method="inverted_cdf")
        inner = [float(f"{bound:.2g}") for bound in quantiles]
    top = distinct[-2] if highest else distinct[-1]
    return np.unique([*ends, *(bound for bound in inner if distinct[0] < bound < top)])
