"""Parses a block of CSV rows with Arrow in one go, provided that there is nothing odd about it."""

from __future__ import annotations

import csv

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from data.contract import BLANKS, MISSING_TEXT, Role
from data.csv_rows import Layout


class ArrowParser:
    """Reads blocks at Arrow's speed, and leaves each block in which any cell looks odd to the row parser."""

    def __init__(self, layout: Layout):
        self._layout = layout
        contract, names, dialect = layout.contract, layout.header.names, layout.dialect
        self._as_text = (
            layout.role is Role.CUSTOMERS or layout.all_cells or dialect.trim or layout.header.format == "parquet"
        )
        self._numeric = [name for name in contract.numeric if name in layout.schema.names]
        label = contract.label
        self._labels = pa.array([label.negative, label.positive]) if label else None
        self._read_options = pa.csv.ReadOptions(column_names=names, block_size=1 << 20)
        self._parse_options = pa.csv.ParseOptions(
            delimiter=dialect.delimiter,
            quote_char='"' if dialect.quoted else False,
            newlines_in_values=dialect.quoted,
        )
        numbers = () if self._as_text else self._numeric
        self._convert_options = pa.csv.ConvertOptions(
            column_types={name: pa.float64() if name in numbers else pa.string() for name in names},
            null_values=[MISSING_TEXT],
            strings_can_be_null=False,
        )

    def parse(self, block: bytes) -> tuple[pa.RecordBatch, pa.RecordBatch | None] | None:
        """The values and the cells of whole rows, as :class:`data.csv_rows.Block` has them; None where in doubt."""
        if b"\0" in block or block.count(b"\r") != block.count(b"\r\n"):
            return None
        if not block.isascii():
            try:
                block.decode()
            except UnicodeDecodeError:
                return None
        if self._layout.dialect.quoted and not well_quoted(block, self._layout.dialect.delimiter):
            return None
        try:
            # Not `read_csv`, which in this Arrow walks all Python objects at each call on behalf of signal handling.
            stream = pa.csv.open_csv(
                pa.BufferReader(block), self._read_options, self._parse_options, self._convert_options
            )
            table = stream.read_all().combine_chunks()
            return self.convert(table)
        except pa.ArrowInvalid:
            return None

    def convert(self, table: pa.Table) -> tuple[pa.RecordBatch, pa.RecordBatch | None] | None:
        """As :meth:`parse`, of cells that are split already.

        Raises:
          pa.ArrowInvalid: likewise where in doubt.
        """
        schema = self._layout.schema
        texts = {name: _flat(table.column(name)) for name in table.column_names if name not in schema.names}
        if any(_lengths(column)[1] > csv.field_size_limit() for column in texts.values()):
            return None
        if self._layout.dialect.trim:
            names = table.column_names
            table = pa.table([pc.utf8_trim(table.column(name), characters=BLANKS) for name in names], names=names)
        columns = []
        for name in schema.names:
            column = self._column(name, table.column(name))
            if column is None:
                return None
            columns.append(column)
        cells = None
        if kept := self._layout.kept:
            cells = pa.RecordBatch.from_arrays([_flat(table.column(name)) for name in kept], names=[*kept])
        return pa.RecordBatch.from_arrays(columns, schema=schema), cells

    def _column(self, name: str, column: pa.ChunkedArray) -> pa.Array | None:
        contract = self._layout.contract
        if name in contract.numeric:
            rule = contract.numeric[name]
            if self._as_text:
                column = _numbers(column)
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
        if name in contract.categorical:
            shortest, longest = _lengths(column)
            if longest > csv.field_size_limit() or (not shortest and not contract.categorical[name].blank):
                return None
            return _flat(column)
        label = pc.index_in(column, value_set=self._labels)
        return None if label.null_count else _flat(label.cast(pa.int64()))


def _numbers(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """Texts as float64, blank ones null; raises ArrowInvalid where one is not a number, as Arrow's CSV reader does."""
    trimmed = pc.utf8_trim(texts, characters=BLANKS)
    blank = pc.equal(trimmed, MISSING_TEXT)
    if pc.any(blank).as_py():
        trimmed = pc.if_else(blank, None, trimmed)
    return trimmed.cast(pa.float64())


def _flat(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else pa.concat_arrays(column.chunks or [pa.array([], column.type)])


def _lengths(column: pa.ChunkedArray) -> tuple[int, int]:
    """Length in bytes of the shortest and the longest text; (1, 0) where there is none."""
    extremes = pc.min_max(pc.binary_length(column)).as_py()
    return (1, 0) if extremes["min"] is None else (extremes["min"], extremes["max"])


def well_quoted(block: bytes, delimiter: str) -> bool:
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
