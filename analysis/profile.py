"""The distribution of rows as counts per bin: of the training split, stored with a model, and of recent rows.

    Profile           the bins of each feature and of the watched output, with the counts of the training split
    Counts            rows per bin, for any set of rows
    RollingCounts     Counts of the newest rows, for a server that gets them request by request

Only the number of rows in each bin is kept, no row itself. The watched output of a model is called its score, whether
it is a number or a text.
"""

from __future__ import annotations

import copy
import dataclasses
import json
import threading
from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.bins import Bins, CategoryBins, NumberBins, bins_from_dict, distinct_texts
from data.errors import NotReadyError
from data.model_folder import PROFILE, ModelFolder
from data.model_spec import PURCHASE_MODEL

if TYPE_CHECKING:  # pydantic, which the contract imports, would add to the memory of the exporter
    from data.contract import Contract

FEW_ROWS = 16
"""Up to this number of rows, a loop over values is faster than numpy's calls per column."""


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

    def add_by_column(self, columns: Mapping[str, np.ndarray], scores: np.ndarray) -> None:
        """Counts rows as `add` does, with one column after the other, so that many rows take little memory."""
        parts = np.split(self._vector, self._starts[1:])
        for bins, part, name in zip(self._bins, parts, [*self._slices, None], strict=True):
            part += np.bincount(bins.index(scores if name is None else columns[name]), minlength=bins.size)
        if self._sums_scores:
            self.score_sum += float(scores.sum(dtype=np.float64))
        self.rows += len(scores)

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

    def without(self, names: Collection[str]) -> Profile:
        """The profile without some features, for rows that lack their columns."""
        features = {name: bins for name, bins in self.features.items() if name not in names}
        reference = Counts.from_dict(self.reference.to_dict(), features, self.score)
        return dataclasses.replace(self, features=features, reference=reference)

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
            features = {name: bins_from_dict(bins) for name, bins in document["features"].items()}
            score = bins_from_dict(document["score"])
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
            present = distinct_texts(columns[name])
            bins[name] = CategoryBins(tuple(value for value in contract.categorical[name].values if value in present))
    score: Bins
    if values is not None:
        score = CategoryBins(tuple(values))
    else:
        score = CategoryBins.fit(scores) if scores.dtype.kind in "OSU" else NumberBins.fit(scores)
    reference = Counts(bins, score)
    reference.add_by_column(columns, scores)
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
