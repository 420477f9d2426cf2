"""Sends a CSV file of customers through a model that is served."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TextIO, TypeAlias

import pyarrow as pa

from data import reader
from data.contract import Contract, Role, from_inputs
from data.errors import BadFileError, BadOptionError, MissingColumnsError
from serving.client import Client
from serving.client.output_files import OutputFile, new_file, new_folder

SEGMENT_OUTPUTS = ("segment", "name", "distance", "outlier")
"""Outputs of the segment model that are written; `membership` is left out, since it is not one value."""
_LONGEST_SLUG = 60

Advance: TypeAlias = Callable[[int], Any]
Predictions: TypeAlias = Sequence[Mapping[str, Any]]
"""For each row the outputs by name."""


def score_file(
    client: Client,
    source: Path,
    target: Path,
    batch_rows: int,
    advance: Advance = lambda rows: None,
    plan: Mapping[str, str] | None = None,
) -> int:
    """Writes the file again with the model's outputs as further columns, see `OutputFile`.

    Columns that the model does not use are kept and not sent. The target appears when it is complete.

    Args:
      source: a CSV file with a column for each input of the model that is not in the plan.
      batch_rows: rows of one request.
      advance: told how many rows have been scored since the last call.
      plan: values of inputs that describe the call, as text, the same for all rows; the target has them as columns, in
        place of those of the file.

    Returns:
      The number of rows.

    Raises:
      BadFileError: see `data.reader.read`; or a row cannot be read, or only some of the outputs are columns of the
        file, where they then mean something else.
      BadOptionError: see `data.plan.values`.
      ServiceError: see `Client.predict`.
    """
    count = 0
    with new_file(target) as output:
        file = None
        for cells, predictions in _predicted(client, source, batch_rows, plan):
            file = file or _output_file(output, source, cells, sorted(predictions[0]))
            file.write(cells, predictions)
            count += len(predictions)
            advance(len(predictions))
    return count


def assign_file(
    client: Client,
    source: Path,
    target: Path,
    folder: Path | None,
    batch_rows: int,
    advance: Advance = lambda rows: None,
    plan: Mapping[str, str] | None = None,
) -> Counter[str]:
    """Writes the file again with each customer's segment as further columns, and on request a list for each segment.

    Args:
      client: of a segment model.
      source, target, batch_rows, advance, plan: as `score_file` takes them; the further columns are SEGMENT_OUTPUTS.
      folder: for the lists, which are named by `list_name`; it appears when it is complete. None for no lists.

    Returns:
      The number of customers by name of the segment.

    Raises:
      BadOptionError: the model is no segment model, the folder is not empty, or see `data.plan.values`.
      BadFileError, ServiceError: as `score_file`.
    """
    counts: Counter[str] = Counter()
    with ExitStack() as stack:
        output = stack.enter_context(new_file(target))
        lists = _Lists(stack.enter_context(new_folder(folder)), stack, source) if folder else None
        file = None
        for cells, predictions in _predicted(client, source, batch_rows, plan):
            if not set(SEGMENT_OUTPUTS) <= predictions[0].keys():
                raise BadOptionError(f"{client.model} is no segment model: it answers {', '.join(predictions[0])}")
            file = file or _output_file(output, source, cells, SEGMENT_OUTPUTS)
            file.write(cells, predictions)
            if lists:
                lists.write(cells, predictions)
            counts.update(prediction["name"] for prediction in predictions)
            advance(len(predictions))
    return counts


def list_name(segment: int, name: str) -> str:
    """The file name of a segment's list: its number, and of its name what every file system takes."""
    ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", ascii_name)[:_LONGEST_SLUG].strip("-")
    return f"{segment}-{slug}.csv" if slug else f"{segment}.csv"


class _Lists:
    """A list of customers for each segment, in files that the stack closes."""

    def __init__(self, folder: Path, stack: ExitStack, source: Path):
        self._folder = folder
        self._stack = stack
        self._source = source
        self._files: dict[int, OutputFile] = {}

    def write(self, cells: pa.RecordBatch, predictions: Predictions) -> None:
        rows: dict[int, list[int]] = {}
        for row, prediction in enumerate(predictions):
            rows.setdefault(prediction["segment"], []).append(row)
        for segment, chosen in rows.items():
            if segment not in self._files:
                path = self._folder / list_name(segment, predictions[chosen[0]]["name"])
                file = self._stack.enter_context(path.open("w", encoding="utf-8", newline=""))
                self._files[segment] = _output_file(file, self._source, cells, SEGMENT_OUTPUTS)
            self._files[segment].write(cells.take(pa.array(chosen)), [predictions[row] for row in chosen])


def _predicted(
    client: Client, source: Path, batch_rows: int, plan: Mapping[str, str] | None
) -> Iterator[tuple[pa.RecordBatch, Predictions]]:
    """The file in parts: the cells of each part as text, and the predictions for its rows."""
    inputs = {name: dtype == "DT_STRING" for name, dtype in client.inputs().items()}
    contract = from_inputs(client.model, inputs)
    for block in _blocks(source, contract, plan):
        if block.bad:
            raise BadFileError(str(block.bad[0]))
        assert block.cells is not None
        for start in range(0, block.batch.num_rows, batch_rows):
            rows = block.batch.slice(start, batch_rows).to_pylist()
            yield block.cells.slice(start, batch_rows), [_by_name(answer) for answer in client.predict(rows)]


def _blocks(source: Path, contract: Contract, plan: Mapping[str, str] | None) -> Iterator[reader.Block]:
    try:
        yield from reader.read(source, contract, Role.CUSTOMERS, plan=plan)
    except MissingColumnsError as error:
        hint = "a column that describes the call can have one value for all rows: --at-call COLUMN=VALUE"
        raise MissingColumnsError(f"{error}; {hint}", error.columns) from error


def _by_name(prediction: Any) -> dict[str, Any]:
    """The outputs by name; a model with a single output answers without its name."""
    return prediction if isinstance(prediction, dict) else {"prediction": prediction}


def _output_file(file: TextIO, source: Path, cells: pa.RecordBatch, outputs: Sequence[str]) -> OutputFile:
    columns = cells.schema.names
    taken = [name for name in columns if name in outputs]
    if taken and len(taken) < len(outputs):
        raise BadFileError(f"{source}: column {taken[0]!r} has the name of an output of the model; rename the column")
    return OutputFile(file, reader.header(source)[1], columns, outputs)
