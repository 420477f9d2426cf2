"""What a campaign gains and earns when it calls the best-scored customers, and intervals of shares and AUC."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from analysis.metrics import gains
from analysis.sampling import evenly_spaced

Z = NormalDist().inv_cdf(0.975)
"""Half the width of a 95 % interval, in standard errors."""
DECILES = np.arange(1, 11) / 10
SHARES = np.linspace(0.0, 1.0, 101)
"""Shares of customers called at which gain and profit are computed."""
RESAMPLES = 400
"""Bootstrap samples behind the interval of the profit."""
_CELLS = 1000
"""The bootstrap draws from so many groups of customers with similar scores, so its time does not grow with the rows."""

Scores = tuple[np.ndarray, np.ndarray]
"""Labels, 0 or 1, and probabilities, float64 [rows] each."""


@dataclass(frozen=True)
class Decile:
    """A tenth of the customers, the best-scored first.

    Attributes:
      number: 1 to 10.
      rows: customers in it.
      positives: positive rows among them; an expected value where equal probabilities leave their order open.
      rate: share of positive rows among them.
      predicted: their mean probability.
      gain: share of all positive rows in this decile and the better ones.
      lift: gain over the share of customers called.
      most_lift: lift of a model that knows the positive rows.
    """

    number: int
    rows: float
    positives: float
    rate: float
    predicted: float
    gain: float
    lift: float
    most_lift: float


@dataclass(frozen=True)
class Profit:
    """What a campaign earns, per 1,000 customers, when it calls the best-scored ones.

    Attributes:
      curve: profit on the test split at each of SHARES.
      best_share: the share of customers to call, chosen on the eval split.
      best: profit at that share on the test split.
      interval: its 95 % interval, from resampled test rows.
      everyone: profit of calling everyone on the test split.
    """

    curve: np.ndarray
    best_share: float
    best: float
    interval: tuple[float, float]
    everyone: float


def perfect_gain(rate: float, shares: np.ndarray) -> np.ndarray:
    """Gain of a model that knows the positive rows; `rate`, above 0, is their share."""
    return np.minimum(shares / rate, 1.0)


def deciles(labels: np.ndarray, probabilities: np.ndarray) -> list[Decile]:
    """The decile table; labels, 0 or 1 and at least one positive, and probabilities are [rows]."""
    rows, rate = len(labels) / 10, labels.mean()
    gain = gains(labels, probabilities, DECILES)
    positives = np.diff(gain, prepend=0.0) * labels.sum()
    ranked = np.concatenate([[0.0], np.cumsum(-np.sort(-probabilities))])
    summed = np.interp(DECILES * len(labels), np.arange(len(ranked)), ranked)
    predicted = np.diff(summed, prepend=0.0) / rows
    most = perfect_gain(rate, DECILES) / DECILES
    columns = (positives, positives / rows, predicted, gain, gain / DECILES, most)
    return [Decile(number, rows, *map(float, row)) for number, row in enumerate(zip(*columns, strict=True), 1)]


def profit(evaluation: Scores, test: Scores, cost: float, margin: float, seed: int = 0) -> Profit:
    """Profit of calling the best-scored customers: the margin of each positive row reached, less the cost of each call.

    The share to call is the best one on eval, so the profit on test is not biased by the choice. The interval comes
    from resampled test customers; the model and the share stay as they are.

    Args:
      evaluation: the eval split, with at least one positive label.
      test: the test split, with at least one positive label.
      cost: of a call.
      margin: of a positive row, before the cost of the calls.
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
    """Profit at one share in each of RESAMPLES samples of the test split, drawn by groups of similar score."""
    count = len(labels)
    edges = np.linspace(0.0, 1.0, min(_CELLS, count) + 1)
    positive = np.diff(gains(labels, probabilities, edges)) * labels.sum()
    cells = np.stack([positive, count * np.diff(edges) - positive]).clip(0.0)
    drawn = np.random.default_rng(seed).multinomial(count, (cells / cells.sum()).ravel(), size=RESAMPLES)
    positives, others = drawn.reshape(RESAMPLES, 2, -1).transpose(1, 0, 2)
    called = np.cumsum(positives + others, axis=1) / count
    reached = np.cumsum(positives, axis=1) / count
    at_share = [np.interp(share, np.append(0.0, x), np.append(0.0, y)) for x, y in zip(called, reached, strict=True)]
    return 1000 * (margin * np.array(at_share) - cost * share)


def thin(*columns: np.ndarray, points: int = 120) -> tuple[np.ndarray, ...]:
    """At most so many points of a long curve, evenly spaced, with the first and the last."""
    picked = evenly_spaced(len(columns[0]), points)
    return tuple(column[picked] for column in columns)


def wilson(successes: float, trials: float) -> tuple[float, float]:
    """95 % interval of a share (Wilson 1927); (0, 1) where there are no trials."""
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
