"""What the report draws, computed from labels and probabilities: numpy in, numpy out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from analysis.metrics import gains

Z = NormalDist().inv_cdf(0.975)
"""Half the width of a 95 % interval, in standard errors."""
DECILES = np.arange(1, 11) / 10
SHARES = np.linspace(0.0, 1.0, 101)
"""Shares of customers called at which gain and profit are computed."""
RESAMPLES = 400
"""Bootstrap samples behind the interval of the profit."""
_CELLS = 1000
"""Groups of customers of similar score that the bootstrap draws from: its time then hangs on no number of rows."""

Scores = tuple[np.ndarray, np.ndarray]
"""Labels, 0 or 1, and probabilities, float64 [rows] each."""


@dataclass(frozen=True)
class Decile:
    """A tenth of the customers, the best-scored first."""

    number: int
    rows: float
    buyers: float
    """Expected ones, where equal probabilities leave open which customers are in."""
    rate: float
    """Share of buyers among them."""
    predicted: float
    """Mean probability of them."""
    gain: float
    """Share of all buyers in this and the better deciles."""
    lift: float
    """That share over the share of customers called."""
    most_lift: float
    """The lift of a model that knows the buyers."""


@dataclass(frozen=True)
class Profit:
    """What calling the best-scored customers brings in, per 1,000 customers and for each of SHARES."""

    curve: np.ndarray
    best_share: float
    """Share of customers to call, chosen on the eval split."""
    best: float
    """Profit at that share on the test split."""
    interval: tuple[float, float]
    """95 % of it, from resampled test rows."""
    everyone: float
    """Profit of calling everyone on the test split."""


def perfect_gain(rate: float, shares: np.ndarray) -> np.ndarray:
    """Gain of a model that knows the buyers, where `rate`, above 0, of the customers are buyers."""
    return np.minimum(shares / rate, 1.0)


def deciles(labels: np.ndarray, probabilities: np.ndarray) -> list[Decile]:
    """The decile table; labels, 0 or 1 and at least one positive, and probabilities are [rows]."""
    rows, rate = len(labels) / 10, labels.mean()
    gain = gains(labels, probabilities, DECILES)
    buyers = np.diff(gain, prepend=0.0) * labels.sum()
    ranked = np.concatenate([[0.0], np.cumsum(-np.sort(-probabilities))])
    summed = np.interp(DECILES * len(labels), np.arange(len(ranked)), ranked)
    predicted = np.diff(summed, prepend=0.0) / rows
    most = perfect_gain(rate, DECILES) / DECILES
    columns = (buyers, buyers / rows, predicted, gain, gain / DECILES, most)
    return [Decile(number, rows, *map(float, row)) for number, row in enumerate(zip(*columns, strict=True), 1)]


def profit(evaluation: Scores, test: Scores, cost: float, margin: float, seed: int = 0) -> Profit:
    """Profit of calling the best-scored customers: the margin of each buyer reached, less the cost of each call.

    The share to call is the best one on eval, so that the profit on test is not flattered by the choice. The interval
    is of test customers drawn anew, with model and share as they are.

    Args:
      evaluation: the eval split, with at least one positive label.
      test: likewise.
      cost: of a call.
      margin: of a buyer, before the cost of the calls.
      seed: of the resampling.
    """
    curve = profits(*test, cost, margin)
    best = int(np.argmax(profits(*evaluation, cost, margin)))
    share = float(SHARES[best])
    low, high = np.percentile(_resampled(*test, share, cost, margin, seed), (2.5, 97.5))
    return Profit(curve, share, float(curve[best]), (float(low), float(high)), float(curve[-1]))


def profits(labels: np.ndarray, probabilities: np.ndarray, cost: float, margin: float) -> np.ndarray:
    """Profit per 1,000 customers at each of SHARES; at least one label is positive."""
    return 1000 * (margin * labels.mean() * gains(labels, probabilities, SHARES) - cost * SHARES)


def _resampled(
    labels: np.ndarray, probabilities: np.ndarray, share: float, cost: float, margin: float, seed: int
) -> np.ndarray:
    """Profit at one share of as many customers, drawn RESAMPLES times; groups of similar score stand for rows."""
    count = len(labels)
    edges = np.linspace(0.0, 1.0, min(_CELLS, count) + 1)
    positive = np.diff(gains(labels, probabilities, edges)) * labels.sum()
    cells = np.stack([positive, count * np.diff(edges) - positive]).clip(0.0)
    drawn = np.random.default_rng(seed).multinomial(count, (cells / cells.sum()).ravel(), size=RESAMPLES)
    buyers, others = drawn.reshape(RESAMPLES, 2, -1).transpose(1, 0, 2)
    called = np.cumsum(buyers + others, axis=1) / count
    reached = np.cumsum(buyers, axis=1) / count
    at_share = [np.interp(share, np.append(0.0, x), np.append(0.0, y)) for x, y in zip(called, reached, strict=True)]
    return 1000 * (margin * np.array(at_share) - cost * share)


def thin(*columns: np.ndarray, points: int = 120) -> tuple[np.ndarray, ...]:
    """At most that many points of a long curve, evenly picked, the first and the last included."""
    picked = np.unique(np.linspace(0, len(columns[0]) - 1, min(points, len(columns[0]))).round().astype(int))
    return tuple(column[picked] for column in columns)


def wilson(successes: float, trials: float) -> tuple[float, float]:
    """95 % interval of a share (Wilson 1927), also where it is 0 or 1; (0, 1) without trials."""
    if trials <= 0:
        return 0.0, 1.0
    share, z2 = successes / trials, Z * Z
    middle = (share + z2 / (2 * trials)) / (1 + z2 / trials)
    half = Z * math.sqrt(share * (1 - share) / trials + z2 / (4 * trials * trials)) / (1 + z2 / trials)
    return max(0.0, middle - half), min(1.0, middle + half)


def auc_interval(auc: float, positives: float, negatives: float) -> tuple[float, float]:
    """95 % interval of an AUC (Hanley and McNeil 1982, Radiology 143); both counts above 0."""
    q1, q2 = auc / (2 - auc), 2 * auc * auc / (1 + auc)
    spread = (positives - 1) * (q1 - auc * auc) + (negatives - 1) * (q2 - auc * auc)
    error = math.sqrt(max(0.0, auc * (1 - auc) + spread) / (positives * negatives))
    return max(0.0, auc - Z * error), min(1.0, auc + Z * error)
