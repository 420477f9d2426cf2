"""What the report draws, computed from labels and probabilities: numpy in, numpy out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from modules.metrics import gains

Z = NormalDist().inv_cdf(0.975)
"""Half the width of a 95 % interval, in standard errors."""
DECILES = np.arange(1, 11) / 10
SHARES = np.linspace(0.0, 1.0, 101)
"""Shares of customers called at which the profit is computed."""
RESAMPLES = 200
"""Bootstrap samples behind the interval of the profit."""


@dataclass(frozen=True)
class Decile:
    """A tenth of the customers, the best-scored first."""

    number: int
    rows: float
    buyers: float
    """Expected ones, where equal probabilities leave open which customers are in."""
    rate: float
    """Share of buyers among them."""
    cumulative_gain: float
    """Share of all buyers in this and the better deciles."""
    cumulative_lift: float
    """That share over the share of customers called."""


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


def deciles(labels: np.ndarray, probabilities: np.ndarray) -> list[Decile]:
    """The decile table; labels, 0 or 1 and at least one positive, and probabilities are [rows]."""
    reached = gains(labels, probabilities, DECILES)
    found = np.diff(reached, prepend=0.0) * labels.sum()
    rows = len(labels) / 10
    return [
        Decile(i + 1, rows, float(found[i]), float(found[i] / rows), float(reached[i]), float(reached[i] / DECILES[i]))
        for i in range(10)
    ]


def profit(
    evaluation: tuple[np.ndarray, np.ndarray],
    test: tuple[np.ndarray, np.ndarray],
    cost: float,
    margin: float,
    seed: int = 0,
) -> Profit:
    """Profit of calling the best-scored customers: margin for each buyer reached less cost for each call.

    The share to call is the best one on eval, so that the profit on test is not flattered by the choice.

    Args:
      evaluation: labels (at least one positive) and probabilities of the eval split, [rows] each.
      test: likewise.
      cost: of a call.
      margin: of a buyer, before the cost of the call.
      seed: of the resampling.
    """
    curve = _profits(*test, cost, margin)
    best = int(np.argmax(_profits(*evaluation, cost, margin)))
    generator = np.random.default_rng(seed)
    labels, probabilities = test
    resampled = []
    for _ in range(RESAMPLES):
        rows = generator.integers(len(labels), size=len(labels))
        if labels[rows].any():
            resampled.append(_profits(labels[rows], probabilities[rows], cost, margin)[best])
    low, high = np.percentile(resampled, (2.5, 97.5))
    return Profit(curve, float(SHARES[best]), float(curve[best]), (float(low), float(high)), float(curve[-1]))


def _profits(labels: np.ndarray, probabilities: np.ndarray, cost: float, margin: float) -> np.ndarray:
    return 1000 * (margin * labels.mean() * gains(labels, probabilities, SHARES) - cost * SHARES)


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
