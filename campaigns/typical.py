"""The typical customers nearest to a customer: one of each segment, by the segment model's own membership."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from campaigns.explaining import model_row, predict
from campaigns.records import Campaign, Customer
from campaigns.served import ask
from data.contract import Contract
from data.csv_rows import number_or_missing
from data.errors import ServiceError
from data.model_folder import CARD, ModelFolder, SegmentCard
from data.model_spec import SEGMENT_MODEL
from data.paths import serving_folder
from serving.client import Client

MOST = 2
Absent = Literal["no model", "no columns", "no typical customers"]
"""Why there are none: no segment model answers, the list lacks its columns, its folder does not say them."""


@dataclass(frozen=True)
class Typical:
    """The typical customer of a segment: the customer of the training rows nearest to its centre.

    Attributes:
      segment: its name.
      membership: of the customer in the segment, 0 to 1.
      cells: the typical customer as text, by column, in the columns that the list has too; columns of the call are left
        out.
      probability: of the typical customer with the customer's own call; None where that is not known.
    """

    segment: str
    membership: float
    cells: Mapping[str, str]
    probability: float | None


def nearest(
    server: str, artifacts: Path, campaign: Campaign, contract: Contract, customer: Customer
) -> tuple[Typical, ...] | Absent:
    """The typical customers of the segments that a customer belongs to most, at most MOST.

    The segment model that serves now is asked, which may be a later version than the one that named the customer's
    segment.

    Args:
      server: address of the model server.
      artifacts: the folder that runs write to, where the model's typical customers are.
      campaign: of the list.
      contract: of the list.
      customer: a scored row of it.
    """
    try:
        model = ask(server, artifacts, SEGMENT_MODEL.name)
        if model.inputs.keys() - customer.cells.keys():
            return "no columns"
        cells = {name: customer.cells[name] for name in model.inputs}
        row = {name: cell if model.inputs[name] else number_or_missing(cell) for name, cell in cells.items()}
        with Client(server, model.name, attempts=1, version=model.version) as client:
            membership = client.predict([row])[0]["membership"]
    except ServiceError:
        return "no model"
    card = _card(ModelFolder(serving_folder(artifacts, model.name) / model.version))
    if card is None or len(card.typical) != len(membership):
        return "no typical customers"
    order = sorted(range(len(membership)), key=lambda segment: -membership[segment])
    chosen = [segment for segment in order if card.typical[segment]][:MOST]
    known = [_comparable(card.typical[segment], contract, customer) for segment in chosen]
    probabilities = _probabilities(server, campaign, contract, customer, known)
    return tuple(
        Typical(card.names[segment], membership[segment], own, probability)
        for segment, own, probability in zip(chosen, known, probabilities, strict=True)
    )


def differing(customer: Customer, typical: Typical, contract: Contract) -> list[str]:
    """The columns in which a customer differs from a typical one."""
    return [
        name
        for name, cell in typical.cells.items()
        if _value(customer.cells[name], name, contract) != _value(cell, name, contract)
    ]


def _card(folder: ModelFolder) -> SegmentCard | None:
    try:
        return SegmentCard.from_json(folder.extra(CARD).read_bytes())
    except (OSError, ValueError):
        return None


def _comparable(typical: Mapping[str, str], contract: Contract, customer: Customer) -> dict[str, str]:
    return {name: cell for name, cell in typical.items() if name in customer.cells and name not in contract.planned}


def _probabilities(
    server: str, campaign: Campaign, contract: Contract, customer: Customer, typical: list[dict[str, str]]
) -> list[float | None]:
    """Of typical customers with the call of a customer, where all columns are known."""
    call = {name: customer.cells[name] for name in contract.planned}
    full = [{**cells, **call} for cells in typical]
    if any(name not in cells for cells in full for name in contract.features()):
        return [None] * len(typical)
    answers = predict(server, campaign, [model_row(cells, contract) for cells in full])
    return [None] * len(typical) if answers is None else [*answers]


def _value(cell: str, name: str, contract: Contract) -> object:
    """What is compared: numbers as the model reads them, all that is missing as one thing."""
    if name not in contract.numeric:
        return cell.strip()
    value = number_or_missing(cell)
    return None if value != value or value == contract.numeric[name].missing else float(np.float32(value))
