"""The outcomes of the campaign desk as labelled calls with a date."""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Literal

from campaigns import training
from campaigns.training import Manifest
from data import spans
from data.call_dates import MONTHS, WEEKDAYS
from data.contract import Contract
from data.errors import BadFileError, UserError
from data.spans import Span


def take(folder: Path, desk: Path, contract: Contract) -> Iterator[tuple[Span, ...] | UserError]:
    """Takes the outcomes of each campaign; for each its new spans, or what is wrong with it.

    A call of the desk has the date on which its list was frozen, whatever the list says. Outcomes that came later, were
    corrected or removed become a new version of that month.

    Args:
      folder: of the spans.
      desk: the desk's folder.
      contract: of the calls; campaigns with another one are left alone.
    """
    for found in _manifests(desk):
        if found.contract != contract.name:
            continue
        source, day = f"campaign-{found.campaign}", found.frozen.date()
        try:
            if not found.rows:
                yield spans.withdraw(folder, contract, source)
                continue
            with tempfile.TemporaryDirectory() as work:
                file = Path(work) / f"{source}.csv"
                _write_dated(training.file(desk, found.campaign), file, contract, day)
                month = f"{day:%Y-%m}" if contract.call_date else None
                yield spans.add(folder, file, contract, source, month)
        except UserError as error:
            yield BadFileError(f"campaign {found.campaign} ({found.name}): {error}")


def _manifests(desk: Path) -> Iterator[Manifest]:
    numbers = sorted(int(file.stem) for file in (desk / training.FOLDER).glob("*.json") if file.stem.isdecimal())
    for number in numbers:
        if found := training.manifest(desk, number):
            yield found


def _write_dated(source: Path, target: Path, contract: Contract, day: date) -> None:
    """Copies the desk's training rows with the date of the call in the columns that the contract takes it from."""
    delimiter = contract.source.delimiter
    quoting: Literal[0, 3] = csv.QUOTE_NONE if contract.source.quoting == "none" else csv.QUOTE_MINIMAL
    cells = _date_cells(contract, day)
    with source.open(encoding="utf-8", newline="") as rows, target.open("w", encoding="utf-8", newline="") as output:
        reader = csv.DictReader(rows, delimiter=delimiter, quoting=quoting)
        names = dict.fromkeys([*(reader.fieldnames or ()), *cells])
        writer = csv.DictWriter(output, list(names), delimiter=delimiter, quoting=quoting)
        writer.writeheader()
        writer.writerows({**row, **cells} for row in reader)


def _date_cells(contract: Contract, day: date) -> dict[str, str]:
    """The cells that say a date, by column."""
    rule = contract.call_date
    if rule is None:
        return {}
    month, weekday = MONTHS[day.month - 1], WEEKDAYS[day.weekday()]
    cells = {
        rule.column: day.isoformat(),
        rule.day: str(day.day),
        rule.month: month if rule.month in contract.categorical else str(day.month),
        rule.day_of_week: weekday if rule.day_of_week in contract.categorical else str(day.isoweekday()),
    }
    return {name: text for name, text in cells.items() if name is not None}
