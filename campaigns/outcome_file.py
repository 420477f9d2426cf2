"""Reads what became of the calls from a CSV file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from campaigns.export import original
from campaigns.records import Outcome
from data.contract import Label, Source
from data.csv_header import ENCODING, Header, read_header
from data.csv_records import Dialect, Record, decode, first_bad_cell, garbled, printable, records, split_lines
from data.csv_rows import BadRow
from data.errors import BadFileError, did_you_mean

COLUMNS = ("identifier", "called", "bought")
MOST_FAULTS = 20
"""Faults named in a message."""
_WORDS = {"yes": True, "1": True, "true": True, "no": False, "0": False, "false": False}
_BLOCK_BYTES = 8 << 20


@dataclass(frozen=True)
class OutcomeFile:
    """What a file of outcomes says.

    Attributes:
      outcomes: one for each identifier, in the order of the file.
      repeated: identifiers that the file has more than once; the last row counts.
      open: rows that say neither whether the customer was called nor whether the customer bought; they are left out.
    """

    outcomes: tuple[Outcome, ...]
    repeated: tuple[str, ...]
    open: int


def read_outcomes(path: Path, recorded: datetime, label: Label | None = None) -> OutcomeFile:
    """Reads a CSV file with the columns `identifier`, `called` and `bought`; other columns are left alone.

    `called` and `bought` are yes, no, 1, 0, true or false in upper or lower case; `bought` may also be a value of the
    label, or blank where it is not known. The exported call list with these two columns filled in is such a file.

    Args:
      path: of the file; separated by `, ; tab |`, UTF-8.
      recorded: when it was uploaded.
      label: of the contract.

    Raises:
      BadFileError: not such a file; or rows are at fault, and the message names the line, the column, the value and
        what was expected of the first 20.
    """
    head = read_header(path, Source())
    for name in COLUMNS:
        if name not in head.names:
            hint = did_you_mean(name, head.names)
            raise BadFileError(f"{path}:{head.lines}: no column {name!r}{hint}; expected {', '.join(COLUMNS)}")
    found: dict[str, Outcome] = {}
    repeated: dict[str, None] = {}
    faults: list[str] = []
    blank = 0
    for row in _rows(path, head, label):
        if isinstance(row, BadRow):
            faults.append(str(row))
        elif row.called is None:
            blank += 1
        else:
            if found.pop(row.identifier, None):
                repeated[row.identifier] = None
            found[row.identifier] = Outcome(row.identifier, row.called, row.bought, recorded)
    if faults:
        more = [f"and {len(faults) - MOST_FAULTS:,} more"] if len(faults) > MOST_FAULTS else []
        raise BadFileError("\n".join([*faults[:MOST_FAULTS], *more]))
    if not found and not blank:
        raise BadFileError(f"{path}: the file has a header but no rows")
    return OutcomeFile(tuple(found.values()), tuple(repeated), blank)


@dataclass(frozen=True, slots=True)
class _Row:
    """A row of the file; `called` is None where the row says nothing of the call."""

    identifier: str
    called: bool | None
    bought: bool | None


class _FaultError(Exception):
    """What is wrong with a row: column, value and what was expected."""


def _rows(path: Path, head: Header, label: Label | None) -> Iterator[_Row | BadRow]:
    words = {**_WORDS, label.positive.casefold(): True, label.negative.casefold(): False} if label else _WORDS
    for line, text, record in _records(path, head):
        try:
            yield _row(record, text, head, words)
        except _FaultError as fault:
            column, value, expected = fault.args
            yield BadRow(str(path), line, column, printable(value), expected, printable(text).rstrip("\r\n"))


def _records(path: Path, head: Header) -> Iterator[tuple[int, str, Record]]:
    """Each record that is not an empty line, with the line at which it begins, from 1, and its text."""
    dialect = Dialect(head.delimiter, quoted=True, trim=False)
    with path.open("rb") as file:
        file.seek(head.end)
        buffer, line, final = b"", head.lines + 1, False
        while not final:
            chunk = file.read(max(_BLOCK_BYTES, len(buffer)))
            final = not chunk
            lines = split_lines(buffer + chunk, final)
            texts, end = decode(lines), 0
            for record in records(texts, dialect, final):
                end = record.end
                if record.cells != []:
                    yield line + record.start, "".join(texts[record.start : end]), record
            buffer = (buffer + chunk)[sum(map(len, lines[:end])) :]
            line += end


def _row(record: Record, text: str, head: Header, words: Mapping[str, bool]) -> _Row:
    if record.cells is None:
        index, value = first_bad_cell(text, head.delimiter)
        raise _FaultError(head.names[index] if index < len(head.names) else "", value, record.fault)
    if len(record.cells) != len(head.names):
        expected = f"{len(head.names)} cells separated by {head.delimiter!r}, not {len(record.cells)}"
        raise _FaultError("", text.rstrip("\r\n"), expected)
    cells = dict(zip(head.names, record.cells, strict=True))
    identifier = cells["identifier"]
    called = _word(cells, "called", _WORDS, f"{', '.join(_WORDS)} or a blank cell")
    bought = _word(cells, "bought", words, f"{', '.join(words)} or a blank cell")
    if called is None and bought is not None:
        raise _FaultError("called", cells["called"], f"{', '.join(_WORDS)}; `bought` is known")
    if garbled(identifier):
        raise _FaultError("identifier", identifier, ENCODING)
    if not identifier and any(cell.strip() for cell in record.cells):
        raise _FaultError("identifier", identifier, "the customer's identifier, as in the list")
    return _Row(original(identifier), called, bought)


def _word(cells: Mapping[str, str], column: str, words: Mapping[str, bool], expected: str) -> bool | None:
    """What a cell says; None where it is blank."""
    word = cells[column].strip().casefold()
    if word and word not in words:
        raise _FaultError(column, cells[column], expected)
    return words[word] if word else None
