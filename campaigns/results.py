"""What a campaign brought so far, and whether the call list was worth it."""

from __future__ import annotations

import numpy as np

from analysis.campaign_results import KnownCalls, Lift, Realised, Results
from analysis.campaign_results import results as measure
from campaigns.records import Terms
from campaigns.store.outcomes import Joined
from pages.formatting import interval, number, percent
from pages.language import tr


def results(joined: Joined, terms: Terms, listed: int, calibration_error: float = 0.0) -> Results | None:
    """What the calls of a campaign brought so far; None where no outcome of the call list is known.

    Customers that are not on the call list, were not called, or whose purchase is not known, do not count.

    Args:
      joined: outcomes and what was expected.
      terms: of the campaign.
      listed: calls in the call list.
      calibration_error: expected calibration error of the model, as for the plan.
    """
    counts = (joined.kind != "") & joined.was_called & ~np.isnan(joined.bought)
    known = KnownCalls(joined.probability[counts], joined.kind[counts] == "control", joined.bought[counts] == 1)
    if not counts.any():
        return None
    return measure(known, listed, terms.cost, terms.margin, calibration_error)


def verdict(found: Results) -> str:
    """One sentence: whether the list beat the control group, and whether the probabilities held."""
    together, beat = found.together, None
    if found.best and found.control and found.lift:
        beat, worth = _comparison(found.best, found.control, found.lift)
    elif found.best:
        worth = tr("no control group shows what the list is worth")
    else:
        worth = tr("no outcome of the best-scored customers is known")
    buyers = tr(
        "{buyers} of {calls} customers bought, {interval} were expected",
        buyers=number(together.buyers),
        calls=number(together.calls),
        interval=interval(together.expected.low, together.expected.high, 0),
    )
    if beat is not None and beat != found.held:
        sentence = tr("{worth}, but {belief} ({buyers}).", worth=worth, belief=_belief(found), buyers=buyers)
    else:
        sentence = tr("{worth}, and {belief} ({buyers}).", worth=worth, belief=_belief(found), buyers=buyers)
    if together.calls < found.listed:
        known, listed = number(together.calls), number(found.listed)
        return tr("With {known} of {calls} outcomes known, {sentence}", known=known, calls=listed, sentence=sentence)
    return sentence[0].upper() + sentence[1:]


def beats(lift: Lift) -> bool | None:
    """Whether the best customers bought more often than the control group; None where the interval leaves it open."""
    if lift.difference.low > 0:
        return True
    return False if lift.difference.high < 0 else None


def _belief(found: Results) -> str:
    """Whether the probabilities held: the second half of the verdict."""
    together, quality = found.together, found.quality
    if found.held:
        return tr("the probabilities held")
    if not together.held:
        if together.buyers > together.expected.high:
            return tr("the probabilities were too low")
        return tr("the probabilities were too high")
    return tr(
        "the probabilities were wrong by {error} percentage points on average, where up to {limit} can be expected",
        error=number(100 * quality.ece, 1),
        limit=number(100 * quality.ece_limit, 1),
    )


def _comparison(best: Realised, control: Realised, lift: Lift) -> tuple[bool | None, str]:
    """Whether the list beat the control group, None where it is open, and the first half of the verdict."""
    beat = beats(lift)
    shares = tr(
        "{best} against {control} bought, a difference of {interval} percentage points",
        best=percent(best.rate.value, 1),
        control=percent(control.rate.value, 1),
        interval=interval(100 * lift.difference.low, 100 * lift.difference.high, 1),
    )
    if beat is None:
        says = tr("the outcomes do not show yet whether the list beats the control group ({shares})", shares=shares)
    elif beat:
        says = tr("the list beat the control group ({shares})", shares=shares)
    else:
        says = tr("the list did worse than the control group ({shares})", shares=shares)
    return beat, says
