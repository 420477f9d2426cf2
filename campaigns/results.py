"""What a campaign brought so far, and whether the call list was worth it."""

from __future__ import annotations

import numpy as np

from analysis.campaign_results import KnownCalls, Lift, Realised, Results
from analysis.campaign_results import results as measure
from campaigns.records import Terms
from campaigns.store.outcomes import Joined
from pages.formatting import number, percent


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
        worth = "no control group shows what the list is worth"
    else:
        worth = "no outcome of the best-scored customers is known"
    joint = "but" if beat is not None and beat != found.held else "and"
    low, high = number(together.expected.low), number(together.expected.high)
    buyers = f"{number(together.buyers)} of {number(together.calls)} customers bought, {low} to {high} were expected"
    sentence = f"{worth}, {joint} {_belief(found)} ({buyers})."
    if together.calls < found.listed:
        return f"With {number(together.calls)} of {number(found.listed)} outcomes known, {sentence}"
    return sentence[0].upper() + sentence[1:]


def _belief(found: Results) -> str:
    """Whether the probabilities held: the second half of the verdict."""
    together, quality = found.together, found.quality
    if found.held:
        return "the probabilities held"
    if not together.held:
        return f"the probabilities were too {'low' if together.buyers > together.expected.high else 'high'}"
    error, limit = number(100 * quality.ece, 1), number(100 * quality.ece_limit, 1)
    return f"the probabilities were wrong by {error} percentage points on average, where up to {limit} can be expected"


def _comparison(best: Realised, control: Realised, lift: Lift) -> tuple[bool | None, str]:
    """Whether the list beat the control group, None where it is open, and the first half of the verdict."""
    difference = lift.difference
    if difference.low > 0:
        beat, says = True, "the list beat the control group"
    elif difference.high < 0:
        beat, says = False, "the list did worse than the control group"
    else:
        beat, says = None, "the outcomes do not show yet whether the list beats the control group"
    points = f"{number(100 * difference.low, 1)} to {number(100 * difference.high, 1)} percentage points"
    rates = f"{percent(best.rate.value, 1)} against {percent(control.rate.value, 1)} bought"
    return beat, f"{says} ({rates}, a difference of {points})"
