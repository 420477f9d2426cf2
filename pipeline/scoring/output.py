"""Writes tables of scored customers, as CSV or as Parquet."""

from __future__ import annotations

from types import TracebackType
from typing import BinaryIO, Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from serving.client.output_files import neutral


class TableWriter:
    """Writes tables of one schema into a file, which is whole when the block ends.

    Args:
      output: to write to.
      format: `csv`, with a header, and with an apostrophe in front of cells that a spreadsheet would run as a formula;
        or `parquet`, with the cells as they are.
      delimiter: of CSV.
    """

    def __init__(self, output: BinaryIO, format: Literal["csv", "parquet"], delimiter: str):
        self._output, self._format, self._delimiter = output, format, delimiter
        self._writer: pyarrow.csv.CSVWriter | pyarrow.parquet.ParquetWriter | None = None

    def __enter__(self) -> TableWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None):
        if self._writer is not None:
            self._writer.close()

    def write(self, table: pa.Table) -> None:
        """Appends the rows of a table."""
        if self._format == "csv":
            columns = [_neutral(column) for column in table.columns]
            table = pa.table(columns, names=[neutral(name) for name in table.column_names])
        if self._writer is None:
            self._writer = self._open(table.schema)
        self._writer.write_table(table)

    def _open(self, schema: pa.Schema) -> pyarrow.csv.CSVWriter | pyarrow.parquet.ParquetWriter:
        if self._format == "parquet":
            return pyarrow.parquet.ParquetWriter(self._output, schema, compression="zstd")
        options = pyarrow.csv.WriteOptions(delimiter=self._delimiter)
        return pyarrow.csv.CSVWriter(self._output, schema, write_options=options)


def _neutral(cells: pa.ChunkedArray) -> pa.ChunkedArray:
    """Cells in which nothing runs as a formula in a spreadsheet; numbers stay as they are."""
    if not pa.types.is_string(cells.type):
        return cells
    doubtful = pc.match_substring_regex(cells, "^[^0-9A-Za-z]")
    if not pc.any(doubtful).as_py():
        return cells
    distinct = pc.unique(cells.filter(doubtful))
    known = pa.array([neutral(cell) for cell in distinct.to_pylist()], pa.string())
    return pc.coalesce(known.take(pc.index_in(cells, value_set=distinct)), cells)
