"""What calls brought over several campaigns of one model version, and what the probabilities alone let expect.

A figure of called customers is no figure of the whole list: they were chosen because the model expects them to buy, so
that they differ less from each other than the customers of the list do. Where campaigns have a control group, the AUC
on the whole list is estimated too, since every customer had a known chance to be called.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.campaign_results import KnownCalls, Quality, Realised, errors_by_chance, quality
from analysis.campaigns import Estimate, expected_buyers, expected_profit
from analysis.economics import Z, wilson
from analysis.economics import deciles as decile_table
from analysis.metrics import reliability

FEWEST_CALLS = 100
"""With fewer known calls the Brier score and the calibration error have no interval, and there are no deciles."""
FEWEST_OF_EACH = 10
"""With fewer buyers or fewer others there is no AUC."""
RESAMPLES = 400
"""Bootstrap samples behind the interval of the AUC on the whole list."""
_CELLS = 250
"""The bootstrap draws from so many groups of similar probability, so its time does not grow with the calls."""


@dataclass(frozen=True)
class CallList:
    """The frozen call list of a campaign; all arrays are [calls].

    Attributes:
      probabilities: float64.
      control: whether the customer belongs to the control group, bool.
      bought: 1, 0, or NaN where the customer was not called or the result is not known, float64.
      customers: in the whole list.
      cost: of a call.
      margin: of a buyer before the cost of the call.
    """

    probabilities: np.ndarray
    control: np.ndarray
    bought: np.ndarray
    customers: int
    cost: float
    margin: float


@dataclass(frozen=True)
class Foreseen:
    """What the probabilities of calls alone let expect, as if each of them were exact; no outcome is needed.

    These are the estimates of confidence-based performance estimation (CBPE, as in NannyML) for a calibrated model.

    Attributes:
      calls: in the call lists.
      rate: share of buyers.
      auc: None where all probabilities are 0 or all are 1.
      accuracy: share of calls on the right side of 0.5.
      brier: mean(p (1 - p)).
    """

    calls: int
    rate: float
    auc: float | None
    accuracy: float
    brier: float


@dataclass(frozen=True)
class Measured:
    """What a group of calls with known outcomes brought.

    Attributes:
      realised: buyers and profit against what was expected, as the verdict on a campaign has them.
      quality: of the probabilities, as the verdict on a campaign has it.
      accuracy: share of calls on the right side of 0.5.
      auc: that of `quality`, where there are FEWEST_OF_EACH buyers and others.
      brier: with the normal interval of a mean; None with fewer than FEWEST_CALLS.
      ece: with the interval of :func:`calibration_interval`; None with fewer than FEWEST_CALLS.
    """

    realised: Realised
    quality: Quality
    accuracy: float
    auc: Estimate | None
    brier: Estimate | None
    ece: Estimate | None

    @property
    def expected_rate(self) -> Estimate:
        """Expected share of buyers, with the interval in which the realised share lies if the probabilities hold."""
        return self.realised.expected.scaled(1 / self.realised.calls)

    @property
    def held(self) -> bool:
        """Whether the probabilities held, by the rule of the verdict on a campaign."""
        return self.realised.held and self.quality.ece <= self.quality.ece_limit


@dataclass(frozen=True)
class Tenth:
    """A tenth of the calls with known outcomes, by probability.

    Attributes:
      number: 1 to 10, the highest probabilities first.
      calls: in it; not whole where the calls are no multiple of ten.
      probability: their mean.
      rate: share of buyers, with its Wilson interval.
      lift: rate over the rate of all calls; its interval is that of the rate.
    """

    number: int
    calls: float
    probability: float
    rate: Estimate
    lift: Estimate


@dataclass(frozen=True)
class LiveFigures:
    """What calls brought.

    Attributes:
      campaigns: with a frozen call list.
      customers: in their lists.
      foreseen: of all calls in the call lists.
      calibration_error: of the model, by which the intervals of what was expected are widened.
      together: all calls with known outcomes; None where none is known.
      best: those to the best-scored customers; None where none is known.
      control: those to control groups; None where fewer than FEWEST_CALLS are known.
      list_auc: AUC on the whole lists of campaigns with a control group, see :func:`_list_auc`, with a bootstrap
        interval; None where the control groups have fewer than FEWEST_OF_EACH buyers or others.
      tenths: of the calls with known outcomes; none where there are fewer than FEWEST_CALLS or nobody bought.
    """

    campaigns: int
    customers: int
    foreseen: Foreseen
    calibration_error: float
    together: Measured | None
    best: Measured | None
    control: Measured | None
    list_auc: Estimate | None
    tenths: tuple[Tenth, ...]


def live(lists: Sequence[CallList], calibration_error: float = 0.0) -> LiveFigures:
    """What the calls of several campaigns brought.

    Args:
      lists: at least one, with at least one call in all of them together.
      calibration_error: expected calibration error of the model when the calls were planned.
    """
    known = _Known.of(lists)
    control = known.where(known.control)
    return LiveFigures(
        campaigns=len(lists),
        customers=sum(one.customers for one in lists),
        foreseen=foreseen(np.concatenate([one.probabilities for one in lists])),
        calibration_error=calibration_error,
        together=_measured(known, calibration_error),
        best=_measured(known.where(~known.control), calibration_error),
        control=_measured(control, calibration_error) if len(control.bought) >= FEWEST_CALLS else None,
        list_auc=_list_auc(lists),
        tenths=_tenths(known),
    )


def foreseen(probabilities: np.ndarray) -> Foreseen:
    """What probabilities [calls], at least one, let expect if each of them is exact.

    The AUC is the expected number of pairs of a buyer and another customer that are in the right order, over the
    expected number of such pairs.
    """
    others = 1.0 - probabilities
    spread = float(probabilities @ others)
    pairs = float(probabilities.sum() * others.sum()) - spread  # a customer makes no pair with itself
    right = _pairs_in_order(probabilities, probabilities, others) - spread / 2
    return Foreseen(
        calls=len(probabilities),
        rate=float(probabilities.mean()),
        auc=min(max(right / pairs, 0.0), 1.0) if pairs > 1e-9 else None,
        accuracy=float(np.maximum(probabilities, others).mean()),
        brier=spread / len(probabilities),
    )


def calibration_interval(bought: np.ndarray, probabilities: np.ndarray) -> Estimate:
    """The expected calibration error with a 95 % interval, which covers at least as often as it says.

    The low end takes off the 97.5 % quantile of the error that exact probabilities show by chance. The high end adds
    1.96 standard deviations of the error where all bins err in one direction, by the larger of the variances that the
    probabilities and the outcomes give; elsewhere the error varies less. A bootstrap of the error is of no use: chance
    only ever raises it, so that its interval missed in up to 80 % of 300 draws where the true error was 0.

    Args:
      bought: 0 or 1, [calls].
      probabilities: [calls].
    """
    rows, predicted, actual = reliability(bought, probabilities)
    weights = rows / rows.sum()
    error = float(weights @ np.abs(predicted - actual))
    chance = float(np.quantile(errors_by_chance(probabilities), 0.975))
    deviation = max(math.sqrt(float(weights**2 @ (rate * (1 - rate) / rows))) for rate in (predicted, actual))
    return Estimate(error, max(error - chance, 0.0), min(error + Z * deviation, 1.0))


@dataclass(frozen=True)
class _Known(KnownCalls):
    """Calls with a known outcome, with their costs and margins; all arrays are [calls]."""

    cost: np.ndarray
    margin: np.ndarray

    @classmethod
    def of(cls, lists: Sequence[CallList]) -> _Known:
        known = [~np.isnan(one.bought) for one in lists]
        return cls(
            np.concatenate([one.probabilities[told] for one, told in zip(lists, known, strict=True)]),
            np.concatenate([one.control[told] for one, told in zip(lists, known, strict=True)]),
            np.concatenate([one.bought[told] == 1 for one, told in zip(lists, known, strict=True)]),
            np.repeat([one.cost for one in lists], [told.sum() for told in known]),
            np.repeat([one.margin for one in lists], [told.sum() for told in known]),
        )

    def where(self, chosen: np.ndarray) -> _Known:
        return _Known(*(values[chosen] for values in vars(self).values()))


def _measured(known: _Known, calibration_error: float) -> Measured | None:
    calls, buyers = len(known.bought), int(known.bought.sum())
    if not calls:
        return None
    bought, probabilities = known.bought.astype(np.float64), known.probabilities
    found = quality(known, calibration_error)
    enough = calls >= FEWEST_CALLS
    return Measured(
        realised=Realised(
            calls=calls,
            buyers=buyers,
            expected=expected_buyers(probabilities, calibration_error),
            probability=float(probabilities.mean()),
            rate=Estimate(buyers / calls, *wilson(buyers, calls)),
            profit=float(known.margin @ bought - known.cost.sum()),
            expected_profit=expected_profit(probabilities, known.cost, known.margin, calibration_error),
        ),
        quality=found,
        accuracy=float(((probabilities > 0.5) == known.bought).mean()),
        auc=found.auc if min(buyers, calls - buyers) >= FEWEST_OF_EACH else None,
        brier=_mean((probabilities - bought) ** 2) if enough else None,
        ece=calibration_interval(bought, probabilities) if enough else None,
    )


def _mean(values: np.ndarray) -> Estimate:
    """A mean of values from 0 to 1 with its normal 95 % interval."""
    mean, half = float(values.mean()), Z * float(values.std(ddof=1)) / math.sqrt(len(values))
    return Estimate(mean, max(mean - half, 0.0), min(mean + half, 1.0))


def _tenths(known: _Known) -> tuple[Tenth, ...]:
    if len(known.bought) < FEWEST_CALLS or not known.bought.any():
        return ()
    whole = float(known.bought.mean())
    tenths = []
    for one in decile_table(known.bought.astype(np.float64), known.probabilities):
        rate = Estimate(one.rate, *wilson(one.positives, one.rows))
        tenths.append(Tenth(one.number, one.rows, one.predicted, rate, rate.scaled(1 / whole)))
    return tuple(tenths)


def _pairs_in_order(scores: np.ndarray, positives: np.ndarray, negatives: np.ndarray) -> float:
    """Weight of the pairs of a positive and a negative with a lower score; equal scores count half; all are [rows]."""
    _, place = np.unique(scores, return_inverse=True)
    positive, negative = (np.bincount(place, weights=weights) for weights in (positives, negatives))
    return float(positive @ (np.cumsum(negative) - negative / 2))


def _list_auc(lists: Sequence[CallList]) -> Estimate | None:
    """AUC on the whole lists: each call stands for the customers of its list who had the same chance to be called.

    A call to a best customer stands for the best customers of its list, one of the control group for all others; of
    each, the calls with a known outcome stand for the rest. Lists without such calls do not count.
    """
    strata: list[_Stratum] = []
    told_by_control = np.zeros(2, np.int64)
    for one in lists:
        found = _strata(one)
        if found is not None:
            strata += found
            told = one.bought[one.control & ~np.isnan(one.bought)]
            told_by_control += np.bincount(told.astype(np.int64), minlength=2)
    if told_by_control.min() < FEWEST_OF_EACH:
        return None
    scores = np.concatenate([part.probabilities for part in strata])
    bought = np.concatenate([part.bought for part in strata])
    weights = np.repeat([part.stands_for for part in strata], [len(part.bought) for part in strata])
    positives, negatives = weights * bought, weights * (1 - bought)
    auc = _pairs_in_order(scores, positives, negatives) / (positives.sum() * negatives.sum())
    return Estimate(float(auc), *_resampled_auc(strata, scores))


@dataclass(frozen=True)
class _Stratum:
    """Calls with known outcomes to customers who had the same chance to be called; each stands for so many."""

    probabilities: np.ndarray
    bought: np.ndarray
    stands_for: float


def _strata(one: CallList) -> list[_Stratum] | None:
    """The strata of a list; None where nobody speaks for some of its customers."""
    best = int(np.count_nonzero(~one.control))
    strata = []
    for control, customers in ((False, best), (True, one.customers - best)):
        told = (one.control == control) & ~np.isnan(one.bought)
        if customers and not told.any():
            return None
        if customers:
            strata.append(_Stratum(one.probabilities[told], one.bought[told], customers / int(told.sum())))
    return strata


def _resampled_auc(strata: Sequence[_Stratum], scores: np.ndarray) -> tuple[float, float]:
    """95 % interval of the AUC from RESAMPLES samples, each drawn stratum by stratum in groups of similar score."""
    edges = np.unique(np.quantile(scores, np.arange(1, _CELLS) / _CELLS))
    cells = len(edges) + 1
    generator = np.random.default_rng(0)
    weight = np.zeros((RESAMPLES, 2, cells))
    for part in strata:
        place = np.searchsorted(edges, part.probabilities, side="right") + cells * (part.bought == 1)
        counts = np.bincount(place, minlength=2 * cells)
        drawn = generator.multinomial(counts.sum(), counts / counts.sum(), size=RESAMPLES)
        weight += part.stands_for * drawn.reshape(RESAMPLES, 2, cells)
    negative, positive = weight[:, 0], weight[:, 1]
    right = (positive * (np.cumsum(negative, axis=1) - negative / 2)).sum(axis=1)
    pairs = positive.sum(axis=1) * negative.sum(axis=1)
    low, high = np.quantile((right / np.maximum(pairs, 1e-9)).clip(0.0, 1.0), (0.025, 0.975))
    return float(low), float(high)
