"""The distribution of rows as counts per bin: of the training split, stored with a model, and of recent rows.

    Profile           the bins of each feature and of the watched output, with the counts of the training split
    Counts            rows per bin, for any set of rows
    RollingCounts     Counts of the newest rows, for a server that gets them request by request

Only the number of rows in each bin is kept, no row itself. A number has these bins, in this order: below the training
range, the deciles of the training split, above the range, missing. A category has one bin for each value of the
training split, then unseen, then missing. The watched output of a model, the score, is a number or a category too.
"""

from __future__ import annotations

import bisect
import copy
import dataclasses
import json
import threading
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from data.errors import NotReadyError
from data.model_folder import PROFILE, ModelFolder
from data.model_spec import PURCHASE_MODEL

if TYPE_CHECKING:  # pydantic, which the contract imports, would add to the memory of the exporter
    from data.contract import Contract

DECILES = np.arange(1, 10) / 10
FEW_ROWS = 16
"""Up to this number of rows, a loop over values is faster than numpy's calls per column."""


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
        return cls(tuple(sorted(_texts(texts) - {""})))

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


class Counts:
    """Rows per bin of every feature and of the score."""

    def __init__(self, features: Mapping[str, Bins], score: Bins) -> None:
        self._bins: list[Bins] = [*features.values(), score]
        *self._starts, size = np.cumsum([0, *(bins.size for bins in self._bins)]).tolist()
        self._slices = {
            name: slice(start, start + bins.size)
            for (name, bins), start in zip(features.items(), self._starts, strict=False)
        }
        self._score = slice(size - score.size, size)
        self._sums_scores = isinstance(score, NumberBins)
        self._vector = np.zeros(size, np.int64)
        self.rows = 0
        self.score_sum = 0.0

    @classmethod
    def from_dict(cls, document: Mapping[str, Any], features: Mapping[str, Bins], score: Bins) -> Counts:
        """Reads what `to_dict` wrote.

        Raises:
          ValueError: the document is something else, or its counts are of other bins.
        """
        counts = cls(features, score)
        try:
            columns = [*(document["features"][name] for name in features), document["score"]]
            counts._vector += np.concatenate(columns, dtype=np.int64, casting="same_kind")
            counts.rows, counts.score_sum = int(document["rows"]), float(document["score_sum"])
        except (KeyError, TypeError) as error:
            raise ValueError(f"not the counts of this profile: {error}") from error
        return counts

    def feature(self, name: str) -> np.ndarray:
        """Counts [bins] of one feature."""
        return self._vector[self._slices[name]]

    @property
    def score(self) -> np.ndarray:
        """Counts [bins] of the score."""
        return self._vector[self._score]

    @property
    def mean_score(self) -> float | None:
        """Mean score of the rows; None where no row has one and where scores are texts."""
        scored = int(self.score.sum())
        return self.score_sum / scored if scored and self._sums_scores else None

    def add(self, columns: Mapping[str, np.ndarray], scores: np.ndarray | None = None) -> None:
        """Counts rows.

        Args:
          columns: each feature [rows], float32 or text as str or bytes; other columns are ignored.
          scores: of the rows [rows], if they are known: float32 or text, as the bins of the score.
        """
        values = [columns[name] for name in self._slices]
        rows = len(values[0])
        if scores is not None:
            values.append(scores)
        if scores is not None and self._sums_scores:
            self.score_sum += float(scores.sum(dtype=np.float64))
        if rows <= FEW_ROWS:
            for bins, start, column in zip(self._bins, self._starts, values, strict=False):
                for value in column.tolist():
                    self._vector[start + bins.place(value)] += 1
        else:
            index = [
                bins.index(column) + start
                for bins, start, column in zip(self._bins, self._starts, values, strict=False)
            ]
            self._vector += np.bincount(np.concatenate(index), minlength=len(self._vector))
        self.rows += rows

    def merge(self, other: Counts) -> None:
        """Adds the rows of other counts with the same bins."""
        self._vector += other._vector
        self.rows += other.rows
        self.score_sum += other.score_sum

    def clipped(self) -> Counts:
        """The same rows, where numbers out of range belong to the first or the last decile."""
        clipped = copy.copy(self)
        parts = zip(self._bins, np.split(self._vector, self._starts[1:]), strict=True)
        clipped._vector = np.concatenate([bins.clipped(counts) for bins, counts in parts])
        return clipped

    def to_dict(self) -> dict[str, Any]:
        return {
            "rows": self.rows,
            "score_sum": self.score_sum,
            "features": {name: self.feature(name).tolist() for name in self._slices},
            "score": self.score.tolist(),
        }


@dataclass(frozen=True)
class Profile:
    """The bins of each feature and of the watched output, with the training split's counts.

    Attributes:
      contract: name of the data contract.
      output: name of the model's output that is watched.
      features: bins by feature name.
      score: bins of the output.
      reference: counts of the training split.
    """

    contract: str
    output: str
    features: dict[str, Bins]
    score: Bins
    reference: Counts

    def counts(self) -> Counts:
        """Empty counts with these bins."""
        return Counts(self.features, self.score)

    def recounted(self, batches: Iterable[tuple[Mapping[str, np.ndarray], np.ndarray]]) -> Profile:
        """The same bins with other counts, for bins of a sample and a training split that does not fit into memory.

        Args:
          batches: columns and scores of the training split in parts, each as `build` takes them. Numbers out of the
            sample's range are counted in the first or the last decile; texts that the sample lacks as unseen.
        """
        counts = self.counts()
        for columns, scores in batches:
            counts.add(columns, scores)
        return dataclasses.replace(self, reference=counts.clipped())

    def draw(self, rows: int, generator: np.random.Generator) -> dict[str, np.ndarray]:
        """Draws each feature [rows] from its counts in the training split, independently of the other features."""
        return {name: bins.draw(self.reference.feature(name), rows, generator) for name, bins in self.features.items()}

    def to_dict(self) -> dict[str, Any]:
        return {
            "contract": self.contract,
            "output": self.output,
            "features": {name: dataclasses.asdict(bins) for name, bins in self.features.items()},
            "score": dataclasses.asdict(self.score),
            "reference": self.reference.to_dict(),
        }

    def to_json(self) -> str:
        return json.dumps(self.to_dict())

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Profile:
        """Reads what `to_dict` wrote; raises ValueError where the document is something else.

        A document without `output` is the profile of a purchase model, which were the only ones.
        """
        try:
            features = {name: _bins(bins) for name, bins in document["features"].items()}
            score = _bins(document["score"])
            reference = Counts.from_dict(document["reference"], features, score)
            output = document.get("output", PURCHASE_MODEL.score)
            return cls(document["contract"], output, features, score, reference)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not a reference profile: {error}") from error

    @classmethod
    def from_json(cls, text: str | bytes) -> Profile:
        """Reads what `to_json` wrote; raises ValueError where the text is something else."""
        return cls.from_dict(json.loads(text))

    @classmethod
    def of_version(cls, folder: ModelFolder) -> Profile:
        """The reference profile of a model version.

        Raises:
          NotReadyError: the version has no profile, or one that cannot be read.
        """
        try:
            return cls.from_json(folder.extra(PROFILE).read_bytes())
        except (OSError, ValueError) as error:
            raise NotReadyError(f"{folder.path}: the version has no reference profile; push the model again") from error


def build(
    columns: Mapping[str, np.ndarray],
    scores: np.ndarray,
    contract: Contract,
    features: Sequence[str],
    output: str,
    values: Sequence[str] | None = None,
) -> Profile:
    """The profile of a split.

    Args:
      columns: the features and maybe others, each [rows]: float32 with NaN for a missing value, or text (str or bytes)
        with "" for it.
      scores: the watched output of the model [rows]: float32 or text.
      contract: of the rows; it says which features are numbers and what marks a missing one.
      features: names of the columns to profile.
      output: name of the watched output.
      values: the texts that the output can be, in the order of the bins, so that a text without rows has a bin too;
        None for those in `scores`, sorted.
    """
    bins: dict[str, Bins] = {}
    for name in features:
        if name in contract.numeric:
            bins[name] = NumberBins.fit(columns[name], contract.numeric[name].missing)
        else:
            present = _texts(columns[name])
            bins[name] = CategoryBins(tuple(value for value in contract.categorical[name].values if value in present))
    score: Bins
    if values is not None:
        score = CategoryBins(tuple(values))
    else:
        score = CategoryBins.fit(scores) if scores.dtype.kind in "OSU" else NumberBins.fit(scores)
    reference = Counts(bins, score)
    reference.add(columns, scores)
    return Profile(contract.name, output, bins, score, reference)


class RollingCounts:
    """Counts of the newest rows; several threads may add rows.

    Rows are counted in buckets. When the newest bucket is full, a new one replaces the oldest. The window is limited by
    rows, not by time, so that a comparison has the same statistical power by day and by night. Of a list that is longer
    than a bucket only every k-th row is counted, so that one list neither fills the window nor takes much time.

    Args:
      profile: whose bins to use.
      bucket_rows: number of rows at which a bucket is full.
      buckets: number of buckets, with the newest one.
    """

    def __init__(self, profile: Profile, bucket_rows: int = 250, buckets: int = 20) -> None:
        self._profile = profile
        self._bucket_rows = bucket_rows
        self._buckets = deque([profile.counts()], maxlen=buckets)
        self._lock = threading.Lock()

    def add(self, columns: Mapping[str, np.ndarray], scores: np.ndarray) -> None:
        """Counts rows, see `Counts.add`."""
        step = -(-len(scores) // self._bucket_rows)
        if step > 1:
            columns = {name: columns[name][::step] for name in self._profile.features}
            scores = scores[::step]
        with self._lock:
            if self._buckets[-1].rows >= self._bucket_rows:
                self._buckets.append(self._profile.counts())
            self._buckets[-1].add(columns, scores)

    def total(self) -> Counts:
        """Counts of the whole window."""
        total = self._profile.counts()
        with self._lock:
            for bucket in self._buckets:
                total.merge(bucket)
        return total


def _texts(column: np.ndarray) -> set[str]:
    return {value.decode() if isinstance(value, bytes) else value for value in set(column.tolist())}


def _bins(document: Mapping[str, Any]) -> Bins:
    if "values" in document:
        return CategoryBins(tuple(document["values"]))
    return NumberBins(tuple(document["edges"]), document["missing"])
