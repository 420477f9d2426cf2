"""Writes XLSX workbooks of many rows in constant memory: texts and numbers, one bold line at the top of each sheet."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import xlsxwriter

Cell = str | int | float
"""A text, which is never run as a formula, or a number that a spreadsheet can reckon with."""

LARGEST_SHEET = 1_048_576
"""Rows of a worksheet, as Excel has them."""
LONGEST_CELL = 32_767
"""Characters of a worksheet's cell."""


class TooLargeError(ValueError):
    """There are more rows, or a cell has more characters, than a worksheet holds."""


class Workbook:
    """A workbook that is being written; use it as a context manager.

    Args:
      path: an existing file is replaced.
    """

    def __init__(self, path: Path):
        self._book = xlsxwriter.Workbook(path, {"constant_memory": True})
        self._bold = self._book.add_format({"bold": True})

    def add(self, name: str, rows: Iterable[Iterable[Cell]]) -> None:
        """Adds a sheet.

        Args:
          name: on the tab of the sheet.
          rows: the first one is bold, and stays in sight with the first column.

        Raises:
          TooLargeError: there are too many rows, or a cell is too long.
        """
        sheet = self._book.add_worksheet(name)
        sheet.freeze_panes(1, 1)
        sheet.ignore_errors({"number_stored_as_text": f"A1:XFD{LARGEST_SHEET}"})
        for line, row in enumerate(rows):
            if line == LARGEST_SHEET:
                raise TooLargeError(f"a worksheet holds at most {LARGEST_SHEET:,} rows, the header included")
            style = None if line else self._bold
            for place, cell in enumerate(row):
                if not isinstance(cell, str):
                    sheet.write_number(line, place, cell, style)
                elif len(cell) > LONGEST_CELL:
                    raise TooLargeError(
                        f"a cell of a worksheet holds at most {LONGEST_CELL:,} characters, and row {line + 1:,} has "
                        f"one of {len(cell):,}"
                    )
                elif cell:
                    sheet.write_string(line, place, cell, style)

    def __enter__(self) -> Workbook:
        return self

    def __exit__(self, *_: object) -> None:
        self._book.close()
