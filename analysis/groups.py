"""Which share of a list, and of its call list, each group of customers is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SELDOM, OFTEN = 0.8, 1.25
"""A group that is called so many times as often as the average customer is called noticeably seldom or often. The first
is the four-fifths rule of the Uniform Guidelines on Employee Selection Procedures (1978), the second its inverse."""
SMALLEST = 0.01
"""Share of the list of the smallest group that is judged: the ratio of a smaller one is often chance."""


@dataclass(frozen=True)
class Shares:
    """A group's share of the whole list, above 0 where it has customers, and of the call list."""

    listed: float
    called: float

    @property
    def times(self) -> float:
        """How many times as often as the average customer a customer of the group is called."""
        return self.called / self.listed

    @property
    def apart(self) -> bool:
        """Whether the group is called noticeably seldom or often."""
        return self.listed >= SMALLEST and not SELDOM < self.times < OFTEN


def shares(groups: np.ndarray, count: int, called: np.ndarray) -> list[Shares]:
    """The shares of each group.

    Args:
      groups: number of the group that a customer belongs to, whole numbers from 0 [customers].
      count: of groups.
      called: places of the called customers in `groups`, from 0.

    Returns:
      By the group's number; none where nobody is called.
    """
    if not len(called):
        return []
    listed = np.bincount(groups, minlength=count) / len(groups)
    taken = np.bincount(groups[called], minlength=count) / len(called)
    return [Shares(*pair) for pair in zip(listed.tolist(), taken.tolist(), strict=True)]
