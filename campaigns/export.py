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
import tempfile
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path

import xlsxwriter

from campaigns.records import Campaign, Customer
from campaigns.store.customers import decile
from data.errors import UserError
from serving.client.output_files import neutral

Cell = str | int | float
"""A text, or a number that a spreadsheet can reckon with."""

MARK = "\N{ZERO WIDTH NO-BREAK SPACE}"
"""The byte order mark. Without it Excel reads a CSV file as Latin-1."""
OWN = ("identifier", "rank", "probability", "decile", "segment", "warnings", "group")
FORM = ("called", "bought")
LARGEST_SHEET = 1_048_576
"""Rows of a worksheet, as Excel has them; the header is one."""
LONGEST_CELL = 32_767
"""Characters of a worksheet's cell."""
_CHUNK = 500


def csv_rows(campaign: Campaign, customers: Iterable[Customer]) -> Iterator[str]:
    """The call list as CSV text, in chunks; cells that a spreadsheet would run as a formula get an apostrophe in front.

    Args:
      campaign: frozen.
      customers: the call list by rank, as `campaigns.store.customers.called` streams it.
    """
    names, values = zip(*_parameters(campaign), strict=True)
    rows = _rows(campaign, customers)
    yield MARK + _text([(*next(rows), *names)])
    while chunk := list(islice(rows, _CHUNK)):
        yield _text([(*row, *values) for row in chunk])


def xlsx(campaign: Campaign, customers: Iterable[Customer], path: Path) -> None:
    """Writes the call list as a workbook with the sheets `Calls` and `Parameters`. Texts are never read as formulas.

    Args:
      campaign: frozen.
      customers: as for :func:`csv_rows`.
      path: of the workbook; an existing file is replaced.

    Raises:
      UserError: the list has more rows, or a cell more characters, than a worksheet can hold.
    """
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        book = xlsxwriter.Workbook(str(path), {"constant_memory": True, "tmpdir": folder})
        bold = book.add_format({"bold": True})
        calls = book.add_worksheet("Calls")
        calls.freeze_panes(1, 1)
        for line, row in enumerate(_rows(campaign, customers)):
            if line == LARGEST_SHEET:
                raise UserError(f"a worksheet holds at most {LARGEST_SHEET - 1:,} calls; download the CSV file")
            _write(calls, line, row, None if line else bold)
        calls.ignore_errors({"number_stored_as_text": f"A1:XFD{LARGEST_SHEET}"})
        sheet = book.add_worksheet("Parameters")
        sheet.set_column(0, 1, 24)
        _write(sheet, 0, ("parameter", "value"), bold)
        for line, parameter in enumerate(_parameters(campaign), 1):
            _write(sheet, line, parameter)
        book.close()


def original(identifier: str) -> str:
    """An identifier as it was before :func:`csv_rows` wrote it."""
    bare = identifier.removeprefix("'")
    return bare if neutral(bare) == identifier else identifier


def _rows(campaign: Campaign, customers: Iterable[Customer]) -> Iterator[tuple[Cell, ...]]:
    """The header and the calls, without parameters."""
    customers = iter(customers)
    first = next(customers, None)
    columns = tuple(first.cells) if first else ()
    names = [name for name, _ in _parameters(campaign)]
    yield (*OWN, *FORM, *_distinct(columns, (*OWN, *FORM, *names)))
    for customer in chain([first] if first else [], customers):
        cells = (customer.cells[name] for name in columns)
        yield (*_own(customer, campaign.scored), "", "", *cells)


def _distinct(columns: Sequence[str], reserved: Collection[str]) -> list[str]:
    """Names for the uploaded list's columns; those with a reserved name get a name that no other column has."""
    distinct: list[str] = []
    for name in columns:
        renamed = name
        while renamed in reserved or (renamed != name and renamed in (*columns, *distinct)):
            renamed = f"list_{renamed}"
        distinct.append(renamed)
    return distinct


def _own(customer: Customer, scored: int) -> tuple[Cell, ...]:
    """What the desk says of a customer, in the order of OWN."""
    rank = customer.rank or 0
    warnings = "; ".join(customer.warnings)
    return (
        customer.identifier,
        rank,
        round(customer.probability, 6),
        decile(rank, scored),
        customer.segment or "",
        warnings,
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


def _write(
    sheet: xlsxwriter.worksheet.Worksheet,
    line: int,
    row: Iterable[Cell],
    style: xlsxwriter.format.Format | None = None,
) -> None:
    for place, cell in enumerate(row):
        if not isinstance(cell, str):
            sheet.write_number(line, place, cell, style)
        elif len(cell) > LONGEST_CELL:
            raise UserError(
                f"a cell of a worksheet holds at most {LONGEST_CELL:,} characters, and call {line} has one of "
                f"{len(cell):,}; download the CSV file"
            )
        elif cell:
            sheet.write_string(line, place, cell, style)
