"""When the purchase model is trained again, on which months, and which months are not to be believed.

The live schedule follows these rules, and the backtest replays them. They read nothing and change nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

DRIFT_DAYS = 7
"""Days in a row with a drift alarm after which the model is trained again."""
ABOVE_CHANCE = 1.645
"""Standard errors: a ranking below this may be chance (one-sided 5 %)."""
LEARNABLE = 2.33
"""Standard errors: a cross-validated ranking inside a month below this may be chance (one-sided 1 %, since the errors
of cross-validated scores are larger than those of the formula)."""


@dataclass(frozen=True)
class Month:
    """A month of labelled calls.

    Attributes:
      name: such as `2009-03`.
      version: of its span; a correction makes a new one.
    """

    name: str
    version: int


@dataclass(frozen=True)
class Situation:
    """What the schedule knows when it decides.

    Attributes:
      finished: the months that are over and were not set aside, oldest first.
      trained_on: the months that the newest model learned from; None where there is no model.
      drift_days: days in a row, up to today, with a drift alarm.
      rate_outside: whether the share of positive rows in the newest month lies outside the interval that the model
        expected.
      asked: whether a person asked for a training.
    """

    finished: tuple[Month, ...]
    trained_on: tuple[Month, ...] | None
    drift_days: int = 0
    rate_outside: bool = False
    asked: bool = False


def reasons_to_train(situation: Situation) -> tuple[str, ...]:
    """Why the model is to be trained now, in words; empty where it is not."""
    if not situation.finished:
        return ()
    if situation.trained_on is None:
        return ("there is no model yet",)
    found = []
    before = {month.name: month.version for month in situation.trained_on}
    new = [month.name for month in situation.finished if month.name not in before]
    corrected = [month.name for month in situation.finished if before.get(month.name, month.version) != month.version]
    if new:
        found.append(f"{_listed(new)} finished")
    if corrected:
        found.append(f"{_listed(corrected)} corrected")
    if situation.drift_days >= DRIFT_DAYS:
        found.append(f"drift on {situation.drift_days} days in a row")
    if situation.rate_outside:
        found.append("the share of buyers in the newest month lies outside its interval")
    if situation.asked:
        found.append("asked for")
    return tuple(found)


def training_months(finished: Sequence[Month]) -> tuple[Month, ...]:
    """The months to learn from: all. Older calls count less by the contract's half-life."""
    return tuple(finished)


def doubt(month: str, champion: float | None, inside: float | None) -> str | None:
    """Why the labels of a month are not to be believed, in words; None where they are.

    Labels that went to the wrong customers look like this: neither the model of before nor one that is learned from the
    month itself ranks its customers better than chance. Of the 28 months of bank-full with enough rows, two genuine
    ones look so too: March and July 2009, at the turn from long to short lists. The bounds were chosen on these months.

    Args:
      month: its name.
      champion: AUC of the model of before on the month minus 0.5, in standard errors; None where it cannot be measured.
      inside: likewise of scores by cross-validation inside the month.
    """
    if champion is None or inside is None or champion >= ABOVE_CHANCE or inside >= LEARNABLE:
        return None
    return (
        f"{month}: neither the model that serves nor one learned from the month itself ranks its customers better than "
        f"chance ({champion:+.1f} and {inside:+.1f} standard errors), so its labels may be those of other customers"
    )


def _listed(months: Sequence[str]) -> str:
    return months[0] if len(months) == 1 else f"{months[0]} to {months[-1]}"
