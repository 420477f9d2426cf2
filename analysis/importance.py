"""Permutation importance: how much a model's AUC falls when the values of one column are shuffled."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.metrics import roc_auc_score

from analysis.sampling import drawn

REPEATS = 5
MOST_ROWS = 20_000
"""The standard error of the AUC of so many rows is about 0.005. The limit bounds the time."""

Columns = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class FeatureImportance:
    """The importance of one column; both figures are None where the AUC cannot be computed.

    Attributes:
      name: of the column.
      auc_drop: AUC less the AUC with this column shuffled, mean over the repeats.
      std: standard deviation of that difference over the repeats.
    """

    name: str
    auc_drop: float | None
    std: float | None


@dataclass(frozen=True)
class ImportanceResult:
    """The importance of every column.

    Attributes:
      rows: rows used.
      repeats: shuffles of each column.
      auc: of the unshuffled rows; None where all rows have one label.
      features: the most important first, or in the order of the request where `auc` is None.
    """

    rows: int
    repeats: int
    auc: float | None
    features: tuple[FeatureImportance, ...]

    @classmethod
    def from_dict(cls, document: Mapping) -> ImportanceResult:
        """Reads `dataclasses.asdict` of a result."""
        features = tuple(FeatureImportance(**feature) for feature in document["features"])
        return cls(document["rows"], document["repeats"], document["auc"], features)


def permutation(
    score: Callable[[Columns], np.ndarray],
    columns: Columns,
    labels: np.ndarray,
    features: Sequence[str],
    seed: int,
    repeats: int = REPEATS,
    most_rows: int = MOST_ROWS,
) -> ImportanceResult:
    """Shuffles each column among the rows in turn and scores the rows again (Breiman 2001, section 10).

    Correlated columns substitute for each other: each of them can look unimportant although the model needs one of
    them. The same arguments give the same figures.

    Args:
      score: from raw columns to probabilities [rows].
      columns: raw columns by name, [rows] each, at least one row.
      labels: 0 or 1, [rows].
      features: names of the columns to shuffle.
      seed: of the shuffles and of the random sample of rows.
      repeats: shuffles of each column, at least 2.
      most_rows: a random sample of this size is used where there are more rows.
    """
    generator = np.random.default_rng(seed)
    if len(labels) > most_rows:
        sample = drawn(len(labels), most_rows, generator)
        columns, labels = {name: columns[name][sample] for name in features}, labels[sample]
    if len(np.unique(labels)) < 2:
        unknown = tuple(FeatureImportance(name, None, None) for name in features)
        return ImportanceResult(len(labels), repeats, None, unknown)
    auc = float(roc_auc_score(labels, score(columns)))
    entries = []
    for name in features:
        shuffled = ({**columns, name: generator.permutation(columns[name])} for _ in range(repeats))
        drops = np.array([auc - roc_auc_score(labels, score(rows)) for rows in shuffled])
        entries.append((float(drops.mean()), float(drops.std(ddof=1)), name))
    entries.sort(key=lambda entry: -entry[0])
    ranked = tuple(FeatureImportance(name, drop, std) for drop, std, name in entries)
    return ImportanceResult(len(labels), repeats, auc, ranked)
