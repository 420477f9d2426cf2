"""Reads CSV rows one by one with Python's csv module, and says of each bad row where it is at fault and why."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path

import pyarrow as pa

from data.contract import BLANKS, MISSING_NUMBER, MISSING_TEXT, TRIM_HINT, Contract, Role
from data.contract_columns import trimmed
from data.csv_header import ENCODING, Header
from data.csv_records import (
    Dialect,
    Record,
    decode,
    first_bad_cell,
    garbled,
    printable,
    records,
    split_lines,
)

_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
FLOAT32_LIMIT = 2.0**128 - 2.0**103
"""From here on a number rounds to infinity as float32."""
_Fault = tuple[str, str, str]
"""Column, value and what was expected."""


@dataclass(frozen=True, slots=True)
class BadRow:
    """One row that cannot be read, with its first fault."""

    file: str
    line: int
    """1-based line at which the row begins; of a Parquet file, the number of the row."""
    column: str
    """Empty where the row as a whole is at fault."""
    value: str
    expected: str
    row: str
    """The row as it stands in the file."""
    index: int = field(default=0, compare=False, repr=False)
    """Rows before it in its block, good and bad ones."""

    def __str__(self) -> str:
        column = f" column {self.column!r}:" if self.column else ""
        value = self.value if len(self.value) <= 60 else self.value[:57] + "..."
        return f"{self.file}:{self.line}:{column} got {value!r}, expected {self.expected}"


BAD_COLUMNS = tuple(field.name for field in fields(BadRow) if field.compare)
"""The columns of a file of bad rows."""


@dataclass(frozen=True, slots=True)
class Block:
    """Consecutive rows of one file."""

    batch: pa.RecordBatch
    """The good rows, in file order, with the columns of :func:`data.reader.schema`."""
    bad: tuple[BadRow, ...]
    cells: pa.RecordBatch | None
    """The good rows as text. Of CUSTOMERS it has all columns of the file in its order. Of TRAINING rows it has those
    too if they were asked for; else the identifiers in the order of the contract and the column of dates, and it is
    None where the contract has neither."""


@dataclass(frozen=True)
class Layout:
    """What one file is read as."""

    path: Path
    contract: Contract
    role: Role
    header: Header
    dialect: Dialect
    schema: pa.Schema
    """Of the batches."""
    all_cells: bool = False
    """Whether the cells of all columns stay available as text; those of CUSTOMERS always do."""

    @property
    def kept(self) -> tuple[str, ...]:
        """The columns whose cells stay available as text."""
        if self.role is Role.CUSTOMERS or self.all_cells:
            return self.header.names
        date = self.contract.call_date
        return (*self.contract.identifiers, *([date.column] if date and date.column else []))


class RowParser:
    """Reads blocks row by row: slower than Arrow, and exact about faults."""

    def __init__(self, layout: Layout):
        self._layout = layout
        self._names = layout.header.names
        self._wanted = frozenset(layout.schema.names)

    def parse(self, buffer: bytes, line: int, final: bool) -> tuple[Block, int]:
        """Rows and faults of a block, and the byte at which its last whole row ends.

        Args:
          buffer: begins where a row begins.
          line: 1-based line of the file at which the buffer begins.
          final: whether the file ends with the buffer.
        """
        layout = self._layout
        lines = split_lines(buffer, final)
        texts = decode(lines)
        rows = list(records(texts, layout.dialect, final))
        end = rows[-1].end if rows else 0
        rows = [row for row in rows if row.cells != []]
        faults = {row.start: fault for row in rows if (fault := self._malformed(texts, row))}

        def text(row: Record) -> str:
            return printable("".join(texts[row.start : row.end])).rstrip("\r\n")

        return self._block(rows, faults, line, text), sum(map(len, lines[:end]))

    def check(self, table: pa.Table, line: int) -> Block:
        """Rows and faults of cells that are split already.

        Args:
          table: the cells as text, the columns in the order of the header.
          line: the number of the first row.
        """
        cells = zip(*(column.to_pylist() for column in table.columns), strict=True)
        rows = [Record(number, number + 1, [*row]) for number, row in enumerate(cells)]
        return self._block(rows, {}, line, lambda row: ",".join(row.cells or ()))

    def _block(self, rows: list[Record], faults: dict[int, _Fault], line: int, text: Callable[[Record], str]) -> Block:
        """The good and the bad rows.

        Args:
          rows: all, without blank lines.
          faults: of rows that have the wrong shape, by their start.
          line: at which the first row may begin.
          text: of a row as it stands in the file.
        """
        layout = self._layout
        sound = [row for row in rows if row.start not in faults]
        columns = self._check_columns(sound, faults)
        good = [index for index, row in enumerate(sound) if row.start not in faults]
        arrays = [pa.array([columns[field.name][index] for index in good], field.type) for field in layout.schema]
        bad = []
        for index, row in enumerate(rows):
            if row.start in faults:
                bad.append(BadRow(str(layout.path), line + row.start, *faults[row.start], text(row), index))
        batch = pa.RecordBatch.from_arrays(arrays, schema=layout.schema)
        cells = self._cells([sound[index] for index in good]) if layout.kept else None
        return Block(batch, tuple(bad), cells)

    def _cells(self, rows: list[Record]) -> pa.RecordBatch:
        columns = []
        for name in self._layout.kept:
            place = self._names.index(name)
            columns.append(pa.array([row.cells[place] for row in rows if row.cells], pa.string()))
        return pa.RecordBatch.from_arrays(columns, names=[*self._layout.kept])

    def _check_columns(self, rows: list[Record], faults: dict[int, _Fault]) -> dict[str, list]:
        """Values by column; each distinct cell is checked once. Adds the first fault of each row to `faults`."""
        columns: dict[str, list] = {name: [] for name in self._names}
        for name, cells in zip(columns, zip(*(row.cells or () for row in rows), strict=True), strict=False):
            checked = {cell: self._check_or_hint(name, cell) for cell in set(cells)}
            if any(expected for _, expected in checked.values()):
                for row, cell in zip(rows, cells, strict=True):
                    if checked[cell][1]:
                        faults.setdefault(row.start, (name, printable(cell), checked[cell][1]))
            columns[name] = [checked[cell][0] for cell in cells]
        return columns

    def _malformed(self, lines: list[str], row: Record) -> _Fault | None:
        """What is wrong with a record that is not a row of the right shape."""
        dialect, first = self._layout.dialect, lines[row.start]
        if row.cells is not None and len(row.cells) == len(self._names):
            return None
        if row.cells is None:
            index, value = first_bad_cell(first, dialect.delimiter)
            column, expected = self._names[index] if index < len(self._names) else "", row.fault
        else:
            column, value = "", first.rstrip("\r\n")
            expected = f"{len(self._names)} cells separated by {dialect.delimiter!r}, not {len(row.cells)}"
        trimmed_rows = list(records(lines[row.start : row.end], dialect._replace(trim=True), final=True))
        if len(trimmed_rows) == 1 and len(trimmed_rows[0].cells or ()) == len(self._names):
            expected = f"{expected}; {TRIM_HINT}"
        return column, printable(value), expected

    def _check_or_hint(self, name: str, cell: str) -> tuple[float | str | int | None, str]:
        """As :meth:`_check`; says so where only the blanks around a cell are wrong."""
        value, expected = self._check(name, cell)
        if expected and cell != cell.strip(BLANKS):
            tidy = trimmed(cell) if self._layout.dialect.quoted else cell.strip(BLANKS)
            if not self._check(name, tidy)[1]:
                expected = f"{expected}; {TRIM_HINT}"
        return value, expected

    def _check(self, name: str, cell: str) -> tuple[float | str | int | None, str]:
        """A cell's value, or what was expected instead."""
        contract = self._layout.contract
        if garbled(cell):
            return None, ENCODING
        if name not in self._wanted:
            return cell, ""
        if name in contract.numeric:
            rule = contract.numeric[name]
            value = number(cell)
            if value is None or (math.isnan(value) and not rule.blank) or (rule.integer and value % 1 > 0):
                blank = " or a blank cell" if rule.blank else ""
                return None, f"a {'whole ' if rule.integer else ''}number{blank}"
            return value, ""
        if name in contract.categorical:
            if cell == MISSING_TEXT and not contract.categorical[name].blank:
                return None, "a value; the contract has no `blank: true` here"
            return cell, ""
        label = contract.required_label
        if cell not in (label.negative, label.positive):
            return None, f"{label.positive!r} or {label.negative!r}"
        return int(cell == label.positive), ""


def number(cell: str) -> float | None:
    """A cell's number, NaN where it is blank, None where it is not a number."""
    cell = cell.strip(BLANKS)
    if not cell:
        return float("nan")
    if not _NUMBER.fullmatch(cell):
        return None
    value = float(cell)
    return value if abs(value) < FLOAT32_LIMIT else None


def number_or_missing(cell: str) -> float:
    """The number of a cell; one that cannot be read counts as missing."""
    value = number(cell)
    return MISSING_NUMBER if value is None else value
