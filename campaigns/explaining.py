"""Asks the model that scored a list why its customers have their probabilities."""

from __future__ import annotations

import math
from collections.abc import Sequence

from campaigns.records import Campaign, Customer
from data.contract import BLANKS, Contract
from data.csv_rows import number
from data.errors import ServiceError
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
    rows = [_row(customer, contract) for customer in who]
    try:
        with Client(server, campaign.model, TIMEOUT, attempts=1, version=campaign.version) as client:
            return client.explain(rows)
    except ServiceError:
        return None


def _row(customer: Customer, contract: Contract) -> Row:
    """A customer as the model takes it: a missing number is NaN."""
    trim = contract.source.trim
    return {name: _value(customer.cells[name], name in contract.numeric, trim) for name in contract.features()}


def _value(cell: str, numeric: bool, trim: bool) -> float | str:
    if not numeric:
        return cell.strip(BLANKS) if trim else cell
    value = number(cell)
    return math.nan if value is None else value
