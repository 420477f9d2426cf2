"""Reads whole CSV files into memory, as the columns that models outside TFX are fitted on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from data import reader
from data.call_dates import START, Calendar
from data.contract import CALL_DAY, Contract, Role
from data.errors import BadFileError
from data.list_size import Volume
from data.span_folder import calls_elsewhere


def read(path: str | Path, contract: Contract, role: Role = Role.TRAINING) -> dict[str, np.ndarray]:
    """Reads the columns of a contract that rows of a role have, in file order.

    Args:
      path: a CSV file, a folder of them in name order, or a folder of spans.
      contract: what a row must be.
      role: what the rows are. TRAINING rows have the features known only after the call and the label too.

    Returns:
      Columns by name, [rows] each: numbers float32 (a blank is NaN, a missing marker stays), texts as UTF-8 bytes
      objects (a blank is b""), the label int64 0 or 1. TRAINING rows of a contract with `call_date` also have
      `call_day`, int64 days since 1970-01-01, and the derived columns.

    Raises:
      BadFileError: as `data.reader.read`; or a row cannot be read, and the message names the first.
    """
    batches, dates, place = [], [], START
    dated = contract.call_date is not None and role is Role.TRAINING
    files = reader.files(path)
    for file in files:
        calendar = Calendar.of(file, contract, place)
        for block in reader.read(file, contract, role):
            if block.bad:
                raise BadFileError(str(block.bad[0]))
            batches.append(block.batch)
            if dated:
                dates.append(calendar.dates(block))
        place = calendar.place
    table = pa.Table.from_batches(batches)
    columns = {
        name: _bytes(column) if pa.types.is_string(column.type) else column.to_numpy()
        for name, column in zip(table.column_names, table.columns, strict=True)
    }
    if dated:
        days = np.concatenate(dates)
        columns[CALL_DAY] = days
        if contract.derived:
            columns |= Volume.of(days).with_calls(calls_elsewhere(files)).columns(days)
    return columns


def _bytes(column: pa.ChunkedArray) -> np.ndarray:
    """Each distinct text is one object, however many rows carry it."""
    encoded = column.cast(pa.binary()).combine_chunks().dictionary_encode()
    return np.array(encoded.dictionary.to_pylist(), object)[encoded.indices.to_numpy()]
