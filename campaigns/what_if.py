"""What the model expects of a customer if the call is made by another channel, or is another one, than planned."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from analysis.bins import NumberBins
from analysis.profile import Profile
from campaigns.explaining import model_row, predict
from campaigns.records import Campaign, Customer
from data.contract import Contract, Numeric

MOST_VALUES = 31
"""Values of one column."""
_FIRST = (0, 1, 2, 4)
"""What is added to the lowest number of a long range; of calls it gives 1, 2, 3 and 5."""
_SHORT = 12
"""A range of whole numbers up to this length is tried whole."""


@dataclass(frozen=True)
class Choice:
    """A value that a column of the call can have.

    Attributes:
      cell: as text.
      probability: of the customer with this value; the other columns stay as planned.
      planned: whether it is the value that the list was scored with.
    """

    cell: str
    probability: float
    planned: bool


def choices(
    server: str, campaign: Campaign, contract: Contract, customer: Customer, profile: Profile | None
) -> dict[str, list[Choice]] | None:
    """For each column that describes the call its other values, the most likely to lead to a purchase first.

    Texts have all values of the contract. Numbers have the deciles of the training rows, or a few low values where
    these are not known. The size of the list is left out: another one would not change this customer.

    Args:
      server: address of the model server.
      campaign: of the list.
      contract: of the list.
      customer: a scored row of it.
      profile: of the version that scored the list; None where it is not known.

    Returns:
      By column, in the order of the contract; empty where the contract has no column of the call. None where the
      version that scored the list does not answer now.
    """
    cells = {
        name: [customer.cells[name], *_others(name, customer.cells[name], contract, profile)]
        for name in contract.at_call
        if name in customer.cells
    }
    rows = [model_row({**customer.cells, name: cell}, contract) for name, values in cells.items() for cell in values]
    answers = predict(server, campaign, rows)
    if answers is None:
        return None
    probabilities = iter(answers)
    found = {
        name: [Choice(cell, next(probabilities), place == 0) for place, cell in enumerate(values)]
        for name, values in cells.items()
    }
    return {name: sorted(values, key=lambda one: -one.probability) for name, values in found.items()}


def _others(name: str, planned: str, contract: Contract, profile: Profile | None) -> Iterator[str]:
    if name in contract.categorical:
        yield from (value for value in contract.categorical[name].values if value != planned.strip())
        return
    bins = profile.features.get(name) if profile else None
    for value in _numbers(contract.numeric[name], bins if isinstance(bins, NumberBins) else None)[:MOST_VALUES]:
        text = np.format_float_positional(np.float32(value), trim="-")
        try:
            known = np.float32(planned) == np.float32(value)
        except ValueError:
            known = False
        if not known:
            yield text


def _numbers(rule: Numeric, bins: NumberBins | None) -> list[float]:
    if bins is not None:
        return bins.quantiles()
    if not rule.integer:
        return []
    if rule.max - rule.min <= _SHORT:
        return [float(value) for value in range(int(rule.min), int(rule.max) + 1)]
    return [rule.min + more for more in _FIRST]
