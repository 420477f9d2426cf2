"""Asks the model that scored a list for probabilities, and for the reasons behind them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from campaigns.records import Campaign, Customer
from data.contract import BLANKS, Contract
from data.csv_rows import number_or_missing
from data.errors import ServiceError
from data.model_spec import PURCHASE_MODEL
from serving.client import Client, Explanation, Row

TIMEOUT = 20.0
"""Seconds; a page is shown without reasons after that."""

_Found = TypeVar("_Found")


def explain(server: str, campaign: Campaign, contract: Contract, who: Sequence[Customer]) -> list[Explanation] | None:
    """One explanation for each customer, from the version that scored the list.

    Returns:
      None where that version explains nothing, does not serve any more, or the server does not answer.
    """
    return _ask(server, campaign, lambda client: client.explain([model_row(one.cells, contract) for one in who]))


def model_row(cells: Mapping[str, str], contract: Contract) -> Row:
    """A customer as the model takes it: a missing number is NaN.

    Args:
      cells: the row as text, with each feature.
      contract: of the list.
    """
    trim = contract.source.trim
    return {name: _value(cells[name], name in contract.numeric, trim) for name in contract.features()}


def predict(server: str, campaign: Campaign, rows: Sequence[Row]) -> list[float] | None:
    """The probability of each row by the version that scored a list; None where that version does not answer now."""
    return _ask(server, campaign, lambda client: [one[PURCHASE_MODEL.score] for one in client.predict(rows)])


def _ask(server: str, campaign: Campaign, question: Callable[[Client], _Found]) -> _Found | None:
    if campaign.model is None:
        return None
    try:
        with Client(server, campaign.model, TIMEOUT, attempts=1, version=campaign.version) as client:
            return question(client)
    except ServiceError:
        return None


def _value(cell: str, numeric: bool, trim: bool) -> float | str:
    if not numeric:
        return cell.strip(BLANKS) if trim else cell
    return number_or_missing(cell)
