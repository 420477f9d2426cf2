"""Asks the model that scored a list for probabilities, and for the reasons behind them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from campaigns.records import Campaign, Customer
from data.contract import BLANKS, MISSING_NUMBER, Contract
from data.csv_rows import number
from data.errors import ServiceError
from data.model_spec import PURCHASE_MODEL
from serving.client import Client, Explanation, Row

TIMEOUT = 20.0
"""Seconds; a page is shown without reasons after that."""


def explain(server: str, campaign: Campaign, contract: Contract, who: Sequence[Customer]) -> list[Explanation] | None:
    """One explanation for each customer, from the version that scored the list.

    Returns:
      None where that version explains nothing, does not serve any more, or the server does not answer.
    """
    if campaign.model is None:
        return None
    rows = [model_row(customer.cells, contract) for customer in who]
    try:
        with Client(server, campaign.model, TIMEOUT, attempts=1, version=campaign.version) as client:
            return client.explain(rows)
    except ServiceError:
        return None


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
    if campaign.model is None:
        return None
    try:
        with Client(server, campaign.model, TIMEOUT, attempts=1, version=campaign.version) as client:
            return [answer[PURCHASE_MODEL.score] for answer in client.predict(rows)]
    except ServiceError:
        return None


def _value(cell: str, numeric: bool, trim: bool) -> float | str:
    if not numeric:
        return cell.strip(BLANKS) if trim else cell
    return number_or_missing(cell)


def number_or_missing(cell: str) -> float:
    """The number of a cell; one that cannot be read counts as missing."""
    value = number(cell)
    return MISSING_NUMBER if value is None else value
