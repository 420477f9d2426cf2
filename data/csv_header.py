"""Reads the header of a file: its column names, its delimiter, and whether they are what a contract asks for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from data import parquet
from data.contract import TRIM_HINT, Contract, Role, Source, header_difference
from data.csv_records import Dialect, decode, garbled, printable, records, split_lines
from data.errors import BadFileError, MissingColumnsError, did_you_mean

DELIMITERS = ",;\t|"
"""What a file may be separated by, whatever its contract says."""
ENCODING = "UTF-8 text; save the file as UTF-8"
_HEADER_BYTES = 1 << 20


@dataclass(frozen=True)
class Header:
    """The header of one file; that of Parquet has neither bytes nor lines."""

    names: tuple[str, ...]
    delimiter: str
    end: int
    """Byte at which the rows begin."""
    lines: int
    """Lines before the rows."""
    format: Literal["csv", "parquet"] = "csv"


def read_header(path: Path, source: Source, contract: Contract | None = None, role: Role = Role.TRAINING) -> Header:
    """Reads the names of a file's columns; the delimiter is the one that gives the contract's, else the most columns.

    Args:
      path: a CSV or Parquet file.
      source: how its CSV is written.
      contract: what the columns must be; without one any names will do.
      role: what the rows of the file are.

    Raises:
      MissingColumnsError: a column of the contract is missing.
      BadFileError: no such file, a folder, an empty or binary file, not UTF-8, a column named twice, or other columns
        than those of the contract.
    """
    try:
        with path.open("rb") as file:
            start = file.read(_HEADER_BYTES)
    except FileNotFoundError:
        raise missing_file(path) from None
    except OSError as error:
        raise BadFileError(f"{path}: cannot be read: {error.strerror}") from error
    if start.startswith(parquet.MAGIC):
        header = Header(parquet.names(path), DELIMITERS[0], 0, 0, "parquet")
        _check_names(path, header, contract, role)
        return header
    mark = 3 if start.startswith(b"\xef\xbb\xbf") else 0
    body = start[mark:]
    if not body.strip():
        raise BadFileError(f"{path}: the file is empty; expected a header line and rows")
    _refuse_other_formats(path, start)

    lines = split_lines(body, final=len(start) < _HEADER_BYTES)
    if not lines:
        raise BadFileError(f"{path}:1: no line end in {_HEADER_BYTES} bytes; is this a CSV file?")
    texts = decode(lines)
    headers = _headers(texts, mark, source, source.trim)
    fitting = next((h for h in headers if contract and contract.accepts(h.names, role)), None)
    if not fitting and not source.trim:
        trimmed = _headers(texts, mark, source, trim=True)
        if any(contract.accepts(h.names, role) for h in trimmed) if contract else trimmed and not headers:
            raise BadFileError(f"{path}:1: blanks stand around a column name; {TRIM_HINT}")
    if not headers:
        raise BadFileError(f"{path}:1: the header cannot be read as CSV: {printable(texts[0])!r}")
    header = fitting or max(headers, key=lambda header: len(header.names))
    _check_names(path, header, contract, role)
    return header


def _headers(texts: list[str], start: int, source: Source, trim: bool) -> list[Header]:
    """The first line that is not empty as a header, by each usual delimiter that it can be read with."""
    headers = []
    for delimiter in dict.fromkeys(source.delimiter + DELIMITERS):
        dialect = Dialect(delimiter, source.quoting != "none", trim)
        record = next((record for record in records(texts, dialect, final=True) if record.cells != []), None)
        if record and record.cells:
            end = start + len("".join(texts[: record.end]).encode(errors="surrogateescape"))
            headers.append(Header(tuple(record.cells), delimiter, end, record.end))
    return headers


def missing_file(path: Path) -> BadFileError:
    """The error of a path where no file is, with the most similar name in its folder."""
    siblings = [file.name for file in path.parent.iterdir()] if path.parent.is_dir() else []
    return BadFileError(f"{path}: no such file{did_you_mean(path.name, siblings)}")


def _refuse_other_formats(path: Path, start: bytes) -> None:
    for magic, what in (
        (b"PK\x03\x04", "is a zip archive or an Excel workbook; save the sheet as CSV"),
        (b"\x1f\x8b", "is compressed with gzip; unpack it first"),
        (b"\xff\xfe", f"is UTF-16, expected {ENCODING}"),
        (b"\xfe\xff", f"is UTF-16, expected {ENCODING}"),
    ):
        if start.startswith(magic):
            raise BadFileError(f"{path}: the file {what}")
    if b"\0" in start.split(b"\n", 1)[0]:
        raise BadFileError(f"{path}: the file is binary, expected CSV text")
    if b"\n" not in start and b"\r" in start.rstrip():
        raise BadFileError(f"{path}: lines end in a lone carriage return; save the file with LF or CRLF line ends")


def _check_names(path: Path, header: Header, contract: Contract | None, role: Role) -> None:
    names, where = header.names, f"{path}:{header.lines}" if header.lines else str(path)
    bad = next((name for name in names if garbled(name)), None)
    if bad is not None:
        raise BadFileError(f"{where}: column {names.index(bad) + 1}: got {printable(bad)!r}, expected {ENCODING}")
    doubles = sorted({name for name in names if names.count(name) > 1})
    if doubles:
        raise BadFileError(f"{where}: columns are named twice: {', '.join(map(repr, doubles))}")
    if contract is None or contract.accepts(names, role):
        return
    count = len(contract.header(role))
    if len(names) == 1 < count and header.format == "csv":
        raise BadFileError(
            f"{where}: the header is a single column, {names[0]!r}; expected "
            f"{count} columns separated by {contract.source.delimiter!r}"
        )
    message = f"{where}: the header differs from contract {contract.name}: {header_difference(contract, names, role)}"
    if missing := sorted(contract.header(role) - {*names}):
        raise MissingColumnsError(message, missing)
    raise BadFileError(message)
