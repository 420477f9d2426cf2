"""Takes the files of a folder, here or in an object store, into the spans."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from data import spans, store_data
from data.contract import Contract
from data.spans import Span

_MONTH = re.compile(r"(?<!\d)((?:19|20)\d\d-(?:0[1-9]|1[0-2]))(?![\d-]*\d)", re.ASCII)


def files(inbox: str, artifacts: Path, say: Callable[[str], None]) -> list[Path]:
    """The CSV files of a folder in name order, but for hidden ones, which may still be written.

    Args:
      inbox: a folder, or its address in an object store, whose files are downloaded.
      artifacts: the folder that everything is written to.
      say: gets a line before a download.

    Raises:
      UserError: the store has no file there or does not answer, or the connection was lost.
    """
    folder = store_data.local(inbox, artifacts, say)
    return sorted(file for file in folder.glob("*.csv") if file.is_file() and not file.name.startswith("."))


def month_in(name: str) -> str | None:
    """The month that a file's name has, such as `2009-03` in `calls-2009-03.csv`; None where it has none or several."""
    found = _MONTH.findall(name)
    return found[0] if len(found) == 1 else None


def add(folder: Path, file: Path, contract: Contract) -> tuple[Span, ...]:
    """Adds a file to the spans; it stays where it is. Returns the spans that changed.

    Args:
      folder: of the spans.
      file: whose rows change nothing if they were taken before.
      contract: of the rows. Where it infers the year, the name of the file may have the month of all its rows.

    Raises:
      UserError: the file cannot be used; nothing was added.
    """
    inferred = contract.call_date is not None and contract.call_date.column is None
    return spans.add(folder, file, contract, month=month_in(file.stem) if inferred else None)
