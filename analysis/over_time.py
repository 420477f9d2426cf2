"""How well models of the past ranked the calls that came next: figures over calendar months, with intervals.

A list is worked through month by month, so the ranking inside each month counts. Over all months together, AUC also
rewards a model that knows only in which months customers buy.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from analysis.metrics import calibration_error, evaluate

FEWEST = 5
"""Of each label, in a month whose ranking is measured."""
RESAMPLES = 500
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Interval:
    """A 95 % interval."""

    low: float
    high: float

    @classmethod
    def of(cls, drawn: np.ndarray) -> Interval:
        """The interval of a figure from its values in the resamples, [resamples]; NaN is no value."""
        low, high = np.nanquantile(drawn, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
        return cls(float(low), float(high))


@dataclass(frozen=True)
class OverTime:
    """Figures over the months of a period; None is a figure that cannot be computed.

    Attributes:
      rows, months: that were scored.
      within_month_auc: AUC inside each month, the mean over months weighted by their rows. Months with fewer than
        FEWEST rows of a label are left out.
      better_half_share: share of the positive rows of these months that are in the better half of their month's list.
      pooled_auc: AUC over all months together; it mixes the ranking with the months' base rates.
      log_loss, ece: see `analysis.figures.Metrics`.
      profit: euros that calling each customer with a probability above cost / margin earns.
      within_month_auc_interval, better_half_share_interval, pooled_auc_interval: by bootstrap over calling days.
    """

    rows: int
    months: int
    within_month_auc: float | None
    better_half_share: float | None
    pooled_auc: float | None
    log_loss: float
    ece: float
    profit: float
    within_month_auc_interval: Interval | None = None
    better_half_share_interval: Interval | None = None
    pooled_auc_interval: Interval | None = None


def measure(
    labels: np.ndarray,
    probabilities: np.ndarray,
    days: np.ndarray,
    cost: float,
    margin: float,
    seed: int = 0,
) -> OverTime:
    """The figures of scored rows.

    Args:
      labels: 0 or 1, [rows], at least one row.
      probabilities: of label 1, [rows].
      days: of the calls, since 1970-01-01, [rows]; the bootstrap draws days.
      cost: of a call, in euros.
      margin: of a positive row before the cost of its call, in euros.
      seed: of the bootstrap.
    """
    labels, probabilities = np.asarray(labels, np.float64), np.asarray(probabilities, np.float64)
    pooled = evaluate(labels, probabilities, 0.5)
    called = probabilities * margin > cost
    months = months_of(days)
    parts = [rows for month in np.unique(months) if measurable(labels[rows := np.flatnonzero(months == month)])]
    weights = day_weights(days, seed)
    drawn = np.array([_figures(labels, probabilities, parts, weight) for weight in weights])
    found = _figures(labels, probabilities, parts, np.ones(len(labels)))

    def figure(place: int) -> tuple[float | None, Interval | None]:
        if not np.isfinite(found[place]):
            return None, None
        return float(found[place]), Interval.of(drawn[:, place])

    (within, within_interval), (half, half_interval), (_, pooled_interval) = map(figure, range(3))
    return OverTime(
        rows=len(labels),
        months=len(np.unique(months)),
        within_month_auc=within,
        better_half_share=half,
        pooled_auc=pooled.auc,
        log_loss=pooled.log_loss,
        ece=calibration_error(labels, probabilities),
        profit=float(margin * labels[called].sum() - cost * np.count_nonzero(called)),
        within_month_auc_interval=within_interval,
        better_half_share_interval=half_interval,
        pooled_auc_interval=pooled_interval if pooled.auc is not None else None,
    )


def months_of(days: np.ndarray) -> np.ndarray:
    """The calendar months of days since 1970-01-01, datetime64[M] [rows]."""
    return np.asarray(days, np.int64).astype("datetime64[D]").astype("datetime64[M]")


def measurable(labels: np.ndarray) -> bool:
    """Whether rows have enough of both labels for their ranking to be measured."""
    return min(labels.sum(), (1 - labels).sum()) >= FEWEST


def day_weights(days: np.ndarray, seed: int) -> Iterator[np.ndarray]:
    """For each resample how often each row is in it: as many days are drawn, with replacement, as there are."""
    _, places = np.unique(days, return_inverse=True)
    count = int(places.max()) + 1
    generator = np.random.default_rng(seed)
    for _ in range(RESAMPLES):
        yield np.bincount(generator.integers(count, size=count), minlength=count)[places].astype(np.float64)


def _figures(
    labels: np.ndarray, probabilities: np.ndarray, parts: list[np.ndarray], weight: np.ndarray
) -> tuple[float, float, float]:
    """Within-month AUC, share of the better half and pooled AUC of weighted rows; NaN where there is none."""
    total = areas = found = positives = 0.0
    for rows in parts:
        area, share = ranking(labels[rows], probabilities[rows], weight[rows])
        if np.isfinite(area):
            of_month = float(labels[rows] @ weight[rows])
            total, areas = total + weight[rows].sum(), areas + area * weight[rows].sum()
            positives, found = positives + of_month, found + share * of_month
    pooled, _ = ranking(labels, probabilities, weight)
    return (areas / total, found / positives, pooled) if total else (np.nan, np.nan, pooled)


def ranking(labels: np.ndarray, probabilities: np.ndarray, weight: np.ndarray) -> tuple[float, float]:
    """AUC of weighted rows, and the share of the positive ones in the better half; rows of equal score share a rank."""
    _, place = np.unique(-probabilities, return_inverse=True)
    positive = np.bincount(place, weights=weight * labels)
    negative = np.bincount(place, weights=weight * (1 - labels))
    if not positive.sum() or not negative.sum():
        return np.nan, np.nan
    worse = negative.sum() - np.cumsum(negative) + negative / 2
    area = float(positive @ worse / (positive.sum() * negative.sum()))
    rows = np.cumsum(positive + negative)
    half = np.interp(rows[-1] / 2, np.append(0.0, rows), np.append(0.0, np.cumsum(positive)))
    return area, float(half / positive.sum())
