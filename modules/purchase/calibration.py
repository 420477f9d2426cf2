"""From the network's logit to a probability one can count on, and from that to a decision."""

from __future__ import annotations

import dataclasses

import numpy as np
import tensorflow as tf
from scipy.optimize import minimize
from scipy.special import expit

SEGMENTS = 8
"""Pieces of the line, with equal shares of the information that eval rows have about it."""
BEND = 0.2
"""Prior standard deviation of a piece's log slope around that of the whole line. Of 1, 3, 4, 6 and
8 pieces with 0.2, 0.5 and 1, eight with 0.2 had the lowest log loss, six nearly as low, on ten folds of each data set,
which are not those of `benchmarks.quality`."""


@dataclasses.dataclass(frozen=True)
class Calibration:
    """probability = sigmoid(line(logit)), where the line rises piecewise: with a slope of its own between two knots."""

    knots: tuple[float, ...] = ()
    """Rising logits at which the slope changes."""
    slopes: tuple[float, ...] = (1.0,)
    """One more than knots, all positive, so that the ranking never changes."""
    intercept: float = 0.0
    """The line's value at logit 0."""

    def apply(self, logits: np.ndarray) -> np.ndarray:
        """Probabilities float64 of logits [rows]."""
        return expit(self._pieces(np.asarray(logits, np.float64)) @ self.slopes + self.intercept)

    def apply_tensor(self, logits: tf.Tensor) -> tf.Tensor:
        """The same in a graph: float32 [rows] of logits float32 [rows]."""
        edges, origin = np.float32(self._edges), np.float32(self._origin)
        pieces = tf.maximum(tf.minimum(logits[:, tf.newaxis], edges[1:]), edges[:-1]) - origin
        return tf.sigmoid(tf.linalg.matvec(pieces, np.float32(self.slopes)) + self.intercept)

    def _pieces(self, logits: np.ndarray) -> np.ndarray:
        """How far the way from 0 to each logit leads through each piece: [rows, pieces], summing to the logit."""
        return np.clip(logits[:, np.newaxis], self._edges[:-1], self._edges[1:]) - self._origin

    @property
    def _edges(self) -> np.ndarray:
        return np.array([-np.inf, *self.knots, np.inf])

    @property
    def _origin(self) -> np.ndarray:
        return np.clip(0.0, self._edges[:-1], self._edges[1:])


def fit(logits: np.ndarray, labels: np.ndarray) -> Calibration:
    """Platt scaling (Platt 1999) with bends, on rows the network was not trained on.

    Minimises the summed log loss plus that of a normal prior: with standard deviation 1 of the intercept and of the log
    slope of the whole line, and BEND of each piece's log slope around it. The prior says "already calibrated, and
    straight": without weight on many thousands of rows, it is what keeps a handful of rows, or rows of one label, from
    giving extreme probabilities. Slopes are positive, so the ranking never changes.

    Args:
      logits: [rows], before calibration.
      labels: 0 or 1, [rows].
    """
    logits, labels = np.asarray(logits, np.float64), np.asarray(labels, np.float64)
    line = Calibration(_knots(logits), (1.0,) * SEGMENTS)
    pieces = line._pieces(logits)

    def loss(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        intercept, whole, bends = parameters[0], parameters[1], parameters[2:]
        rises = pieces * np.exp(whole + bends)
        scores = rises.sum(axis=1) + intercept
        value = np.sum(np.logaddexp(0.0, scores) - labels * scores)
        value += (intercept**2 + whole**2 + np.sum((bends / BEND) ** 2)) / 2.0
        error = expit(scores) - labels
        slopes = error @ rises
        return value, np.array([error.sum() + intercept, slopes.sum() + whole, *(slopes + bends / BEND**2)])

    intercept, whole, *bends = minimize(loss, x0=np.zeros(SEGMENTS + 2), jac=True, method="BFGS").x
    return dataclasses.replace(line, slopes=tuple(np.exp(whole + np.array(bends)).tolist()), intercept=float(intercept))


def _knots(logits: np.ndarray) -> tuple[float, ...]:
    """Logits between which lie equal shares of p (1 - p), what a row tells about the line at its place."""
    rising = np.sort(logits)
    information = np.cumsum(expit(rising) * expit(-rising))
    places = np.searchsorted(information, information[-1] * np.arange(1, SEGMENTS) / SEGMENTS)
    return tuple(rising[places].tolist())


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
