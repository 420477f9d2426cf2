"""Scores a CSV file of customers with a model that is served."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import pyarrow as pa

from data import reader
from data.contract import Role, from_inputs
from data.errors import BadFileError
from serving.client import Client


def score_file(
    client: Client, source: Path, target: Path, batch_rows: int, advance: Callable[[int], Any] = lambda rows: None
) -> int:
    """Writes the file again with the model's outputs as further columns.

    Columns that the model does not use are kept and not sent. Columns with the name of an output are replaced. Cells
    that a spreadsheet would run as a formula get a leading apostrophe. The target appears when it is complete.

    Args:
      source: a CSV file with a column for each input of the model.
      batch_rows: rows of one request.
      advance: told how many rows have been scored since the last call.

    Returns:
      The number of rows.

    Raises:
      BadFileError: see `data.reader.read`; or a row cannot be read.
      ServiceError: see `Client.predict`.
    """
    inputs = {name: dtype == "DT_STRING" for name, dtype in client.inputs().items()}
    contract = from_inputs(client.model, inputs)
    count = 0
    with _replaced(target) as output:
        writer = csv.writer(output, delimiter=reader.header(source)[1], lineterminator="\n")
        for block in reader.read(source, contract, Role.CUSTOMERS):
            if block.bad:
                raise BadFileError(str(block.bad[0]))
            for start in range(0, block.batch.num_rows, batch_rows):
                rows = block.batch.slice(start, batch_rows).to_pylist()
                predictions = [_by_name(prediction) for prediction in client.predict(rows)]
                assert block.cells is not None
                _write(writer, block.cells.slice(start, batch_rows), predictions, header=not count)
                count += len(rows)
                advance(len(rows))
    return count


def _by_name(prediction: Any) -> dict[str, Any]:
    """The outputs by name; a model with a single output answers without its name."""
    return prediction if isinstance(prediction, dict) else {"prediction": prediction}


def _write(writer: Any, cells: pa.RecordBatch, predictions: list[dict[str, Any]], header: bool) -> None:
    outputs = sorted(predictions[0])
    kept = [name for name in cells.schema.names if name not in outputs]
    if header:
        writer.writerow([neutral(name) for name in kept] + outputs)
    columns: list[list[Any]] = [list(map(neutral, cells.column(name).to_pylist())) for name in kept]
    columns += [[prediction[name] for prediction in predictions] for name in outputs]
    writer.writerows(zip(*columns, strict=True))


def neutral(cell: str) -> str:
    """The cell with an apostrophe in front if a spreadsheet would run it as a formula; numbers stay as they are."""
    if not cell or cell[0] not in "=+-@\t\r":
        return cell
    try:
        float(cell)
    except ValueError:
        return "'" + cell
    return cell


@contextmanager
def _replaced(target: Path) -> Iterator[TextIO]:
    """A file that takes the target's name when the block ends well, and vanishes otherwise."""
    partial = target.with_name(f".{target.name}.partial")
    try:
        output = partial.open("w", encoding="utf-8", newline="")
    except OSError as error:
        raise BadFileError(f"{target}: cannot be written: {error.strerror}") from error
    try:
        with output:
            yield output
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
