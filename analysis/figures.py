"""How good probabilities are on one split, as plain numbers. Imports nothing, so that the exporter may read them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

CONFIDENCE = 0.95
COST, MARGIN = 10.0, 100.0
"""Defaults, in euros: the cost of a call, and what a positive row brings before the cost of its call."""


@dataclass(frozen=True)
class Metrics:
    """The figures of one split, see `analysis.metrics.evaluate`; None is a figure that cannot be computed.

    Attributes:
      accuracy: share of rows on the right side of 0.5.
      majority_accuracy: accuracy of always predicting the more frequent label.
      auc: area under the ROC curve; None where all rows have one label.
      pr_auc: average precision; None where no row is positive.
      log_loss: -mean(y log p + (1 - y) log(1 - p)), in nats.
      brier: mean((p - y)^2).
      ece: expected calibration error over bins of equal size.
      f1, f1_at_threshold: 2 TP / (2 TP + FP + FN) at 0.5 and at the model's threshold, 0 where that is 0 / 0.
      true_positives, false_positives, true_negatives, false_negatives: rows, at 0.5.
      lift_top_decile: label rate among the best-scored tenth over that of all rows; None where no row is positive.
      gain_top_half: share of all positives in the best-scored half; None where no row is positive.
    """

    accuracy: float
    majority_accuracy: float
    auc: float | None
    pr_auc: float | None
    log_loss: float
    brier: float
    ece: float
    f1: float
    f1_at_threshold: float
    true_positives: int
    false_positives: int
    true_negatives: int
    false_negatives: int
    lift_top_decile: float | None
    gain_top_half: float | None


@dataclass(frozen=True)
class Interval:
    """A 95 % interval."""

    low: float
    high: float

    @classmethod
    def of(cls, drawn: np.ndarray) -> Interval:
        """The interval of a figure from its values in the resamples, [resamples]; NaN is no value."""
        import numpy as np

        low, high = np.nanquantile(drawn, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
        return cls(float(low), float(high))


@dataclass(frozen=True)
class OverTime:
    """Figures over the months of a period; None is a figure that cannot be computed.

    Attributes:
      rows, months: that were scored.
      within_month_auc: AUC inside each month, the mean over months weighted by their rows. Months with fewer than
        `analysis.over_time.FEWEST` rows of a label are left out.
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
