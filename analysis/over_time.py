"""How well models of the past ranked the calls that came next: figures over calendar months, with intervals.

A list is worked through month by month, so the ranking inside each month counts. Over all months together, AUC also
rewards a model that knows only in which months customers buy.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np

from analysis.figures import Interval, OverTime
from analysis.metrics import evaluate

FEWEST = 5
"""Of each label, in a month whose ranking is measured."""
FEWEST_DAYS = 5
"""Below which the bootstrap draws rows instead of days."""
RESAMPLES = 500


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
    months, period = (
        Ranked.by_month(labels, probabilities, days),
        Ranked.of(labels, probabilities, np.arange(len(labels))),
    )

    def figures(weight: np.ndarray) -> tuple[float, float, float]:
        return *within_months(months, weight), period.measure(weight)[0]

    found = figures(np.ones(len(labels)))
    drawn = np.array([figures(weight) for weight in day_weights(days, seed)])

    def figure(place: int) -> tuple[float | None, Interval | None]:
        if not np.isfinite(found[place]):
            return None, None
        return float(found[place]), Interval.of(drawn[:, place])

    (within, within_interval), (half, half_interval), (_, pooled_interval) = map(figure, range(3))
    return OverTime(
        rows=len(labels),
        months=len(np.unique(months_of(days))),
        within_month_auc=within,
        better_half_share=half,
        pooled_auc=pooled.auc,
        log_loss=pooled.log_loss,
        ece=pooled.ece,
        profit=float(margin * labels[called].sum() - cost * np.count_nonzero(called)),
        within_month_auc_interval=within_interval,
        better_half_share_interval=half_interval,
        pooled_auc_interval=pooled_interval if pooled.auc is not None else None,
    )


def mean(figures: Sequence[OverTime]) -> OverTime:
    """The mean of each figure, and of each end of its interval, over the same rows scored by several models."""

    def of(values: Sequence[Any]) -> Any:
        if any(value is None for value in values):
            return None
        if isinstance(values[0], Interval):
            return Interval(fmean(value.low for value in values), fmean(value.high for value in values))
        return values[0] if isinstance(values[0], int) else fmean(values)

    names = [field.name for field in dataclasses.fields(OverTime)]
    return OverTime(**{name: of([getattr(entry, name) for entry in figures]) for name in names})


def months_of(days: np.ndarray) -> np.ndarray:
    """The calendar months of days since 1970-01-01, datetime64[M] [rows]."""
    return np.asarray(days, np.int64).astype("datetime64[D]").astype("datetime64[M]")


def measurable(labels: np.ndarray) -> bool:
    """Whether rows have enough of both labels for their ranking to be measured."""
    return min(labels.sum(), (1 - labels).sum()) >= FEWEST


def auc(labels: np.ndarray, probabilities: np.ndarray) -> float | None:
    """AUC of the rows of a month; None where they are not :func:`measurable`."""
    return ranking(labels, ranks(probabilities), np.ones(len(labels)))[0] if measurable(labels) else None


def day_weights(days: np.ndarray, seed: int) -> Iterator[np.ndarray]:
    """For each resample how often each row is in it: as many days are drawn, with replacement, as there are.

    Where there are fewer than FEWEST_DAYS, rows are drawn: so few days would hide how much the figures vary.
    """
    _, places = np.unique(days, return_inverse=True)
    count = int(places.max()) + 1
    if count < FEWEST_DAYS:
        places, count = np.arange(len(days)), len(days)
    generator = np.random.default_rng(seed)
    for _ in range(RESAMPLES):
        yield np.bincount(generator.integers(count, size=count), minlength=count)[places].astype(np.float64)


def ranks(probabilities: np.ndarray) -> np.ndarray:
    """The place of each row, from 0 for the best-scored; rows of equal score share one."""
    return np.unique(-probabilities, return_inverse=True)[1]


def ranking(labels: np.ndarray, places: np.ndarray, weight: np.ndarray) -> tuple[float, float]:
    """AUC of weighted rows, and the share of the positive ones in the better half.

    Args:
      labels: 0 or 1, [rows].
      places: from :func:`ranks`, [rows].
      weight: how often each row counts, [rows].

    Returns:
      Both figures; NaN where the weighted rows have one label.
    """
    positive = np.bincount(places, weights=weight * labels)
    negative = np.bincount(places, weights=weight * (1 - labels))
    if not positive.sum() or not negative.sum():
        return np.nan, np.nan
    worse = negative.sum() - np.cumsum(negative) + negative / 2
    area = float(positive @ worse / (positive.sum() * negative.sum()))
    rows = np.cumsum(positive + negative)
    half = np.interp(rows[-1] / 2, np.append(0.0, rows), np.append(0.0, np.cumsum(positive)))
    return area, float(half / positive.sum())


@dataclass(frozen=True)
class Ranked:
    """Scored rows, such as those of a month, whose ranking is measured in each resample.

    Attributes:
      rows: their places among all rows.
      labels: 0 or 1.
      ranks: from :func:`ranks`.
    """

    rows: np.ndarray
    labels: np.ndarray
    ranks: np.ndarray

    @classmethod
    def of(cls, labels: np.ndarray, probabilities: np.ndarray, rows: np.ndarray) -> Ranked:
        """Some of all labels and probabilities."""
        return cls(rows, labels[rows], ranks(probabilities[rows]))

    @classmethod
    def by_month(cls, labels: np.ndarray, probabilities: np.ndarray, days: np.ndarray) -> list[Ranked]:
        """The months that are :func:`measurable`, oldest first."""
        months = months_of(days)
        parts = (np.flatnonzero(months == month) for month in np.unique(months))
        return [cls.of(labels, probabilities, rows) for rows in parts if measurable(labels[rows])]

    def measure(self, weight: np.ndarray) -> tuple[float, float]:
        """As :func:`ranking`; the weight is that of all rows."""
        return ranking(self.labels, self.ranks, weight[self.rows])


def within_months(months: Sequence[Ranked], weight: np.ndarray) -> tuple[float, float]:
    """AUC inside each month, the mean weighted by rows, and the share of the positive rows in the better halves.

    Args:
      months: from :meth:`Ranked.by_month`.
      weight: how often each of all rows counts, [all rows].

    Returns:
      Both figures; NaN where no month has weighted rows of both labels.
    """
    total = areas = found = positives = 0.0
    for month in months:
        area, share = month.measure(weight)
        if np.isfinite(area):
            rows, of_month = float(weight[month.rows].sum()), float(month.labels @ weight[month.rows])
            total, areas = total + rows, areas + area * rows
            positives, found = positives + of_month, found + share * of_month
    return (areas / total, found / positives) if total else (np.nan, np.nan)
