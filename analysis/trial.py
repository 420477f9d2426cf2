"""Two models on the same labelled calls: whether the challenger ranks and predicts them worse than the champion.

Calls of one day belong together, so the intervals are by bootstrap over calling days.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.over_time import Interval, day_weights, measurable, months_of, ranking

ENOUGH = 50
"""Rows of each label that a comparison needs."""
_SMALLEST = 1e-7


@dataclass(frozen=True)
class Trial:
    """The figures of two models on the same rows.

    Attributes:
      months: the calendar months of the rows, such as `2009-03`, oldest first.
      rows, positives: number of rows, and of those with label 1.
      champion_auc, challenger_auc: within-month AUC; None where no month has enough rows of both labels.
      auc_gain: of the challenger over the champion, an interval; None likewise.
      champion_log_loss, challenger_log_loss: mean log loss.
      log_loss_gain: by how much the challenger's log loss is lower, an interval.
    """

    months: tuple[str, ...]
    rows: int
    positives: int
    champion_auc: float | None
    challenger_auc: float | None
    auc_gain: Interval | None
    champion_log_loss: float
    challenger_log_loss: float
    log_loss_gain: Interval

    @property
    def faults(self) -> tuple[str, ...]:
        """In what the challenger is worse than the champion beyond chance, in words; empty where in nothing."""
        where = self.months[0] if len(self.months) == 1 else f"{self.months[0]} to {self.months[-1]}"
        found = []
        if self.auc_gain is not None and self.auc_gain.high < 0:
            found.append(
                f"on {where} its within-month AUC is {self.challenger_auc:.3f} against {self.champion_auc:.3f} "
                f"(gain {self.auc_gain.low:+.3f} to {self.auc_gain.high:+.3f})"
            )
        if self.log_loss_gain.high < 0:
            found.append(
                f"on {where} its log loss is {self.challenger_log_loss:.3f} against {self.champion_log_loss:.3f}"
            )
        return tuple(found)


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
    months = months_of(days)
    parts = [rows for month in np.unique(months) if measurable(labels[rows := np.flatnonzero(months == month)])]
    losses = [_log_loss(labels, np.asarray(scores, np.float64)) for scores in (champion, challenger)]

    def within(scores: np.ndarray, weight: np.ndarray) -> float:
        """Within-month AUC of weighted rows; NaN where there is none."""
        areas = rows = 0.0
        for part in parts:
            area, _ = ranking(labels[part], scores[part], weight[part])
            if np.isfinite(area):
                areas, rows = areas + area * weight[part].sum(), rows + weight[part].sum()
        return areas / rows if rows else np.nan

    gains = []
    for weight in day_weights(days, seed):
        lower = float(np.average(losses[0] - losses[1], weights=weight))
        gains.append((within(challenger, weight) - within(champion, weight), lower))
    ones = np.ones(len(labels))
    champion_auc, challenger_auc = within(champion, ones), within(challenger, ones)
    areas, lower_losses = np.array(gains).T
    return Trial(
        months=tuple(str(month) for month in np.unique(months)),
        rows=len(labels),
        positives=int(labels.sum()),
        champion_auc=champion_auc if parts else None,
        challenger_auc=challenger_auc if parts else None,
        auc_gain=Interval.of(areas) if parts else None,
        champion_log_loss=float(losses[0].mean()),
        challenger_log_loss=float(losses[1].mean()),
        log_loss_gain=Interval.of(lower_losses),
    )


def _log_loss(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    clipped = np.clip(probabilities, _SMALLEST, 1 - _SMALLEST)
    return -(labels * np.log(clipped) + (1 - labels) * np.log1p(-clipped))
