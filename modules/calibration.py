"""From the network's logit to a probability one can count on, and from that to a decision."""

from __future__ import annotations

import dataclasses

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit


@dataclasses.dataclass(frozen=True)
class Calibration:
    """probability = sigmoid(slope * logit + intercept)."""

    slope: float = 1.0
    intercept: float = 0.0

    def apply(self, logits: np.ndarray) -> np.ndarray:
        """Probabilities float64 of logits, any shape."""
        return expit(self.slope * np.asarray(logits, np.float64) + self.intercept)


def fit(logits: np.ndarray, labels: np.ndarray) -> Calibration:
    """Platt scaling (Platt 1999) on rows the network was not trained on.

    Minimises the summed log loss plus (log(slope)^2 + intercept^2) / 2, a standard normal prior around "already
    calibrated": without weight on thousands of rows, and what keeps a handful of rows, or rows of one label, from
    giving extreme probabilities. The slope is positive, so the ranking never changes.

    Args:
      logits: [rows], before calibration.
      labels: 0 or 1, [rows].
    """
    logits, labels = np.asarray(logits, np.float64), np.asarray(labels, np.float64)

    def loss(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        log_slope, intercept = parameters
        scaled = np.exp(log_slope) * logits
        scores = scaled + intercept
        value = np.sum(np.logaddexp(0.0, scores) - labels * scores) + (log_slope**2 + intercept**2) / 2.0
        error = expit(scores) - labels
        return value, np.array([error @ scaled + log_slope, error.sum() + intercept])

    log_slope, intercept = minimize(loss, x0=(0.0, 0.0), jac=True, method="BFGS").x
    return Calibration(float(np.exp(log_slope)), float(intercept))


def best_threshold(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """The threshold whose decisions (probability above it) have the highest F1.

    It lies midway between two probabilities, so that rounding to float32 changes no decision; of equally good ones the
    highest is taken, which asks for the fewest calls.

    Args:
      labels: 0 or 1, [rows].
      probabilities: [rows].

    Returns:
      A number in [0, 1]; 0.5 where no row is positive, as F1 is then 0 everywhere.
    """
    labels, probabilities = np.asarray(labels, np.float64), np.asarray(probabilities, np.float64)
    if not labels.sum():
        return 0.5
    values, group = np.unique(-probabilities, return_inverse=True)
    values = -values
    called = np.cumsum(np.bincount(group, minlength=len(values)))
    found = np.cumsum(np.bincount(group, weights=labels, minlength=len(values)))
    best = int(np.argmax(2.0 * found / (called + labels.sum())))
    following = values[best + 1] if best + 1 < len(values) else 0.0
    return float((values[best] + following) / 2.0)
