"""Reads Parquet files as the rows that a CSV file of their values would have, checked as strictly."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet

from data.contract import MISSING_TEXT
from data.errors import BadFileError

if TYPE_CHECKING:
    from data.csv_parts import Part

MAGIC = b"PAR1"
"""The first bytes of every Parquet file."""
_BATCH = 1 << 16
"""Rows read at once."""


def names(path: Path) -> tuple[str, ...]:
    """The names of the columns.

    Raises:
      BadFileError: the file is damaged, or a column holds lists, structures or bytes.
    """
    schema = _open(path).schema_arrow
    for field in schema:
        kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
        if pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
            raise BadFileError(f"{path}: column {field.name!r} holds {field.type}; expected numbers, texts or dates")
    return tuple(schema.names)


def groups(path: Path) -> list[int]:
    """The rows of each row group.

    Raises:
      BadFileError: the file is damaged.
    """
    metadata = _open(path).metadata
    return [metadata.row_group(number).num_rows for number in range(metadata.num_row_groups)]


def texts(path: Path, part: Part) -> Iterator[tuple[int, pa.Table]]:
    """The number of the first row, from 1, and the cells as text, blank where there is no value, batch by batch.

    Args:
      path: a Parquet file.
      part: its `start` and `end` are row groups.

    Raises:
      BadFileError: the file is damaged.
    """
    row = part.line
    try:
        for batch in _open(path).iter_batches(_BATCH, row_groups=range(part.start, part.end)):
            yield row, pa.table([_as_text(column) for column in batch.columns], names=batch.schema.names)
            row += batch.num_rows
    except (OSError, pa.ArrowInvalid) as error:
        raise BadFileError(f"{path}: row group after row {row - 1}: {error}") from error


def _open(path: Path) -> pyarrow.parquet.ParquetFile:
    try:
        return pyarrow.parquet.ParquetFile(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise BadFileError(f"{path}: the Parquet file cannot be read: {error}") from error


def _as_text(column: pa.Array) -> pa.Array:
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_decimal(column.type):
        column = column.cast(pa.float64())
    if pa.types.is_floating(column.type):
        column = pc.if_else(pc.is_nan(column), None, column)
    return pc.fill_null(column.cast(pa.string()), MISSING_TEXT)
