"""Bins of one column: of a number, and of a text.

A number has these bins, in this order: below the training range, the deciles of the training split, above the range,
missing. A category has one bin for each value of the training split, then unseen, then missing.
"""

from __future__ import annotations

import bisect
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

DECILES = np.arange(1, 10) / 10


@dataclass(frozen=True)
class NumberBins:
    """Bins of a number.

    Attributes:
      edges: in rising order; bin i + 1 holds edges[i] < x <= edges[i + 1]. The first and the last one bound the
        training range.
      missing: a number that stands for a missing value, as NaN always does.
    """

    edges: tuple[float, ...]
    missing: float | None = None

    @classmethod
    def fit(cls, values: np.ndarray, missing: float | None = None) -> NumberBins:
        """Bins between the deciles of the values [rows] that are not missing; fewer than ten where values are tied."""
        present = np.asarray(values, np.float32)
        present = np.sort(present[~np.isnan(present) & (present != missing)])
        if not present.size:
            return cls((0.0, 0.0), missing)
        deciles = np.quantile(present, DECILES, method="inverted_cdf")
        low, high = present[0], present[-1]
        inner = np.unique(deciles[deciles < high])
        with np.errstate(over="ignore"):
            below = np.nextafter(low, np.float32(-np.inf))
        return cls((float(below), *inner.tolist(), float(high)), missing)

    @property
    def size(self) -> int:
        return len(self.edges) + 2

    @cached_property
    def _edges(self) -> np.ndarray:
        return np.array(self.edges)

    def place(self, value: float) -> int:
        """The bin of one value."""
        if value != value or value == self.missing:
            return len(self.edges) + 1
        return bisect.bisect_left(self.edges, value)

    def index(self, values: np.ndarray) -> np.ndarray:
        """The bin of each value [rows]."""
        index = self._edges.searchsorted(values)
        missing = values != values
        if self.missing is not None:
            missing |= values == self.missing
        index[missing] = len(self.edges) + 1
        return index

    def shares(self, counts: np.ndarray) -> dict[str, float]:
        """Shares of all rows that are `missing` and `out_of_range`."""
        rows = max(counts.sum(), 1)
        return {"missing": counts[-1] / rows, "out_of_range": (counts[0] + counts[-2]) / rows}

    def clipped(self, counts: np.ndarray) -> np.ndarray:
        """Counts [bins], where rows out of range belong to the first or the last decile."""
        clipped = counts.copy()
        clipped[1] += counts[0]
        clipped[-3] += counts[-2]
        clipped[[0, -2]] = 0
        return clipped

    def comparable(self, counts: np.ndarray) -> np.ndarray:
        """The clipped counts [deciles + missing]."""
        return np.delete(self.clipped(counts), [0, -2])

    def draw(self, counts: np.ndarray, rows: int, generator: np.random.Generator) -> np.ndarray:
        """Draws values [rows], float32: the bin in proportion to its count, the value uniformly within the bin.

        The counts must have no rows out of range. Whole numbers are drawn where all edges are whole. A missing value is
        `missing`, or else NaN.
        """
        bins = generator.choice(self.size, rows, p=counts / counts.sum())
        edges = np.array([self._lowest, *self.edges[1:]])
        whole = bool((edges % 1 == 0).all())
        edges[0] -= whole  # so that the lowest whole number is drawn as often as others
        upper = np.clip(bins, 1, len(edges) - 1)
        low, high = edges[upper - 1], edges[upper]
        values = high - generator.random(rows) * (high - low)
        values = (np.ceil(values) + 0.0 if whole else values).astype(np.float32)
        values = np.where(values > low, values, high)  # where rounding left the bin
        return np.where(bins == self.size - 1, np.nan if self.missing is None else self.missing, values).astype(
            np.float32
        )

    def quantiles(self) -> list[float]:
        """The lowest value of the training split and its deciles below the highest value, each once."""
        return list(dict.fromkeys((self._lowest, *self.edges[1:-1])))

    @property
    def _lowest(self) -> float:
        """The lowest value of the training split, just above the first edge."""
        return float(np.nextafter(np.float32(self.edges[0]), np.float32(np.inf)))


@dataclass(frozen=True)
class CategoryBins:
    """Bins of a text: one for each value in the training split."""

    values: tuple[str, ...]

    @classmethod
    def fit(cls, texts: np.ndarray) -> CategoryBins:
        """One bin for each text [rows] that is not missing, sorted."""
        return cls(tuple(sorted(distinct_texts(texts) - {""})))

    @property
    def size(self) -> int:
        return len(self.values) + 2

    @cached_property
    def _places(self) -> dict[str | bytes, int]:
        texts = [*self.values, None, ""]
        places = {text: place for place, text in enumerate(texts) if text is not None}
        return places | {text.encode(): place for text, place in places.items()}

    def place(self, value: str | bytes) -> int:
        """The bin of one value; bytes are UTF-8."""
        return self._places.get(value, len(self.values))

    def index(self, values: np.ndarray) -> np.ndarray:
        """The bin of each value [rows]."""
        unseen = len(self.values)
        find = self._places.get
        return np.array([find(value, unseen) for value in values.tolist()], np.int64)

    def shares(self, counts: np.ndarray) -> dict[str, float]:
        """Shares of all rows that are `missing` and `unseen`."""
        rows = max(counts.sum(), 1)
        return {"missing": counts[-1] / rows, "unseen": counts[-2] / rows}

    def clipped(self, counts: np.ndarray) -> np.ndarray:
        """The counts [bins] themselves: unseen is a bin of its own."""
        return counts

    def comparable(self, counts: np.ndarray) -> np.ndarray:
        """The counts [values + unseen + missing] themselves."""
        return counts

    def draw(self, counts: np.ndarray, rows: int, generator: np.random.Generator) -> np.ndarray:
        """Draws values [rows], str objects, in proportion to their counts; a missing value is "", none is unseen."""
        weights = np.delete(counts, -2)
        texts = np.array([*self.values, ""], object)
        return texts[generator.choice(len(texts), rows, p=weights / weights.sum())]


Bins = NumberBins | CategoryBins


def bins_from_dict(document: Mapping[str, Any]) -> Bins:
    """Reads `dataclasses.asdict` of bins; raises KeyError or TypeError where the document is something else."""
    if "values" in document:
        return CategoryBins(tuple(document["values"]))
    return NumberBins(tuple(document["edges"]), document["missing"])


def distinct_texts(column: np.ndarray) -> set[str]:
    """The different texts of a column [rows] of str or bytes objects."""
    return {value.decode() if isinstance(value, bytes) else value for value in set(column.tolist())}
