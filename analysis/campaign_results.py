"""What the calls of a campaign brought, against what was expected and against a control group."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from analysis.campaigns import Estimate, expected_buyers
from analysis.economics import auc_interval, wilson
from analysis.metrics import evaluate, reliability

DECILES = 10
DRAWS = 1_000
"""Sets of outcomes drawn from the probabilities, for the calibration error that exact probabilities have by chance."""


@dataclass(frozen=True)
class KnownCalls:
    """Calls with a known outcome, the best-scored customers first; all arrays are [calls].

    Attributes:
      probabilities: as at the time of the call, float64.
      control: whether the customer belongs to the control group, bool.
      bought: bool.
    """

    probabilities: np.ndarray
    control: np.ndarray
    bought: np.ndarray

    def where(self, chosen: np.ndarray) -> KnownCalls:
        """Some of the calls; `chosen` is a mask or places."""
        return KnownCalls(self.probabilities[chosen], self.control[chosen], self.bought[chosen])


@dataclass(frozen=True)
class Realised:
    """What a group of calls brought.

    Attributes:
      calls: with a known outcome, at least one.
      buyers: among them.
      expected: buyers by the probabilities, with the interval of `analysis.campaigns.plan`.
      probability: mean probability.
      rate: share of buyers, with its Wilson interval.
      profit: margin of the buyers less the cost of the calls.
      expected_profit: by the probabilities, with interval.
    """

    calls: int
    buyers: int
    expected: Estimate
    probability: float
    rate: Estimate
    profit: float
    expected_profit: Estimate

    @property
    def held(self) -> bool:
        """Whether the number of buyers lies in its expected interval."""
        return self.expected.low <= self.buyers <= self.expected.high


@dataclass(frozen=True)
class Lift:
    """The best-scored customers against the control group, which stands for all other customers of the list.

    Attributes:
      difference: of the shares of buyers, with the interval of Newcombe.
      ratio: of the shares of buyers; None where nobody in the control group bought.
      gained: profit of the calls to the best-scored customers beyond that of as many calls to other customers drawn at
        random, with the interval of the difference.
    """

    difference: Estimate
    ratio: float | None
    gained: Estimate


@dataclass(frozen=True)
class Quality:
    """How good the probabilities of the called customers were; they are no sample of all customers.

    Attributes:
      brier: mean((p - y)^2).
      ece: expected calibration error.
      ece_by_chance: its mean where the probabilities are exact.
      ece_limit: how large it may be: the calibration error of the model, plus the 97.5 % quantile of the error of exact
        probabilities.
      auc: with the interval of Hanley and McNeil; None where all or none of the customers bought.
    """

    brier: float
    ece: float
    ece_by_chance: float
    ece_limit: float
    auc: Estimate | None


@dataclass(frozen=True)
class Results:
    """What a campaign brought so far.

    Attributes:
      listed: calls in the call list.
      together: all calls with a known outcome.
      best: those to the best-scored customers; None where no outcome is known.
      control: those to the control group; None where no outcome is known.
      lift: None where either group is missing.
      deciles: tenths of the calls to the best-scored customers, the best first; fewer where there are fewer calls.
      quality: see Quality.
    """

    listed: int
    together: Realised
    best: Realised | None
    control: Realised | None
    lift: Lift | None
    deciles: tuple[Realised, ...]
    quality: Quality

    @property
    def held(self) -> bool:
        """Whether the probabilities held: in sum, and bin by bin too. A sum can be right while no probability is."""
        return self.together.held and self.quality.ece <= self.quality.ece_limit


def results(known: KnownCalls, listed: int, cost: float, margin: float, calibration_error: float = 0.0) -> Results:
    """What the calls brought.

    Args:
      known: the calls with a known outcome, at least one.
      listed: calls in the call list.
      cost: of a call.
      margin: of a buyer before the cost of the call.
      calibration_error: expected calibration error of the model when the calls were planned.
    """

    def realised(calls: KnownCalls) -> Realised:
        return _realised(calls, cost, margin, calibration_error)

    listed_best, drawn = known.where(~known.control), known.where(known.control)
    best = realised(listed_best) if len(listed_best.bought) else None
    control = realised(drawn) if len(drawn.bought) else None
    places = np.array_split(np.arange(len(listed_best.bought)), DECILES)
    return Results(
        listed=listed,
        together=realised(known),
        best=best,
        control=control,
        lift=_lift(best, control, margin) if best and control else None,
        deciles=tuple(realised(listed_best.where(part)) for part in places if len(part)),
        quality=quality(known, calibration_error),
    )


def newcombe(one: Estimate, other: Estimate) -> Estimate:
    """Difference of two shares with its 95 % interval (Newcombe 1998, Statistics in Medicine 17, 873-890, method 10).

    Args:
      one, other: shares with their Wilson intervals.
    """
    difference = one.value - other.value
    below = math.hypot(one.value - one.low, other.high - other.value)
    above = math.hypot(one.high - one.value, other.value - other.low)
    return Estimate(difference, difference - below, difference + above)


def quality(known: KnownCalls, calibration_error: float) -> Quality:
    """How good the probabilities were; args as in :func:`results`."""
    bought = known.bought.astype(np.float64)
    metrics = evaluate(bought, known.probabilities, threshold=0.5)
    chance = errors_by_chance(known.probabilities)
    auc = None
    if metrics.auc is not None:
        auc = Estimate(metrics.auc, *auc_interval(metrics.auc, bought.sum(), (1 - bought).sum()))
    limit = calibration_error + float(np.quantile(chance, 0.975))
    return Quality(metrics.brier, metrics.ece, float(chance.mean()), limit, auc)


def errors_by_chance(probabilities: np.ndarray) -> np.ndarray:
    """Expected calibration errors [DRAWS] of exact probabilities; within a bin they are taken as equal."""
    rows, predicted, _ = reliability(probabilities, probabilities)
    predicted = predicted.clip(0.0, 1.0)
    drawn = np.random.default_rng(0).binomial(rows, predicted, size=(DRAWS, len(rows)))
    return np.abs(drawn / rows - predicted) @ rows / len(probabilities)


def _realised(calls: KnownCalls, cost: float, margin: float, calibration_error: float) -> Realised:
    count, buyers = len(calls.bought), int(calls.bought.sum())
    expected = expected_buyers(calls.probabilities, calibration_error)
    return Realised(
        calls=count,
        buyers=buyers,
        expected=expected,
        probability=float(calls.probabilities.mean()),
        rate=Estimate(buyers / count, *wilson(buyers, count)),
        profit=margin * buyers - cost * count,
        expected_profit=expected.scaled(margin, -cost * count),
    )


def _lift(best: Realised, control: Realised, margin: float) -> Lift:
    difference = newcombe(best.rate, control.rate)
    ratio = best.rate.value / control.rate.value if control.buyers else None
    return Lift(difference, ratio, difference.scaled(margin * best.calls))
