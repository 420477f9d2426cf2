"""How good probabilities are on one split."""

from __future__ import annotations

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score

from analysis.figures import Metrics

ECE_BINS = 15
_SMALLEST = 1e-7
"""The log loss clips probabilities this far from 0 and 1: a float32 step near 1 is rounding, not evidence."""


def evaluate(labels: np.ndarray, probabilities: np.ndarray, threshold: float) -> Metrics:
    """All figures of one split.

    A row is predicted positive where its probability is above the threshold; equal is not above, as in TFMA.

    Args:
      labels: 0 or 1, [rows], at least one row.
      probabilities: of label 1, [rows].
      threshold: the decision threshold, for `f1_at_threshold`; the four counts, `accuracy` and `f1` are at 0.5.

    Raises:
      ValueError: there are no rows, the lengths differ, or a value is not a label or a probability.
    """
    labels, probabilities = np.asarray(labels, np.float64), np.asarray(probabilities, np.float64)
    if labels.ndim != 1 or labels.shape != probabilities.shape or not len(labels):
        raise ValueError(f"expected labels and probabilities [rows], got {labels.shape} and {probabilities.shape}")
    if not np.isin(labels, (0.0, 1.0)).all():
        raise ValueError("labels must be 0 or 1")
    if not ((probabilities >= 0.0) & (probabilities <= 1.0)).all():
        raise ValueError("probabilities must lie in [0, 1]")
    rate = labels.mean()
    true_positives, false_positives, true_negatives, false_negatives = _counts(labels, probabilities, 0.5)
    clipped = np.clip(probabilities, _SMALLEST, 1.0 - _SMALLEST)
    return Metrics(
        accuracy=(true_positives + true_negatives) / len(labels),
        majority_accuracy=float(max(rate, 1.0 - rate)),
        auc=float(roc_auc_score(labels, probabilities)) if 0.0 < rate < 1.0 else None,
        pr_auc=float(average_precision_score(labels, probabilities)) if rate > 0.0 else None,
        log_loss=float(-np.mean(labels * np.log(clipped) + (1.0 - labels) * np.log1p(-clipped))),
        brier=float(np.mean((probabilities - labels) ** 2)),
        ece=calibration_error(labels, probabilities),
        f1=f1(labels, probabilities, 0.5),
        f1_at_threshold=f1(labels, probabilities, threshold),
        true_positives=true_positives,
        false_positives=false_positives,
        true_negatives=true_negatives,
        false_negatives=false_negatives,
        lift_top_decile=gain(labels, probabilities, 0.1) / 0.1 if rate > 0.0 else None,
        gain_top_half=gain(labels, probabilities, 0.5) if rate > 0.0 else None,
    )


def calibration_error(labels: np.ndarray, probabilities: np.ndarray, bins: int = ECE_BINS) -> float:
    """Expected calibration error: the mean over rows of |mean probability - label rate| of the row's bin.

    Bins hold equal numbers of rows, except that equal probabilities share a bin, so that the order of rows does not
    matter (Nguyen and O'Connor 2015, arXiv:1508.05154).
    """
    rows, predicted, actual = reliability(labels, probabilities, bins)
    return float(np.abs(predicted - actual) @ rows / len(labels))


def reliability(
    labels: np.ndarray, probabilities: np.ndarray, bins: int = ECE_BINS
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows, mean probability and label rate of each non-empty bin of :func:`calibration_error`, lowest first."""
    edges = np.quantile(probabilities, np.arange(1, bins) / bins, method="inverted_cdf")
    bin_of_row = np.searchsorted(edges, probabilities, side="left")
    rows = np.bincount(bin_of_row, minlength=bins)
    filled = rows > 0
    predicted, actual = (
        np.bincount(bin_of_row, weights=values, minlength=bins)[filled] / rows[filled]
        for values in (probabilities, labels)
    )
    return rows[filled], predicted, actual


def f1(labels: np.ndarray, probabilities: np.ndarray, threshold: float) -> float:
    """F1 of predicting positive above the threshold; 0 where no row is positive or predicted positive."""
    true_positives, false_positives, _, false_negatives = _counts(labels, probabilities, threshold)
    return 2 * true_positives / max(2 * true_positives + false_positives + false_negatives, 1)


def gain(labels: np.ndarray, probabilities: np.ndarray, share: float) -> float:
    """Share of all positives found among the best-scored `share` of rows."""
    return float(gains(labels, probabilities, np.array(share)))


def gains(labels: np.ndarray, probabilities: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Shares of all positives found among the best-scored `shares` of rows, of any shape.

    Rows of equal probability have no order, so the expected value over all orders is returned: the curve is straight
    across them. At least one label must be positive.
    """
    values, group = np.unique(-probabilities, return_inverse=True)
    rows = np.cumsum(np.bincount(group, minlength=len(values))) / len(labels)
    positives = np.cumsum(np.bincount(group, weights=labels, minlength=len(values))) / labels.sum()
    return np.interp(shares, np.append(0.0, rows), np.append(0.0, positives))


def _counts(labels: np.ndarray, probabilities: np.ndarray, threshold: float) -> tuple[int, int, int, int]:
    predicted, actual = probabilities > threshold, labels > 0.5
    return (
        int(np.sum(predicted & actual)),
        int(np.sum(predicted & ~actual)),
        int(np.sum(~predicted & ~actual)),
        int(np.sum(~predicted & actual)),
    )
