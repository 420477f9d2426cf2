"""Takes the files of a folder into the spans."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from data import spans
from data.contract import Contract
from data.errors import UserError
from data.spans import Span

_MONTH = re.compile(r"(?<!\d)((?:19|20)\d\d-(?:0[1-9]|1[0-2]))(?![\d-]*\d)", re.ASCII)


def files(inbox: Path) -> list[Path]:
    """The CSV files of a folder in name order, but for hidden ones, which may still be written."""
    return sorted(file for file in inbox.glob("*.csv") if file.is_file() and not file.name.startswith("."))


def month_in(name: str) -> str | None:
    """The month that a file's name has, such as `2009-03` in `calls-2009-03.csv`; None where it has none or several."""
    found = _MONTH.findall(name)
    return found[0] if len(found) == 1 else None


def take(folder: Path, inbox: Path, contract: Contract) -> Iterator[tuple[Span, ...] | UserError]:
    """Takes the files of a folder, each of which stays where it is; for each its new spans, or what is wrong with it.

    Args:
      folder: of the spans.
      inbox: the folder; rows of a file that were taken before change nothing.
      contract: of the rows. Where it infers the year, the name of a file may have the month of all its rows.
    """
    inferred = contract.call_date is not None and contract.call_date.column is None
    for file in files(inbox):
        try:
            yield spans.add(folder, file, contract, month=month_in(file.stem) if inferred else None)
        except UserError as error:
            yield error
