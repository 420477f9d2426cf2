"""Streams CSV and Parquet files as Arrow record batches, every row checked against the data contract.

A file is read in blocks of some megabytes, each cut where a row ends. Arrow parses a block in one go
(`data.csv_arrow`). A block with anything odd in it is read again row by row (`data.csv_rows`), which finds each bad row
and says where and why. Both ways read the same rows: what Python's csv module accepts as strict CSV, in UTF-8, with LF
or CRLF line ends, with or without a byte order mark.

A number is written in decimal, such as `-1`, `.5` or `1.5e3`, spaces around it allowed, and fits a float32; `nan`,
`inf`, hexadecimal and digit separators are not numbers. An unknown category or a number outside its range is not a
fault of the file: the schema check reports those as anomalies.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pyarrow as pa

from data import parquet
from data import plan as plans
from data.contract import MISSING_TEXT, Contract, Role, Source
from data.csv_arrow import ArrowParser
from data.csv_header import DELIMITERS, missing_file, read_header
from data.csv_parts import Part
from data.csv_records import Dialect, last_row_end
from data.csv_rows import BadRow, Block, Layout, RowParser
from data.errors import BadFileError
from data.span_folder import believed, is_folder_of_spans

__all__ = ["BLOCK_BYTES", "DELIMITERS", "BadRow", "Block", "check", "files", "header", "read", "schema"]

BLOCK_BYTES = 8 << 20
"""Read at once; large enough for Arrow's speed, small enough that a block and its rows stay below 200 MB."""
_LONGEST_LINE = 64 << 20
SUFFIXES = (".csv", ".parquet")
"""Of the files that a folder stands for."""


def schema(contract: Contract, role: Role = Role.TRAINING) -> pa.Schema:
    """The columns of a batch: the contract's for this role, numbers first, and the label of TRAINING rows.

    TRAINING rows lack the derived columns, which follow from the dates of all rows; see `data.list_size`.

    Numbers are float32 (blank is NaN), texts string (blank is ""), the label int64 (1 is its positive value, 0 its
    negative one).
    """
    label = [(contract.label.name, pa.int64())] if contract.label and role is Role.TRAINING else []
    names = contract.columns(role) if role is Role.TRAINING else contract.features()
    types = [(name, pa.float32() if name in contract.numeric else pa.string()) for name in names]
    return pa.schema(types + label)


def files(path: str | Path) -> list[Path]:
    """The files that a path stands for: itself, the CSV and Parquet files of a folder by name, or the spans in one.

    Of spans, these are the rows of the newest version of each that is not set aside, the oldest span first.

    Raises:
      BadFileError: there is no such file, none of these in the folder, or all of its spans are set aside.
    """
    path = Path(path)
    if path.is_dir() and is_folder_of_spans(path):
        spans = believed(path)
        if not spans:
            raise BadFileError(f"{path}: no span in this folder has rows that are not set aside")
        return [span.file for span in spans]
    if path.is_dir():
        inside = sorted(file for file in path.iterdir() if file.suffix.lower() in SUFFIXES and file.is_file())
        if not inside:
            raise BadFileError(f"{path}: no {' or '.join(SUFFIXES)} file in this folder")
        return inside
    if not path.exists():
        raise missing_file(path)
    return [path]


def header(path: str | Path, trim: bool = False) -> tuple[tuple[str, ...], str]:
    """Column names of a file and its delimiter, the one of `, ; tab |` that gives the most columns.

    Args:
      path: a CSV or Parquet file; the delimiter of Parquet is a comma.
      trim: whether to drop the blanks around names.

    Raises:
      BadFileError: no such file, a folder, an empty or binary file, not UTF-8, or a column named twice.
    """
    head = read_header(Path(path), Source(trim=trim))
    return head.names, head.delimiter


def check(path: str | Path, contract: Contract, role: Role = Role.TRAINING) -> None:
    """Reads the header of a file and makes sure that rows follow; their cells are not looked at.

    Raises:
      BadFileError: as :func:`header`; columns that do not fit the contract; or no rows.
    """
    path = Path(path)
    head = read_header(path, contract.source, contract, role)
    if head.format == "parquet":
        if sum(parquet.groups(path)):
            return
        raise _no_rows(path)
    with path.open("rb") as file:
        file.seek(head.end)
        while chunk := file.read(BLOCK_BYTES):
            if chunk.strip(b"\r\n"):
                return
    raise _no_rows(path)


def read(
    path: str | Path,
    contract: Contract,
    role: Role = Role.TRAINING,
    block_bytes: int = BLOCK_BYTES,
    plan: Mapping[str, str] | None = None,
    all_cells: bool = False,
    part: Part | None = None,
) -> Iterator[Block]:
    """Reads one file block by block in constant memory.

    Args:
      path: a CSV or Parquet file with the columns of the contract in any order. A file of TRAINING rows has these
        columns and no others. A file of CUSTOMERS has those known before the call; whatever else it has is not checked
        and stays available as text in :attr:`Block.cells`.
      contract: what a row must be. Its delimiter is tried first, then the other usual ones.
      role: what the rows of the file are.
      block_bytes: read at once.
      plan: for CUSTOMERS: values of columns that describe the call, as text, the same for all rows. The file may lack
        these columns; if it has them, its cells are not looked at. :attr:`Block.cells` has the plan's texts. Derived
        columns that neither the plan nor the file has are blank.
      all_cells: whether :attr:`Block.cells` of TRAINING rows has all columns of the file, as that of CUSTOMERS has.
      part: of the file, from `data.csv_parts.divide`; None for all of it.

    Raises:
      BadFileError: as :func:`header`; columns that do not fit the contract; no rows, unless a part was asked for; or a
        line without an end.
      BadOptionError: see `data.plan.values`.
    """
    path, plan = Path(path), plan or {}
    planned, unplanned = plans.values(contract, plan), plans.unplanned(contract, plan)
    head = read_header(path, unplanned.source, unplanned, role)
    if role is Role.CUSTOMERS:
        absent = [name for name in unplanned.derived_columns if name not in head.names]
        plan = {**plan, **dict.fromkeys(absent, MISSING_TEXT)}
        planned, unplanned = plans.values(contract, plan), plans.unplanned(contract, plan)
    dialect = Dialect(head.delimiter, contract.source.quoting != "none", contract.source.trim)
    layout = Layout(path, unplanned, role, head, dialect, schema(unplanned, role), all_cells)
    filled = schema(contract, role)
    rows = 0
    for block in _parquet_blocks(layout, part) if head.format == "parquet" else _blocks(layout, block_bytes, part):
        rows += block.batch.num_rows + len(block.bad)
        yield plans.fill(block, filled, plan, planned) if plan else block
    if not rows and part is None:
        raise _no_rows(path)


def _no_rows(path: Path) -> BadFileError:
    return BadFileError(f"{path}: the file has a header but no rows")


def _parquet_blocks(layout: Layout, part: Part | None) -> Iterator[Block]:
    fast, exact = ArrowParser(layout), RowParser(layout)
    for row, table in parquet.texts(layout.path, part or Part(0, len(parquet.groups(layout.path)), 1)):
        try:
            parsed = fast.convert(table)
        except pa.ArrowInvalid:
            parsed = None
        yield Block(parsed[0], (), parsed[1]) if parsed else exact.check(table, row)


def _blocks(layout: Layout, block_bytes: int, part: Part | None) -> Iterator[Block]:
    fast, exact = ArrowParser(layout), RowParser(layout)
    part = part or Part(layout.header.end, layout.path.stat().st_size, layout.header.lines + 1)
    with layout.path.open("rb") as file:
        file.seek(part.start)
        buffer, line, left = b"", part.line, part.end - part.start
        final = False
        while not final:
            chunk = file.read(min(max(block_bytes, len(buffer)), left))
            left -= len(chunk)
            final = not chunk
            buffer += chunk
            end = len(buffer) if final else last_row_end(buffer, layout.dialect.quoted)
            parsed = fast.parse(buffer[:end]) if end else None
            if parsed is not None:
                block = Block(parsed[0], (), parsed[1])
            else:
                block, end = exact.parse(buffer, line, final)
            if not end and len(buffer) > _LONGEST_LINE:
                raise BadFileError(f"{layout.path}:{line}: no line end in {len(buffer)} bytes; is this a CSV file?")
            if block.batch.num_rows or block.bad:
                yield block
            line += buffer.count(b"\n", 0, end)
            buffer = buffer[end:]
