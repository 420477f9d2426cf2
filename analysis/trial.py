"""Two models on the same labelled calls: whether the challenger ranks and predicts them worse than the champion.

Calls of one day belong together, so the intervals are by bootstrap over calling days.
"""

from __future__ import annotations

import numpy as np

from analysis.figures import Interval
from analysis.over_time import Ranked, day_weights, months_of, within_months
from analysis.trial_result import Trial

ENOUGH = 50
"""Rows of each label that a comparison needs."""
_SMALLEST = 1e-7


def newest(labels: np.ndarray, days: np.ndarray) -> np.ndarray:
    """The rows of the newest calendar months that together have ENOUGH rows of each label.

    Args:
      labels: 0 or 1, [rows].
      days: of the calls, since 1970-01-01, [rows].

    Returns:
      Places of rows, ascending; all rows where there are not enough.
    """
    months = months_of(days)
    for month in np.unique(months)[::-1]:
        rows = np.flatnonzero(months >= month)
        if min(labels[rows].sum(), (1 - labels[rows]).sum()) >= ENOUGH:
            return rows
    return np.arange(len(labels))


def compare(labels: np.ndarray, champion: np.ndarray, challenger: np.ndarray, days: np.ndarray, seed: int = 0) -> Trial:
    """Measures two models on the same rows.

    Args:
      labels: 0 or 1, [rows], at least one row.
      champion, challenger: probabilities of label 1, [rows] each.
      days: of the calls, since 1970-01-01, [rows].
      seed: of the bootstrap.
    """
    labels = np.asarray(labels, np.float64)
    scores = [np.asarray(probabilities, np.float64) for probabilities in (champion, challenger)]
    losses = [_log_loss(labels, probabilities) for probabilities in scores]
    months = [Ranked.by_month(labels, probabilities, days) for probabilities in scores]

    def areas(weight: np.ndarray) -> list[float]:
        return [within_months(of_model, weight)[0] for of_model in months]

    found = areas(np.ones(len(labels)))
    gains, lower = [], []
    for weight in day_weights(days, seed):
        before, after = areas(weight)
        gains.append(after - before)
        lower.append(np.average(losses[0] - losses[1], weights=weight))
    measured = bool(months[0])
    return Trial(
        months=tuple(str(month) for month in np.unique(months_of(days))),
        rows=len(labels),
        positives=int(labels.sum()),
        champion_auc=found[0] if measured else None,
        challenger_auc=found[1] if measured else None,
        auc_gain=Interval.of(np.array(gains)) if measured else None,
        champion_log_loss=float(losses[0].mean()),
        challenger_log_loss=float(losses[1].mean()),
        log_loss_gain=Interval.of(np.array(lower)),
    )


def _log_loss(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    clipped = np.clip(probabilities, _SMALLEST, 1 - _SMALLEST)
    return -(labels * np.log(clipped) + (1 - labels) * np.log1p(-clipped))
