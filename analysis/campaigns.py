"""What calling the best-scored customers of a list will bring, before the calls are made."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from analysis import poisson_binomial
from analysis.economics import Z
from analysis.poisson_binomial import Moments

POINTS = 101
"""Points of the curve, from no call to a call of every customer."""


@dataclass(frozen=True)
class Estimate:
    """A figure and its 95 % interval."""

    value: float
    low: float
    high: float

    def scaled(self, factor: float, shift: float = 0.0) -> Estimate:
        """The figure and its bounds times a factor above 0, plus a shift."""
        return Estimate(*(factor * number + shift for number in (self.value, self.low, self.high)))


@dataclass(frozen=True)
class Curve:
    """What each number of calls brings; all arrays are [points].

    Attributes:
      calls: from none to all customers of the list, int64.
      buyers, buyers_low, buyers_high: expected buyers and their interval.
      profit, profit_low, profit_high: expected profit and its interval.
      random_profit: of as many calls to customers drawn at random.
    """

    calls: np.ndarray
    buyers: np.ndarray
    buyers_low: np.ndarray
    buyers_high: np.ndarray
    profit: np.ndarray
    profit_low: np.ndarray
    profit_high: np.ndarray
    random_profit: np.ndarray


@dataclass(frozen=True)
class CallPlan:
    """What a call list will bring.

    Attributes:
      calls: of the list.
      best: calls to the best-scored customers.
      control: calls to customers drawn at random from the others.
      buyers: expected, with interval.
      profit: expected, with interval.
      random_buyers, random_profit: expected of as many calls to customers drawn at random from the whole list.
      control_cost: expected profit that the control group gives up: that of the best-scored customers in its place,
        less its own.
      optimum: calls to customers whose probability is above cost / margin; each of these pays for itself.
      optimum_profit: expected profit of the list with so many calls.
      curve: see Curve.
    """

    calls: int
    best: int
    control: int
    buyers: Estimate
    profit: Estimate
    random_buyers: float
    random_profit: float
    control_cost: float
    optimum: int
    optimum_profit: float
    curve: Curve


def plan(
    probabilities: np.ndarray,
    cost: float,
    margin: float,
    calls: int | None = None,
    calibration_error: float = 0.0,
    control_share: float = 0.0,
    known: Curve | None = None,
) -> CallPlan:
    """What the best-scored customers and a control group will bring.

    The interval of the buyers is Poisson-binomial and is widened by the calibration error e, which is taken as a
    systematic shift of the probabilities p: from the 2.5 % quantile with max(p - e, 0) to the 97.5 % quantile with
    min(p + e, 1). The expected calibration error is the mean over all customers of the distance between probability and
    rate (Naeini, Cooper, Hauskrecht 2015, AAAI); the interval is too narrow where the error of the called customers is
    larger than the mean.

    Args:
      probabilities: of the whole list, in falling order, float64 [customers].
      cost: of a call.
      margin: of a buyer before the cost of the call, above 0.
      calls: in the list, at most all customers; None for the optimum.
      calibration_error: expected calibration error of the model, 0 to 1.
      control_share: share of the calls that go to the control group, 0 to 0.5.
      known: what :func:`curve` gives for the other arguments, which takes most of the time and does not depend on
        `calls`.
    """
    optimum = paying(probabilities, cost, margin, calls)
    total = optimum if calls is None else min(calls, len(probabilities))
    best, control = (int(part) for part in split(total, control_share))
    called = _called(probabilities, best, control)
    buyers = expected_buyers(called, calibration_error)
    share = float(probabilities.mean()) if len(probabilities) else 0.0
    with_control = float(called.sum())
    without_control = float(probabilities[:total].sum())
    optimum_buyers = float(_called(probabilities, *(int(part) for part in split(optimum, control_share))).sum())
    return CallPlan(
        calls=total,
        best=best,
        control=control,
        buyers=buyers,
        profit=buyers.scaled(margin, -cost * total),
        random_buyers=total * share,
        random_profit=total * (margin * share - cost),
        control_cost=margin * (without_control - with_control),
        optimum=optimum,
        optimum_profit=margin * optimum_buyers - cost * optimum,
        curve=known or curve(probabilities, cost, margin, calibration_error, control_share),
    )


def split(calls: np.ndarray | int, control_share: float) -> tuple[np.ndarray, np.ndarray]:
    """How many of the calls, any shape, go to the best-scored customers and how many to the control group."""
    control = np.rint(np.asarray(calls) * control_share).astype(np.int64)
    return np.asarray(calls) - control, control


def paying(probabilities: np.ndarray, cost: float, margin: float, calls: int | None = None) -> int:
    """How many customers, at most `calls`, have a probability above cost / margin.

    Args as in :func:`plan`.
    """
    above = int(np.searchsorted(-probabilities, -cost / margin, side="left"))
    return above if calls is None else min(above, calls)


def expected_buyers(probabilities: np.ndarray, calibration_error: float) -> Estimate:
    """Expected buyers among called customers, with the interval of :func:`plan`; probabilities are [customers]."""
    low, _ = poisson_binomial.interval(_shifted(probabilities, -calibration_error))
    _, high = poisson_binomial.interval(_shifted(probabilities, calibration_error))
    return Estimate(float(probabilities.sum()), low, high)


def expected_profit(
    probabilities: np.ndarray, cost: np.ndarray, margin: np.ndarray, calibration_error: float
) -> Estimate:
    """Expected profit of calls, with the interval of :func:`plan`; all arrays are [calls].

    Where margins differ the interval is normal, corrected for skewness (Cornish-Fisher); else it is that of the buyers.

    Args:
      probabilities: of the called customers.
      cost: of each call.
      margin: of each customer, if it buys, before the cost of the call.
      calibration_error: as in :func:`plan`.
    """
    spent = float(cost.sum())
    if (margin == margin[0]).all():
        return expected_buyers(probabilities, calibration_error).scaled(float(margin[0]), -spent)

    def bound(shift: float, z: float) -> float:
        moments = poisson_binomial.moments(_shifted(probabilities, shift))
        mean, variance, third = (float(margin**power @ moment) for power, moment in enumerate(moments, 1))
        deviation = math.sqrt(variance)
        skewness = third / deviation**3 if deviation > 0 else 0.0
        return mean + deviation * (z + skewness * (z * z - 1) / 6)

    most = float(margin.sum())
    low, high = bound(-calibration_error, -Z), bound(calibration_error, Z)
    return Estimate(float(margin @ probabilities) - spent, max(low, 0.0) - spent, min(high, most) - spent)


def _shifted(probabilities: np.ndarray, shift: float) -> np.ndarray:
    return (probabilities + shift).clip(0.0, 1.0)


def _called(probabilities: np.ndarray, best: int, control: int) -> np.ndarray:
    """Probabilities of the called customers; a customer of the control group has the mean of those who may be drawn."""
    others = probabilities[best:]
    mean = float(others.mean()) if len(others) else 0.0
    return np.concatenate([probabilities[:best], np.full(control, mean)])


def curve(
    probabilities: np.ndarray, cost: float, margin: float, calibration_error: float, control_share: float
) -> Curve:
    """What each number of calls brings; args as in :func:`plan`."""
    customers = len(probabilities)
    calls = np.unique(np.linspace(0, customers, POINTS).round().astype(np.int64))
    best, control = split(calls, control_share)
    buyers = _sums(probabilities, best, control).mean
    low, _ = poisson_binomial.approximate(_sums(_shifted(probabilities, -calibration_error), best, control), calls)
    _, high = poisson_binomial.approximate(_sums(_shifted(probabilities, calibration_error), best, control), calls)
    profit, profit_low, profit_high = (margin * number - cost * calls for number in (buyers, low, high))
    share = float(probabilities.mean()) if customers else 0.0
    return Curve(calls, buyers, low, high, profit, profit_low, profit_high, calls * (margin * share - cost))


def _sums(probabilities: np.ndarray, best: np.ndarray, control: np.ndarray) -> Moments:
    """Moments of the number of buyers at each point, with the control group as in :func:`_called`."""
    summed = [np.concatenate([[0.0], np.cumsum(moment)]) for moment in poisson_binomial.moments(probabilities)]
    others = np.maximum(len(probabilities) - best, 1)
    drawn = poisson_binomial.moments(((summed[0][-1] - summed[0][best]) / others).clip(0.0, 1.0))
    return Moments(*(total[best] + control * moment for total, moment in zip(summed, drawn, strict=True)))
