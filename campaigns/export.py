"""Writes a call list for the people who make the calls: as CSV, streamed, and as XLSX, both in constant memory.

The columns are, in this order: what the desk says of the customer; `called` and `bought`, left empty, so that the
filled-in list can be uploaded as outcomes; and the columns of the uploaded list as they were. A column of the uploaded
list with the name of another column gets `list_` in front.

The parameters of the list are a second sheet of the workbook. In the CSV they are columns at the end, the same in every
row. A comment above the header would be a row of its own in a spreadsheet, would keep the header from being the first
row, and would be lost as soon as rows are sorted, cut or joined with those of another list.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

from campaigns.reasons import Reasons
from campaigns.records import Campaign, Customer
from campaigns.store.customers import decile
from campaigns.workbook import Cell, TooLargeError, Workbook
from data.errors import UserError
from serving.client.output_files import neutral

MARK = "\N{ZERO WIDTH NO-BREAK SPACE}"
"""The byte order mark. Without it Excel reads a CSV file as Latin-1."""
OWN = (
    "identifier",
    "rank",
    "probability",
    "decile",
    "segment",
    "reasons_for",
    "reasons_against",
    "warnings",
    "group",
)
FORM = ("called", "bought")
_CHUNK = 500


class Call(NamedTuple):
    """A customer to call, and why; None where the model does not say it."""

    customer: Customer
    reasons: Reasons | None


def csv_rows(campaign: Campaign, calls: Iterable[Call]) -> Iterator[str]:
    """The call list as CSV text, in chunks; cells that a spreadsheet would run as a formula get an apostrophe in front.

    Args:
      campaign: frozen.
      calls: the call list by rank.
    """
    names, values = zip(*_parameters(campaign), strict=True)
    rows = _rows(campaign, calls)
    yield MARK + _text([(*next(rows), *names)])
    while chunk := list(islice(rows, _CHUNK)):
        yield _text([(*row, *values) for row in chunk])


def xlsx(campaign: Campaign, calls: Iterable[Call], path: Path) -> None:
    """Writes the call list as a workbook with the sheets `Calls` and `Parameters`. Texts are never read as formulas.

    Args:
      campaign: frozen.
      calls: as for :func:`csv_rows`.
      path: of the workbook; an existing file is replaced.

    Raises:
      UserError: the list has more rows, or a cell more characters, than a worksheet can hold.
    """
    try:
        with Workbook(path) as book:
            book.add("Calls", _rows(campaign, calls))
            book.add("Parameters", [("parameter", "value"), *_parameters(campaign)])
    except TooLargeError as error:
        path.unlink()
        raise UserError(f"{error}; download the CSV file") from error


def original(identifier: str) -> str:
    """An identifier as it was before :func:`csv_rows` wrote it."""
    bare = identifier.removeprefix("'")
    return bare if neutral(bare) == identifier else identifier


def _rows(campaign: Campaign, calls: Iterable[Call]) -> Iterator[tuple[Cell, ...]]:
    """The header and the calls, without parameters."""
    calls = iter(calls)
    first = next(calls, None)
    columns = tuple(first.customer.cells) if first else ()
    names = [name for name, _ in _parameters(campaign)]
    yield (*OWN, *FORM, *_distinct(columns, (*OWN, *FORM, *names)))
    for call in chain([first] if first else [], calls):
        cells = (call.customer.cells[name] for name in columns)
        yield (*_own(call, campaign.scored), "", "", *cells)


def _distinct(columns: Sequence[str], reserved: Collection[str]) -> list[str]:
    """Names for the uploaded list's columns; those with a reserved name get a name that no other column has."""
    distinct: list[str] = []
    for name in columns:
        renamed = name
        while renamed in reserved or (renamed != name and renamed in (*columns, *distinct)):
            renamed = f"list_{renamed}"
        distinct.append(renamed)
    return distinct


def _own(call: Call, scored: int) -> tuple[Cell, ...]:
    """What the desk says of a customer, in the order of OWN."""
    customer, rank = call.customer, call.customer.rank or 0
    supporting, opposing = map("; ".join, call.reasons or ((), ()))
    return (
        customer.identifier,
        rank,
        round(customer.probability, 6),
        decile(rank, scored),
        customer.segment or "",
        supporting,
        opposing,
        "; ".join(customer.warnings),
        customer.called or "",
    )


def _parameters(campaign: Campaign) -> tuple[tuple[str, Cell], ...]:
    """Names and values of what decided the list."""
    terms = campaign.terms
    return (
        ("campaign_number", campaign.id),
        ("campaign_name", terms.name),
        ("uploaded_file", campaign.source),
        ("model", campaign.model or ""),
        ("model_version", campaign.version or ""),
        ("frozen_at", campaign.frozen.isoformat(timespec="seconds") if campaign.frozen else ""),
        ("cost_per_call", terms.cost),
        ("margin_per_buyer", terms.margin),
        ("calls_affordable", "" if terms.calls is None else terms.calls),
        ("control_share", terms.control_share),
        ("planned", "; ".join(f"{name}={value}" for name, value in terms.plan.items())),
    )


def _text(rows: Iterable[Iterable[Cell]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows([[neutral(cell) if isinstance(cell, str) else cell for cell in row] for row in rows])
    return text.getvalue()
