"""Calibration: from a logit to a probability, by piecewise-linear Platt scaling, and the threshold for a decision."""

from __future__ import annotations

import dataclasses

import numpy as np
import tensorflow as tf
from scipy.optimize import minimize
from scipy.special import expit

SEGMENTS = 8
"""Number of linear pieces. Each has the same share of the evaluation rows' information, see :func:`_knots`."""
SLOPE_DEVIATION = 0.2
"""Prior standard deviation of a piece's log slope around the common log slope. Of 1, 3, 4, 6 and 8 pieces with 0.2, 0.5
and 1, eight pieces with 0.2 had the lowest log loss, and six had nearly the same, on ten folds of each data set. These
folds are not those of `benchmarks.quality`."""


@dataclasses.dataclass(frozen=True)
class Calibration:
    """probability = sigmoid(f(logit)), where f is continuous, increasing and linear between two knots."""

    knots: tuple[float, ...] = ()
    """Ascending logits at which the slope changes."""
    slopes: tuple[float, ...] = (1.0,)
    """One for each piece, so one more than knots. All are positive, so the ranking of rows never changes."""
    intercept: float = 0.0
    """f(0)."""

    def apply(self, logits: np.ndarray) -> np.ndarray:
        """Probabilities, float64 [rows], of logits [rows]."""
        return expit(self._pieces(np.asarray(logits, np.float64)) @ self.slopes + self.intercept)

    def apply_tensor(self, logits: tf.Tensor) -> tf.Tensor:
        """:meth:`apply` in a graph: float32 [rows] of logits float32 [rows]."""
        return tf.sigmoid(self.calibrated(logits))

    def calibrated(self, logits: tf.Tensor) -> tf.Tensor:
        """The logits of :meth:`apply_tensor`'s probabilities: float32 [rows] of logits float32 [rows]."""
        edges, origin = self._edges.astype(np.float32), self._origin.astype(np.float32)
        pieces = tf.maximum(tf.minimum(logits[:, tf.newaxis], edges[1:]), edges[:-1]) - origin
        return tf.linalg.matvec(pieces, np.array(self.slopes, np.float32)) + self.intercept

    def _pieces(self, logits: np.ndarray) -> np.ndarray:
        """The part of the way from 0 to each logit inside each piece: [rows, pieces]; a row adds up to its logit."""
        return np.clip(logits[:, np.newaxis], self._edges[:-1], self._edges[1:]) - self._origin

    @property
    def _edges(self) -> np.ndarray:
        return np.array([-np.inf, *self.knots, np.inf])

    @property
    def _origin(self) -> np.ndarray:
        return np.clip(0.0, self._edges[:-1], self._edges[1:])


def fit(logits: np.ndarray, labels: np.ndarray) -> Calibration:
    """Fits Platt scaling (Platt 1999) with a piecewise-linear function, on rows that the network was not trained on.

    Minimises the summed log loss plus the negative log density of a normal prior: standard deviation 1 for the
    intercept and for the common log slope, SLOPE_DEVIATION for each piece's log slope around the common one. The mean
    of the prior is "already calibrated". It does not matter on many thousands of rows; on a few rows, or on rows of one
    label, it prevents extreme probabilities.

    Args:
      logits: [rows], before calibration.
      labels: 0 or 1, [rows].
    """
    logits, labels = np.asarray(logits, np.float64), np.asarray(labels, np.float64)
    initial = Calibration(_knots(logits), (1.0,) * SEGMENTS)
    pieces = initial._pieces(logits)

    def loss(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        """The objective and its gradient."""
        intercept, common, deviations = parameters[0], parameters[1], parameters[2:]
        terms = pieces * np.exp(common + deviations)
        scores = terms.sum(axis=1) + intercept
        value = np.sum(np.logaddexp(0.0, scores) - labels * scores)
        value += (intercept**2 + common**2 + np.sum((deviations / SLOPE_DEVIATION) ** 2)) / 2.0
        error = expit(scores) - labels
        slopes = error @ terms
        gradient = [error.sum() + intercept, slopes.sum() + common, *(slopes + deviations / SLOPE_DEVIATION**2)]
        return value, np.array(gradient)

    intercept, common, *deviations = minimize(loss, x0=np.zeros(SEGMENTS + 2), jac=True, method="BFGS").x
    slopes = tuple(np.exp(common + np.array(deviations)).tolist())
    return dataclasses.replace(initial, slopes=slopes, intercept=float(intercept))


def _knots(logits: np.ndarray) -> tuple[float, ...]:
    """Logits that divide the rows into parts of equal information about f, where a row's information is p (1 - p)."""
    ascending = np.sort(logits)
    information = np.cumsum(expit(ascending) * expit(-ascending))
    places = np.searchsorted(information, information[-1] * np.arange(1, SEGMENTS) / SEGMENTS)
    return tuple(ascending[places].tolist())


def best_threshold(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """The threshold with the highest F1, where a probability above it is a positive decision.

    It lies midway between two probabilities, so that rounding to float32 changes no decision. Of several best ones it
    is the highest, which needs the fewest calls.

    Args:
      labels: 0 or 1, [rows].
      probabilities: [rows].

    Returns:
      A number in [0, 1]; 0.5 where no row is positive, because F1 is then 0 for every threshold.
    """
    labels, probabilities = np.asarray(labels, np.float64), np.asarray(probabilities, np.float64)
    if not labels.sum():
        return 0.5
    values, group = np.unique(-probabilities, return_inverse=True)
    values = -values
    called = np.cumsum(np.bincount(group, minlength=len(values)))
    true_positives = np.cumsum(np.bincount(group, weights=labels, minlength=len(values)))
    best = int(np.argmax(2.0 * true_positives / (called + labels.sum())))
    following = values[best + 1] if best + 1 < len(values) else 0.0
    return float((values[best] + following) / 2.0)
