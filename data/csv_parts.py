"""Divides large files where rows end, so that several workers can read one at once."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from data import parquet
from data.contract import Contract, Role
from data.csv_arrow import well_quoted
from data.csv_header import read_header
from data.csv_records import Dialect, last_row_end

PART_BYTES = 32 << 20
PART_ROWS = 250_000
"""Of a part of a Parquet file, at least, if its row groups are smaller."""
CHUNK = 8 << 20
"""Looked at at once."""


@dataclass(frozen=True)
class Part:
    """Whole rows of a file.

    Attributes:
      start, end: its bytes, or the row groups of a Parquet file; the end is exclusive.
      line: the line at which it begins, from 1; of a Parquet file, the row.
    """

    start: int
    end: int
    line: int


class FilePart(NamedTuple):
    """A part of one of several files."""

    file: Path
    part: Part


def divide_all(files: Sequence[Path], contract: Contract, role: Role) -> list[FilePart]:
    """The parts of several files, in order; see :func:`divide`."""
    return [FilePart(file, part) for file in files for part in divide(file, contract, role)]


def divide(path: Path, contract: Contract, role: Role, part_bytes: int | None = None) -> list[Part]:
    """The parts of a file, in order; read one after the other they give the rows of the whole file.

    A line end divides rows unless it is inside quotes. That is certain as long as every quote opens or closes a cell
    or is doubled. From the first quote on that does none of these, the file is one part. A Parquet file is divided
    between row groups.

    Args:
      path: a CSV or Parquet file.
      contract, role: as `data.reader.read` takes them.
      part_bytes: of a part, at least, PART_BYTES by default; the last one may be smaller.

    Raises:
      BadFileError: as `data.csv_header.read_header`.
    """
    head = read_header(path, contract.source, contract, role)
    if head.format == "parquet":
        return list(_row_groups(parquet.groups(path)))
    dialect = Dialect(head.delimiter, contract.source.quoting != "none", contract.source.trim)
    size = path.stat().st_size
    parts, start, line = [], head.end, head.lines + 1
    for end, lines in _cuts(path, head.end, dialect, part_bytes or PART_BYTES):
        parts.append(Part(start, end, line))
        start, line = end, line + lines
    if start < size:
        parts.append(Part(start, size, line))
    return parts


def _row_groups(rows: Sequence[int]) -> Iterator[Part]:
    first = [*itertools.accumulate(rows, initial=1)]
    start = 0
    for end in range(1, len(rows) + 1):
        if first[end] - first[start] >= PART_ROWS or end == len(rows):
            yield Part(start, end, first[start])
            start = end


def _cuts(path: Path, start: int, dialect: Dialect, part_bytes: int) -> Iterator[tuple[int, int]]:
    """Where the parts but the last one end, and the line ends in each."""
    with path.open("rb") as file:
        file.seek(start)
        lines, wanted, position, pending = 0, start + part_bytes, start, b""
        while chunk := file.read(CHUNK):
            pending += chunk
            end = last_row_end(pending, dialect.quoted)
            rows = pending[:end]
            if dialect.quoted and not (well_quoted(rows, dialect.delimiter) if not dialect.trim else b'"' not in rows):
                return
            pending = pending[end:]
            position += end
            lines += rows.count(b"\n")
            if position >= wanted:
                yield position, lines
                lines, wanted = 0, position + part_bytes
