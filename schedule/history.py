"""What the ledger says of the trainings so far: how they ended, what a version learned from, what is left open."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from runs.decisions import Decision
from schedule.policy import Month

_ENDS = ("canary", "refuse", "fail")
"""What a training ends with: its model was pushed, it was refused, there is none."""


class Attempt(NamedTuple):
    """A training, and the decision that ended it; None while it is open."""

    begin: Decision
    end: Decision | None


def attempts(decisions: Sequence[Decision]) -> list[Attempt]:
    """All trainings, oldest first."""
    found: list[Attempt] = []
    for decision in decisions:
        if decision.action == "train":
            found.append(Attempt(decision, None))
        elif decision.action in _ENDS and found and found[-1].end is None:
            found[-1] = Attempt(found[-1].begin, decision)
    return found


def open_training(decisions: Sequence[Decision]) -> Decision | None:
    """The newest training if its end is not known: it runs, or it was killed."""
    last = next(reversed(attempts(decisions)), None)
    return last.begin if last is not None and last.end is None else None


def open_canary(decisions: Sequence[Decision]) -> Decision | None:
    """The newest challenger if it was neither promoted nor withdrawn."""
    places = [place for place, decision in enumerate(decisions) if decision.action == "canary"]
    if not places:
        return None
    challenger, later = decisions[places[-1]], decisions[places[-1] + 1 :]
    ended = any(one.action in ("promote", "roll-back") and one.version == challenger.version for one in later)
    return None if ended else challenger


def learned_last(decisions: Sequence[Decision]) -> tuple[Month, ...] | None:
    """The months of the newest training that came to a verdict, good or bad; None where there is none.

    A training that failed is tried again, a challenger that was refused is not.
    """
    for attempt in reversed(attempts(decisions)):
        if attempt.end is not None and attempt.end.action != "fail":
            return _months(attempt.begin)
    return None


def checked(decisions: Sequence[Decision]) -> frozenset[Month]:
    """The months that a training was begun on, so that their labels had been checked."""
    return frozenset(month for attempt in attempts(decisions) for month in _months(attempt.begin))


def learned_by(decisions: Sequence[Decision], version: int) -> frozenset[str] | None:
    """The names of the months that a version learned from; None where the ledger does not know."""
    for attempt in reversed(attempts(decisions)):
        if attempt.end is not None and attempt.end.action == "canary" and attempt.end.version == version:
            return frozenset(month.name for month in _months(attempt.begin))
    return None


def predecessor(decisions: Sequence[Decision], champion: int) -> int | None:
    """The champion before this one; None where the ledger knows of none."""
    places = [i for i, one in enumerate(decisions) if one.action == "promote" and one.champion == champion]
    if not places:
        return None
    earlier = (one.champion for one in reversed(decisions[: places[-1]]))
    return next((version for version in earlier if version not in (None, champion)), None)


def _months(begin: Decision) -> tuple[Month, ...]:
    return tuple(Month(name, version) for name, version in begin.trained_on)
