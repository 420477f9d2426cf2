"""Chooses the customers of a call list: the best-scored ones and a control group."""

from __future__ import annotations

import numpy as np

from analysis.campaigns import paying, split
from campaigns.records import Terms


def choose(probabilities: np.ndarray, terms: Terms, seed: int) -> tuple[int, tuple[int, ...]]:
    """Which customers are called.

    The control group is drawn from the customers that are not among the best. Where the calls are left open, every
    customer whose probability is above cost / margin is called. Where nearly all customers are called, few are left to
    draw from: the control group is then the worst-scored ones, and the best beat it more easily.

    Args:
      probabilities: of the whole list, in falling order, float64 [customers].
      terms: of the campaign.
      seed: of the draw; the campaign's id, so that the draw can be repeated.

    Returns:
      How many of the best-scored customers are called, and the ranks of the control group, from 1, in rising order.
    """
    calls = paying(probabilities, terms.cost, terms.margin) if terms.calls is None else terms.calls
    best, control = (int(part) for part in split(min(calls, len(probabilities)), terms.control_share))
    drawn = np.random.default_rng(seed).choice(len(probabilities) - best, control, replace=False)
    return best, tuple((np.sort(drawn) + best + 1).tolist())
