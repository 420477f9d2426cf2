"""Streams CSV files as Arrow record batches, every row checked against the data contract.

A file is read in blocks of some megabytes, each cut where a row ends. Arrow parses a block in one go; only when
something in it looks odd is that block read again row by row with Python's csv module, which finds each bad row and
says where and why. Both ways read the same rows: what Python's csv accepts as strict CSV, in UTF-8, with LF or CRLF
line ends, a byte order mark or not.

A number is written in decimal, such as `-1`, `.5` or `1.5e3`, spaces around it allowed, and fits a float32; `nan`,
`inf`, hexadecimal and digit separators are not numbers. An unknown category or a number outside its range is no
fault of the file: the schema check reports those as anomalies.
"""

from __future__ import annotations

import csv
import difflib
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.csv

from data.contract import MISSING_TEXT, Contract, Role, header_difference
from data.errors import BadFileError

DELIMITERS = ",;\t|"
"""What a file may be separated by, whatever its contract says."""
BLOCK_BYTES = 8 << 20
"""Read at once; large enough for Arrow's speed, small enough that a block and its rows stay below 200 MB."""
_LONGEST_LINE = 64 << 20
_HEADER_BYTES = 1 << 20
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_FLOAT32_LIMIT = 2.0**128 - 2.0**103
"""From here on a number rounds to infinity as float32."""
_ENCODING = "UTF-8 text; save the file as UTF-8"


@dataclass(frozen=True, slots=True)
class BadRow:
    """One row that cannot be read, with its first fault."""

    file: str
    line: int
    """1-based line at which the row begins."""
    column: str
    """Empty where the row as a whole is at fault."""
    value: str
    expected: str
    row: str
    """The row as it stands in the file."""

    def __str__(self) -> str:
        column = f" column {self.column!r}:" if self.column else ""
        value = self.value if len(self.value) <= 60 else self.value[:57] + "..."
        return f"{self.file}:{self.line}:{column} got {value!r}, expected {self.expected}"


@dataclass(frozen=True, slots=True)
class Block:
    """Consecutive rows of one file."""

    batch: pa.RecordBatch
    """The good rows, in file order, with the columns of :func:`schema`."""
    bad: tuple[BadRow, ...]


def schema(contract: Contract) -> pa.Schema:
    """Columns of a batch: numbers float32 (blank is NaN), text string (blank is ""), the label int64 0 or 1."""
    return pa.schema(
        [(name, pa.float32()) for name in contract.numeric]
        + [(name, pa.string()) for name in contract.categorical]
        + [(contract.label.name, pa.int64())]
    )


def files(path: str | Path) -> list[Path]:
    """The CSV files a path stands for: itself, or the `*.csv` of a folder in name order.

    Raises:
      BadFileError: there is no such file, or no CSV file in the folder.
    """
    path = Path(path)
    if path.is_dir():
        found = sorted(file for file in path.iterdir() if file.suffix.lower() == ".csv" and file.is_file())
        if not found:
            raise BadFileError(f"{path}: no .csv file in this folder")
        return found
    if not path.exists():
        siblings = [file.name for file in path.parent.iterdir()] if path.parent.is_dir() else []
        close = difflib.get_close_matches(path.name, siblings, n=1)
        raise BadFileError(f"{path}: no such file" + (f" (did you mean {close[0]!r}?)" if close else ""))
    return [path]


def header(path: str | Path) -> tuple[tuple[str, ...], str]:
    """Column names of a CSV file and its delimiter, the one of `, ; tab |` that gives the most columns.

    Raises:
      BadFileError: no such file, a folder, an empty or binary file, not UTF-8, or a column named twice.
    """
    found = _read_header(Path(path), quoted=True)
    return found.names, found.delimiter


def read(path: str | Path, contract: Contract, block_bytes: int = BLOCK_BYTES) -> Iterator[Block]:
    """Reads one file block by block in constant memory.

    Args:
      path: a CSV file with the contract's columns in any order.
      contract: what a row must be. Its delimiter is tried first, then the other usual ones.
      block_bytes: read at once.

    Raises:
      BadFileError: as :func:`header`; other columns than the contract's; no rows; or a line without an end.
    """
    path = Path(path)
    parser = _Parser(path, contract, _read_header(path, contract.source.quoting != "none", contract))
    rows = 0
    for block in parser.blocks(block_bytes):
        rows += block.batch.num_rows + len(block.bad)
        yield block
    if not rows:
        raise BadFileError(f"{path}: the file has a header but no rows")


_Fault = tuple[str, str, str]
"""Column, value and what was expected."""


@dataclass(frozen=True)
class _Header:
    names: tuple[str, ...]
    delimiter: str
    end: int
    """Byte at which the rows begin."""
    lines: int
    """Lines before the rows."""


def _read_header(path: Path, quoted: bool, contract: Contract | None = None) -> _Header:
    try:
        with path.open("rb") as file:
            start = file.read(_HEADER_BYTES)
    except FileNotFoundError:
        files(path)
        raise
    except OSError as error:
        raise BadFileError(f"{path}: cannot be read: {error.strerror}") from error
    skipped = 3 if start.startswith(b"\xef\xbb\xbf") else 0
    body = start[skipped:]
    if not body.strip():
        raise BadFileError(f"{path}: the file is empty; expected a header line and rows")
    _refuse_other_formats(path, start)

    lines = _lines(body, final=len(start) < _HEADER_BYTES)
    if not lines:
        raise BadFileError(f"{path}:1: no line end in {_HEADER_BYTES} bytes; is this a CSV file?")
    texts = _decode(lines)
    candidates = []
    for delimiter in dict.fromkeys((contract.source.delimiter if contract else ",") + DELIMITERS):
        record = next((r for r in _records(texts, delimiter, quoted, final=True) if r.cells != []), None)
        if record and record.cells:
            end = skipped + sum(map(len, lines[: record.end]))
            candidates.append(_Header(tuple(record.cells), delimiter, end, record.end))
    if not candidates:
        raise BadFileError(f"{path}:1: the header cannot be read as CSV: {_shown(texts[0])!r}")
    best = max(candidates, key=lambda found: len(found.names))
    if contract:
        best = next((found for found in candidates if contract.header(Role.TRAINING) == set(found.names)), best)
    _check_names(path, best, contract)
    return best


def _refuse_other_formats(path: Path, start: bytes) -> None:
    for magic, what in (
        (b"PK\x03\x04", "is a zip archive or an Excel workbook; save the sheet as CSV"),
        (b"\x1f\x8b", "is compressed with gzip; unpack it first"),
        (b"\xff\xfe", f"is UTF-16, expected {_ENCODING}"),
        (b"\xfe\xff", f"is UTF-16, expected {_ENCODING}"),
    ):
        if start.startswith(magic):
            raise BadFileError(f"{path}: the file {what}")
    if b"\0" in start.split(b"\n", 1)[0]:
        raise BadFileError(f"{path}: the file is binary, expected CSV text")
    if b"\n" not in start and b"\r" in start.rstrip():
        raise BadFileError(f"{path}: lines end in a lone carriage return; save the file with LF or CRLF line ends")


def _check_names(path: Path, found: _Header, contract: Contract | None) -> None:
    names = found.names
    garbled = [name for name in names if _garbled(name)]
    if garbled:
        raise BadFileError(
            f"{path}:{found.lines}: column {names.index(garbled[0]) + 1}: got {_shown(garbled[0])!r}, "
            f"expected {_ENCODING}"
        )
    doubles = sorted({name for name in names if names.count(name) > 1})
    if doubles:
        raise BadFileError(f"{path}:{found.lines}: columns are named twice: {', '.join(map(repr, doubles))}")
    if contract is None or contract.header(Role.TRAINING) == set(names):
        return
    if len(names) == 1:
        raise BadFileError(
            f"{path}:{found.lines}: the header is a single column, {names[0]!r}; expected "
            f"{len(contract.header(Role.TRAINING))} columns separated by {contract.source.delimiter!r}"
        )
    raise BadFileError(
        f"{path}:{found.lines}: the header differs from contract {contract.name}: {header_difference(contract, names)}"
    )


class _Parser:
    """The rows of one file under one contract."""

    def __init__(self, path: Path, contract: Contract, found: _Header):
        self.path = path
        self.contract = contract
        self.header = found
        self.quoted = contract.source.quoting != "none"
        self.schema = schema(contract)
        label = contract.label
        self.labels = pa.array([label.negative, label.positive])
        self.read_options = pa.csv.ReadOptions(column_names=found.names, block_size=1 << 20)
        self.parse_options = pa.csv.ParseOptions(
            delimiter=found.delimiter, quote_char='"' if self.quoted else False, newlines_in_values=self.quoted
        )
        self.convert_options = pa.csv.ConvertOptions(
            column_types={n: pa.float64() if n in contract.numeric else pa.string() for n in found.names},
            null_values=[""],
            strings_can_be_null=False,
        )

    def blocks(self, block_bytes: int) -> Iterator[Block]:
        with self.path.open("rb") as file:
            file.seek(self.header.end)
            buffer, line, final = b"", self.header.lines + 1, False
            while not final:
                chunk = file.read(max(block_bytes, len(buffer)))
                final = not chunk
                buffer += chunk
                end = len(buffer) if final else _last_row_end(buffer, self.quoted)
                batch = self._parse(buffer[:end]) if end else None
                if batch is not None:
                    block = Block(batch, ())
                else:
                    block, end = self._parse_by_row(buffer, line, final)
                if not end and len(buffer) > _LONGEST_LINE:
                    raise BadFileError(f"{self.path}:{line}: no line end in {len(buffer)} bytes; is this a CSV file?")
                if block.batch.num_rows or block.bad:
                    yield block
                line += buffer.count(b"\n", 0, end)
                buffer = buffer[end:]

    def _parse(self, block: bytes) -> pa.RecordBatch | None:
        """The rows of a block by way of Arrow, or None where the block needs a closer look."""
        if b"\0" in block or block.count(b"\r") != block.count(b"\r\n"):
            return None
        if not block.isascii():
            try:
                block.decode()
            except UnicodeDecodeError:
                return None
        if self.quoted and not _well_quoted(block, self.header.delimiter):
            return None
        try:
            # Not `read_csv`, which in this Arrow walks all Python objects at each call on behalf of signal handling.
            stream = pa.csv.open_csv(
                pa.BufferReader(block), self.read_options, self.parse_options, self.convert_options
            )
            table = stream.read_all().combine_chunks()
        except pa.ArrowInvalid:
            return None
        columns = []
        for name in self.schema.names:
            column = self._convert(name, table.column(name))
            if column is None:
                return None
            columns.append(column)
        if any(_lengths(table.column(name))[1] > csv.field_size_limit() for name in self.contract.identifiers):
            return None
        return pa.RecordBatch.from_arrays(columns, schema=self.schema)

    def _convert(self, name: str, column: pa.ChunkedArray) -> pa.Array | None:
        if name in self.contract.numeric:
            rule = self.contract.numeric[name]
            exact = column.to_numpy()
            with np.errstate(over="ignore"):
                numbers = exact.astype(np.float32)
            blanks = column.null_count
            if blanks and not rule.blank:
                return None
            if blanks != np.count_nonzero(~np.isfinite(numbers)):
                return None
            if rule.integer and np.count_nonzero(exact != np.floor(exact)) != blanks:
                return None
            return pa.array(numbers)
        if name == self.contract.label.name:
            numbers = pa.compute.index_in(column, value_set=self.labels)
            return None if numbers.null_count else _flat(numbers.cast(pa.int64()))
        shortest, longest = _lengths(column)
        if longest > csv.field_size_limit() or (not shortest and not self.contract.categorical[name].blank):
            return None
        return _flat(column)

    def _parse_by_row(self, buffer: bytes, line: int, final: bool) -> tuple[Block, int]:
        """Rows and faults of a block by way of Python's csv module, and the byte at which its last whole row ends."""
        lines = _lines(buffer, final)
        texts = _decode(lines)
        records = list(_records(texts, self.header.delimiter, self.quoted, final))
        end = records[-1].end if records else 0
        records = [record for record in records if record.cells != []]
        faults = {r.start: fault for r in records if (fault := self._malformed(texts[r.start], r))}
        sound = [record for record in records if record.start not in faults]
        columns = self._check_columns(sound, faults)
        good = [index for index, record in enumerate(sound) if record.start not in faults]
        arrays = [pa.array([columns[field.name][index] for index in good], field.type) for field in self.schema]
        bad = []
        for start, stop in ((record.start, record.end) for record in records if record.start in faults):
            row = _shown("".join(texts[start:stop])).rstrip("\r\n")
            bad.append(BadRow(str(self.path), line + start, *faults[start], row))
        return Block(pa.RecordBatch.from_arrays(arrays, schema=self.schema), tuple(bad)), sum(map(len, lines[:end]))

    def _check_columns(self, records: list[_Record], faults: dict[int, _Fault]) -> dict[str, list]:
        """Values by column, each distinct cell being checked once; adds each record's first fault to `faults`."""
        columns: dict[str, list] = {name: [] for name in self.header.names}
        for name, cells in zip(columns, zip(*(record.cells for record in records), strict=True), strict=False):
            checked = {cell: self._check(name, cell) for cell in set(cells)}
            if any(expected for _, expected in checked.values()):
                for record, cell in zip(records, cells, strict=True):
                    if checked[cell][1]:
                        faults.setdefault(record.start, (name, _shown(cell), checked[cell][1]))
            columns[name] = [checked[cell][0] for cell in cells]
        return columns

    def _malformed(self, first_line: str, record: _Record) -> _Fault | None:
        """What is wrong with a record that is no row of the right shape."""
        names = self.header.names
        if record.cells is None:
            index, value = _first_bad_cell(first_line, self.header.delimiter)
            return names[index] if index < len(names) else "", _shown(value), record.fault
        if len(record.cells) != len(names):
            expected = f"{len(names)} cells separated by {self.header.delimiter!r}, not {len(record.cells)}"
            return "", _shown(first_line).rstrip("\r\n"), expected
        return None

    def _check(self, name: str, cell: str) -> tuple[float | str | int | None, str]:
        """A cell's value, or what was expected instead."""
        if _garbled(cell):
            return None, _ENCODING
        if name in self.contract.numeric:
            rule = self.contract.numeric[name]
            value = _number(cell)
            if value is None or (math.isnan(value) and not rule.blank) or (rule.integer and value % 1 > 0):
                blank = " or a blank cell" if rule.blank else ""
                return None, f"a {'whole ' if rule.integer else ''}number{blank}"
            return value, ""
        if name == self.contract.label.name:
            label = self.contract.label
            if cell not in (label.negative, label.positive):
                return None, f"{label.positive!r} or {label.negative!r}"
            return int(cell == label.positive), ""
        if name in self.contract.categorical and cell == MISSING_TEXT and not self.contract.categorical[name].blank:
            return None, "a value; the contract has no `blank: true` here"
        return cell, ""


def _flat(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else pa.concat_arrays(column.chunks or [pa.array([], column.type)])


def _lengths(column: pa.ChunkedArray) -> tuple[int, int]:
    """Length in bytes of the shortest and the longest text; (1, 0) where there is none."""
    found = pa.compute.min_max(pa.compute.binary_length(column)).as_py()
    return (1, 0) if found["min"] is None else (found["min"], found["max"])


def _number(cell: str) -> float | None:
    """A cell's number, NaN where it is blank, None where it is no number."""
    cell = cell.strip(" \t")
    if not cell:
        return float("nan")
    if not _NUMBER.fullmatch(cell):
        return None
    value = float(cell)
    return value if abs(value) < _FLOAT32_LIMIT else None


def _last_row_end(buffer: bytes, quoted: bool) -> int:
    """Where the last line of a buffer ends that ends outside quotes; 0 where there is none."""
    end = buffer.rfind(b"\n")
    if not quoted:
        return end + 1
    quotes, after = buffer.count(b'"'), len(buffer)
    while end >= 0:
        quotes -= buffer.count(b'"', end, after)
        if quotes % 2 == 0:
            return end + 1
        after, end = end, buffer.rfind(b"\n", 0, end)
    return 0


def _well_quoted(block: bytes, delimiter: str) -> bool:
    """Whether each quote opens a cell, closes one, or is doubled inside one, so that all CSV readers agree."""
    characters = np.frombuffer(block, np.uint8)
    quotes = np.flatnonzero(characters == ord('"'))
    if len(quotes) == 0:
        return True
    if len(quotes) % 2:
        return False
    opening, closing = quotes[::2], quotes[1::2]
    beside = np.zeros(256, bool)
    beside[[ord(delimiter), ord("\n"), ord("\r"), ord('"')]] = True
    first, last = int(opening[0] == 0), len(closing) - int(closing[-1] == len(block) - 1)
    return bool(beside[characters[opening[first:] - 1]].all() and beside[characters[closing[:last] + 1]].all())


class _Record(NamedTuple):
    """Lines [start, end) of a block as one CSV record; `cells` is None where they are none, and `fault` says why."""

    start: int
    end: int
    cells: list[str] | None
    fault: str = ""


def _lines(block: bytes, final: bool) -> list[bytes]:
    """The lines of a block with their ends; a last one without end only if nothing follows."""
    lines = block.split(b"\n")
    rest = lines.pop()
    lines = [line + b"\n" for line in lines]
    return [*lines, rest] if final and rest else lines


def _decode(lines: list[bytes]) -> list[str]:
    """Lines as text, bytes that are no UTF-8 as lone surrogates."""
    return [line.decode(errors="surrogateescape") for line in lines]


def _garbled(text: str) -> bool:
    return not text.isascii() and any("\udc80" <= character <= "\udcff" for character in text)


def _shown(text: str) -> str:
    """Text for a message; bytes that are no UTF-8 appear as Latin-1, which they mostly are."""
    return text.encode(errors="surrogateescape").decode("latin-1") if _garbled(text) else text


def _records(texts: list[str], delimiter: str, quoted: bool, final: bool) -> Iterator[_Record]:
    """Splits lines into CSV records.

    After a fault only the line at which the record began is given up, so that a quote left open costs one row.
    A record that the block does not hold whole is left for the next block unless `final`.
    """
    start = 0
    while start < len(texts):
        first = start
        reader = csv.reader(
            (texts[index] for index in range(first, len(texts))),
            delimiter=delimiter,
            quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE,
            strict=True,
        )
        try:
            for cells in reader:
                end = first + reader.line_num
                yield _Record(start, end, cells)
                start = end
        except csv.Error as error:
            fault = str(error)
            if fault == "unexpected end of data" and not final:
                return
            yield _Record(start, start + 1, None, _expected(fault, delimiter))
            start += 1


def _expected(fault: str, delimiter: str) -> str:
    """What Python's csv module missed, in words of ours."""
    if fault == "unexpected end of data":
        return "a closing quote"
    if "expected after" in fault:
        return f"{delimiter!r} or the line's end after the closing quote; a quote inside is doubled"
    if fault.startswith("field larger"):
        return f"at most {csv.field_size_limit()} characters; is a quote left open?"
    if "NUL" in fault:
        return "text without NUL characters"
    return "LF or CRLF line ends, not a lone carriage return"


def _first_bad_cell(line: str, delimiter: str) -> tuple[int, str]:
    """Index and text of the first cell of a line that is not well quoted."""
    text = line.rstrip("\r\n")
    split = re.escape(delimiter)
    good = re.compile(rf'(?:"(?:[^"]|"")*"|[^"{split}\r\0][^{split}\r\0]*|){split}')
    index = position = 0
    while found := good.match(text, position):
        index, position = index + 1, found.end()
    return index, text[position:].split(delimiter)[0]
