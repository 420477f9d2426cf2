"""A list of made-up customers that fits the served model, to try the desk with and to fill in as a template."""

from __future__ import annotations

import csv
import io
import math

import numpy as np

from campaigns.lists import IDENTIFIERS
from campaigns.served import ServedModel
from data import sample
from data.contract import Contract, Role

ROWS = 1_000
NAME = f"{sample.PREFIX}customers.csv"
_SEED = 11


def can_be_drawn(model: ServedModel) -> bool:
    """Whether customers can be made up for a model; otherwise the list is a header."""
    names = {*model.contract.columns(Role.CUSTOMERS)}
    return (model.profile is not None and names <= model.profile.features.keys()) or names <= {*sample.COLUMNS}


def text(model: ServedModel) -> str:
    """The list as CSV: a column of identifiers and the columns that a list must have for the model.

    The cells are drawn, each column for itself, from the counts of the model's training rows; where these are not
    known, from the synthetic sample if it has the columns.
    """
    contract = model.contract
    names = contract.columns(Role.CUSTOMERS)
    columns: list[list[str]] = []
    if can_be_drawn(model):
        columns = [_cells(contract, name, values) for name, values in _drawn(model).items()]
    if identifier := _identifier(contract):
        names = (identifier, *names)
        columns = [[f"S{row:04d}" for row in range(1, ROWS + 1)], *columns]
    output = io.StringIO()
    writer = csv.writer(output, lineterminator="\n")
    writer.writerow(names)
    if can_be_drawn(model):
        writer.writerows(zip(*columns, strict=True))
    return output.getvalue()


def _drawn(model: ServedModel) -> dict[str, np.ndarray]:
    names = model.contract.columns(Role.CUSTOMERS)
    if model.profile is not None and {*names} <= model.profile.features.keys():
        drawn = model.profile.draw(ROWS, np.random.default_rng(_SEED))
    else:
        (drawn,) = sample.draw(ROWS, _SEED)
    return {name: drawn[name] for name in names}


def _cells(contract: Contract, name: str, values: np.ndarray) -> list[str]:
    if name in contract.categorical:
        return [str(value) for value in values.tolist()]
    return [
        "" if math.isnan(value) else np.format_float_positional(value, trim="-") for value in values.astype(np.float32)
    ]


def _identifier(contract: Contract) -> str | None:
    if contract.identifiers:
        return contract.identifiers[0]
    taken = {name.casefold() for name in contract.features()}
    return next((name for name in IDENTIFIERS if name not in taken), None)
