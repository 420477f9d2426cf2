"""Writes XLSX workbooks of many rows in constant memory: texts and numbers, one bold line at the top of each sheet.

The package xlsxwriter takes five times the processor time, during which the desk answers nobody else.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from xml.sax.saxutils import escape

Cell = str | int | float
"""A text, which is never run as a formula, or a number that a spreadsheet can reckon with."""

LARGEST_SHEET = 1_048_576
"""Rows of a worksheet, as Excel has them."""
LONGEST_CELL = 32_767
"""Characters of a worksheet's cell."""

_CHUNK = 500
_ODD = re.compile(r"[&<>\x00-\x08\x0b-\x1f\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}_)")
"""What XML writes otherwise or cannot hold, and what would be read as such a character (ST_Xstring of ECMA-376)."""
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_CELL = 'numFmtId="0" fillId="0" borderId="0"'
_STYLES = (
    f'<styleSheet xmlns="{_MAIN}"><fonts count="2"><font><sz val="11"/><name val="Calibri"/></font>'
    '<font><b/><sz val="11"/><name val="Calibri"/></font></fonts><fills count="2"><fill><patternFill '
    'patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill></fills><borders count="1"><border>'
    "<left/><right/><top/><bottom/><diagonal/></border></borders>"
    f'<cellStyleXfs count="1"><xf {_CELL} fontId="0"/></cellStyleXfs><cellXfs count="2"><xf {_CELL} fontId="0" '
    f'xfId="0"/><xf {_CELL} fontId="1" xfId="0" applyFont="1"/></cellXfs>'
    '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>'
)
"""Plain cells, and bold ones."""
_PANES = (
    '<sheetViews><sheetView workbookViewId="0"><pane xSplit="1" ySplit="1" topLeftCell="B2" activePane="bottomRight" '
    'state="frozen"/></sheetView></sheetViews>'
)
_NO_WARNINGS = f'<ignoredErrors><ignoredError sqref="A1:XFD{LARGEST_SHEET}" numberStoredAsText="1"/></ignoredErrors>'


class TooLargeError(ValueError):
    """There are more rows, or a cell has more characters, than a worksheet holds."""


class Workbook:
    """A workbook that is being written; use it as a context manager.

    Args:
      path: an existing file is replaced.
    """

    def __init__(self, path: Path):
        self._zip = zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1)
        self._sheets: list[str] = []

    def add(self, name: str, rows: Iterable[Iterable[Cell]]) -> None:
        """Adds a sheet.

        Args:
          name: on the tab of the sheet.
          rows: the first one is bold, and stays in sight with the first column.

        Raises:
          TooLargeError: there are too many rows, or a cell is too long.
        """
        self._sheets.append(name)
        lines = sheet_rows(rows)
        with self._zip.open(f"xl/worksheets/sheet{len(self._sheets)}.xml", "w", force_zip64=True) as sheet:
            sheet.write(f'{_XML}<worksheet xmlns="{_MAIN}">{_PANES}<sheetData>'.encode())
            while chunk := "".join(islice(lines, _CHUNK)):
                sheet.write(chunk.encode())
            sheet.write(f"</sheetData>{_NO_WARNINGS}</worksheet>".encode())

    def close(self) -> None:
        """Writes what names the sheets."""
        numbers = range(1, len(self._sheets) + 1)
        types = "".join(
            f'<Override PartName="/xl/worksheets/sheet{n}.xml" ContentType="{_TYPE}.worksheet+xml"/>' for n in numbers
        )
        links = "".join(
            f'<Relationship Id="rId{n}" Type="{_OFFICE}/worksheet" Target="worksheets/sheet{n}.xml"/>' for n in numbers
        )
        sheets = "".join(
            f'<sheet name="{escape(name, {chr(34): "&quot;"})}" sheetId="{n}" r:id="rId{n}"/>'
            for n, name in zip(numbers, self._sheets, strict=True)
        )
        styles = len(self._sheets) + 1
        parts = {
            "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types"><Default Extension="rels" '
            f'ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Override '
            f'PartName="/xl/workbook.xml" ContentType="{_TYPE}.sheet.main+xml"/><Override PartName="/xl/styles.xml" '
            f'ContentType="{_TYPE}.styles+xml"/>{types}</Types>',
            "_rels/.rels": f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="rId1" '
            f'Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
            "xl/workbook.xml": f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>{sheets}</sheets></workbook>',
            "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_PACKAGE}/relationships">{links}<Relationship '
            f'Id="rId{styles}" Type="{_OFFICE}/styles" Target="styles.xml"/></Relationships>',
            "xl/styles.xml": _STYLES,
        }
        for name, text in parts.items():
            self._zip.writestr(name, _XML + text)

    def __enter__(self) -> Workbook:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.close()
        self._zip.close()


def sheet_rows(rows: Iterable[Iterable[Cell]]) -> Iterator[str]:
    """The rows of a sheet as XML.

    Raises:
      TooLargeError: there are too many, or a cell is too long.
    """
    columns: list[str] = []
    known: dict[str, str] = {}
    for line, row in enumerate(rows, 1):
        if line > LARGEST_SHEET:
            raise TooLargeError(f"a worksheet holds at most {LARGEST_SHEET:,} rows, the header included")
        style = ' s="1"' if line == 1 else ""
        cells = []
        for place, cell in enumerate(row):
            if place == len(columns):
                columns.append(letters(place))
            if not isinstance(cell, str):
                cells.append(f'<c r="{columns[place]}{line}"{style}><v>{cell!r}</v></c>')
            elif cell:
                text = known.get(cell)
                if text is None:
                    text = _text(cell, line)
                    if len(cell) < 40 and len(known) < 10_000:  # most cells of a list repeat few texts
                        known[cell] = text
                cells.append(f'<c r="{columns[place]}{line}"{style} t="inlineStr">{text}</c>')
        yield f'<row r="{line}">{"".join(cells)}</row>'


def letters(column: int) -> str:
    """The name of a column, counted from 0: `A`, `Z`, `AA`."""
    name, rest = "", column + 1
    while rest:
        rest, letter = divmod(rest - 1, 26)
        name = chr(ord("A") + letter) + name
    return name


def _text(cell: str, line: int) -> str:
    if len(cell) > LONGEST_CELL:
        raise TooLargeError(
            f"a cell of a worksheet holds at most {LONGEST_CELL:,} characters, and row {line:,} has one of "
            f"{len(cell):,}"
        )
    return f'<is><t xml:space="preserve">{_ODD.sub(_other, cell)}</t></is>'


def _other(match: re.Match[str]) -> str:
    character = match.group()
    return {"&": "&amp;", "<": "&lt;", ">": "&gt;"}.get(character) or f"_x{ord(character):04X}_"
