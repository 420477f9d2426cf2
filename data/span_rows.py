"""The rows of spans as CSV in the contract's dialect: cut by month, put together by day, and counted."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data import reader
from data.call_dates import Calendar
from data.contract import BLANKS, MISSING_TEXT, Contract
from data.errors import BadFileError

MOST_MESSAGES = 20
"""Bad rows named in an error message."""


def blocks(file: Path, contract: Contract) -> Iterator[reader.Block]:
    """The blocks of a file of TRAINING rows with the cells of all columns; none after a bad row.

    Raises:
      BadFileError: as `data.reader.read`; or, at the end, rows cannot be read, and the message names the first.
    """
    rows, bad, messages = 0, 0, list[str]()
    for block in reader.read(file, contract, all_cells=True):
        rows += block.batch.num_rows + len(block.bad)
        bad += len(block.bad)
        messages += map(str, block.bad[: MOST_MESSAGES - len(messages)])
        if not bad:
            yield block
    if bad:
        more = [f"... and {bad - len(messages):,} more"] if bad > len(messages) else []
        raise BadFileError("\n".join([f"{bad:,} of {rows:,} rows cannot be read; correct them", *messages, *more]))


def by_month(file: Path, contract: Contract, calendar: Calendar) -> Iterator[tuple[str, pa.Array]]:
    """The rows of a file as lines of CSV, text [rows], cut where the month changes; each with its month.

    Raises:
      BadFileError: as :func:`blocks`; or a row cannot be dated.
    """
    for block in blocks(file, contract):
        months = calendar.dates(block).astype("datetime64[D]").astype("datetime64[M]")
        for month, part in _cut(months, lines(block, contract, file)):
            yield str(month), part


def lines(block: reader.Block, contract: Contract, file: Path) -> pa.Array:
    """The good rows of a block as lines of CSV without their ends, text [rows].

    Raises:
      BadFileError: a cell has the contract's delimiter in it, which CSV without quotes cannot hold.
    """
    assert block.cells is not None
    cells = [_cell(name, block.cells[name], contract, file) for name in contract.training_header]
    return pc.binary_join_element_wise(*cells, contract.source.delimiter)


def begin(output: BinaryIO, contract: Contract) -> None:
    """Writes the header."""
    names = [_text(pa.array([name]), contract) for name in contract.training_header]
    write(output, pc.binary_join_element_wise(*names, contract.source.delimiter))


def write(output: BinaryIO, rows: pa.Array) -> None:
    """Writes lines."""
    if len(rows):
        output.write(("\n".join(rows.to_pylist()) + "\n").encode())


def merge(sources: Sequence[tuple[Path, Calendar]], contract: Contract, target: Path) -> None:
    """Writes the rows of several files of one month into one, by day; rows of one day in the order of the files.

    Args:
      sources: files of dated rows, and the calendar of each.
      contract: what a row is.
      target: the file that is written.
    """
    with target.open("wb") as output:
        begin(output, contract)
        by_day = [_by_day(file, contract, calendar) for file, calendar in sources]
        for _, rows in heapq.merge(*by_day, key=itemgetter(0)):
            write(output, rows)


@dataclass(frozen=True)
class Counts:
    """What is in a file of rows: see `data.span_folder.Manifest`; `calls` is by day since 1970-01-01."""

    rows: int
    positives: int
    calls: dict[int, int]


def count(file: Path, contract: Contract, calendar: Calendar | None) -> Counts:
    """Reads a file strictly and counts what is in it; without a calendar its calls have no days."""
    label = contract.label
    rows = positives = 0
    calls: dict[int, int] = {}
    for block in blocks(file, contract):
        rows += block.batch.num_rows
        positives += int(block.batch[label.name].to_numpy().sum()) if label else 0
        if calendar is not None:
            for day, number in zip(*np.unique(calendar.dates(block), return_counts=True), strict=True):
                calls[int(day)] = calls.get(int(day), 0) + int(number)
    return Counts(rows, positives, calls)


def _by_day(file: Path, contract: Contract, calendar: Calendar) -> Iterator[tuple[int, pa.Array]]:
    for block in blocks(file, contract):
        for day, part in _cut(calendar.dates(block), lines(block, contract, file)):
            yield int(day), part


def _cut(keys: np.ndarray, rows: pa.Array) -> Iterator[tuple[Any, pa.Array]]:
    """Rows cut where their keys, which never fall, change; each part with its key."""
    distinct, starts = np.unique(keys, return_index=True)
    for key, start, end in zip(distinct, starts, [*starts[1:], len(keys)], strict=True):
        yield key, rows.slice(start, end - start)


def _cell(name: str, column: pa.Array, contract: Contract, file: Path) -> pa.Array:
    """The cells of a column as they stand in a line of CSV."""
    source = contract.source
    if name in contract.numeric:
        return pc.utf8_trim(column, characters=BLANKS)
    if source.quoting == "none":
        held = pc.match_substring(column, source.delimiter)
        if pc.any(held).as_py():
            value = column.filter(held)[0].as_py()
            raise BadFileError(
                f"{file}: column {name!r}: got {value!r}, expected no {source.delimiter!r} inside a cell, since "
                f"contract {contract.name} has `quoting: none`"
            )
    return _text(column, contract)


def _text(column: pa.Array, contract: Contract) -> pa.Array:
    """Texts in quotes, where the contract has them there."""
    source = contract.source
    if source.quoting == "none":
        return column
    if source.quoting == "nonnumeric":
        return _quoted(column)
    needed = pc.match_substring_regex(column, rf'["\r\n]|\x{ord(source.delimiter):02x}')
    if len(contract.training_header) == 1:
        needed = pc.or_(needed, pc.equal(column, MISSING_TEXT))
    return pc.if_else(needed, _quoted(column), column)


def _quoted(column: pa.Array) -> pa.Array:
    return pc.binary_join_element_wise('"', pc.replace_substring(column, '"', '""'), '"', "")
