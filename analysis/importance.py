"""Permutation importance: how much a model's AUC falls when one column no longer belongs to its rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score

REPEATS = 5
MOST_ROWS = 20_000
"""Rows used of more: enough for a standard error of the AUC of about 0.005, and a bound on the time."""

Columns = Mapping[str, np.ndarray]


def permutation(
    score: Callable[[Columns], np.ndarray],
    columns: Columns,
    labels: np.ndarray,
    features: Sequence[str],
    seed: int,
    repeats: int = REPEATS,
    most_rows: int = MOST_ROWS,
) -> dict[str, Any]:
    """Shuffles each feature among the rows in turn and scores anew (Breiman 2001, section 10).

    Columns that say the same stand in for one another: each of them can look unimportant although both together are
    not. The same arguments give the same figures.

    Args:
      score: from raw columns to probabilities [rows].
      columns: raw columns by name, [rows] each, at least one row.
      labels: 0 or 1, [rows].
      features: names of the columns to shuffle.
      seed: of the shuffles and of the choice of rows.
      repeats: shuffles of each feature, at least 2.
      most_rows: of more rows, that many are chosen at random.

    Returns:
      rows: how many were used.
      repeats: as given.
      auc: of the unshuffled rows; None where they have one label.
      features: `name`, `auc_drop`, the mean over repeats of `auc` less the AUC with this feature shuffled, and `std`,
        their standard deviation; the most important first. Both are None, and the order that of `features`, where
        `auc` is.
    """
    generator = np.random.default_rng(seed)
    if len(labels) > most_rows:
        chosen = np.sort(generator.choice(len(labels), most_rows, replace=False))
        columns, labels = {name: columns[name][chosen] for name in features}, labels[chosen]
    found = {"rows": len(labels), "repeats": repeats}
    if len(np.unique(labels)) < 2:
        return {**found, "auc": None, "features": [{"name": name, "auc_drop": None, "std": None} for name in features]}
    auc = roc_auc_score(labels, score(columns))
    entries = []
    for name in features:
        shuffled = ({**columns, name: generator.permutation(columns[name])} for _ in range(repeats))
        drops = np.array([auc - roc_auc_score(labels, score(rows)) for rows in shuffled])
        entries.append({"name": name, "auc_drop": float(drops.mean()), "std": float(drops.std(ddof=1))})
    entries.sort(key=lambda entry: entry["auc_drop"], reverse=True)
    return {**found, "auc": float(auc), "features": entries}
