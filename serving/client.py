"""A client for the model, over either server, and a command that scores a CSV file.

python -m serving.client customers.csv --out scored.csv
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

import httpx
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskProgressColumn, TimeRemainingColumn

from data.contract import MISSING_NUMBER, MISSING_TEXT
from data.errors import BadFileError, UserError, did_you_mean

Row = Mapping[str, float | str]


class ServerError(Exception):
    """The server did not answer, or answered with an error; the message is the server's own."""


class Client:
    """Asks a model for predictions.

    Args:
      url: the server, such as `http://localhost:8501`.
      model: the model's name.
      timeout: seconds for one attempt.
      attempts: how often a request is tried while the server answers 503 (starting, draining or full).
      transport: how httpx reaches the server; for tests.
    """

    def __init__(
        self,
        url: str = "http://localhost:8501",
        model: str = "purchase-model",
        timeout: float = 30.0,
        attempts: int = 4,
        transport: httpx.BaseTransport | None = None,
    ):
        self._url = f"{url.rstrip('/')}/v1/models/{model}"
        self._attempts = attempts
        self._http = httpx.Client(timeout=timeout, transport=transport)

    def predict(self, rows: Sequence[Row]) -> list[dict[str, Any]]:
        """One prediction a row, such as `{"probability": 0.07, "purchase": 0}`.

        Args:
          rows: raw features by name; a missing number is NaN, a missing text "".

        Raises:
          ServerError: what the server says is wrong with the rows, or that it cannot be reached.
        """
        if not rows:
            return []
        # Not httpx's `json=`, which refuses NaN; the REST API takes it for a missing number.
        body = json.dumps({"instances": list(rows)})
        return self._ask("POST", f"{self._url}:predict", body)["predictions"]

    def inputs(self) -> dict[str, str]:
        """Names of the model's inputs with their types, such as `DT_FLOAT` and `DT_STRING`.

        Raises:
          ServerError: the server cannot be reached or has no such model.
        """
        metadata = self._ask("GET", f"{self._url}/metadata")["metadata"]
        signature = metadata["signature_def"]["signature_def"]["serving_default"]
        return {name: tensor["dtype"] for name, tensor in signature["inputs"].items()}

    def _ask(self, method: str, url: str, body: str | None = None) -> dict[str, Any]:
        for attempt in range(1, self._attempts + 1):
            try:
                response = self._http.request(method, url, content=body)
            except httpx.HTTPError as error:
                raise ServerError(f"{url}: {error or type(error).__name__}") from error
            if response.status_code != 503 or attempt == self._attempts:
                break
            time.sleep(_pause(response, attempt))
        if response.status_code != 200:
            raise ServerError(f"{url}: {_error_text(response)}")
        return response.json()

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _pause(response: httpx.Response, attempt: int) -> float:
    """Seconds to wait: what the server asks for, or twice as long each time."""
    asked = response.headers.get("retry-after", "")
    return min(float(asked), 30.0) if asked.isdigit() else 0.25 * 2**attempt


def _error_text(response: httpx.Response) -> str:
    try:
        return response.json()["error"]
    except (ValueError, KeyError, TypeError):
        return f"HTTP status {response.status_code}"


@dataclass(frozen=True)
class Column:
    """Where a model input stands in the file."""

    name: str
    position: int
    is_text: bool


def score_file(
    client: Client, source: Path, target: Path, batch_rows: int, advance: Callable[[int], None] = lambda size: None
) -> int:
    """Writes the file again with the model's outputs as further columns; the number of rows.

    Columns that the model does not use are kept and not sent. Cells that a spreadsheet would take for a formula get
    a leading apostrophe. The target appears when it is complete.

    Args:
      source: CSV with a header; commas, semicolons, tabs or bars between cells.
      batch_rows: rows of one request.
      advance: told how many bytes have been read.

    Raises:
      BadFileError: the file cannot be read, lacks a column or has a cell that is not a number where one belongs.
      ServerError: see `Client.predict`.
    """
    inputs = client.inputs()
    with _open(source) as lines, _replaced(target) as output:
        reader, delimiter = _csv_reader(lines, source, advance)
        header = next(reader, None)
        if not header:
            raise BadFileError(f"{source}: the file is empty, expected a header line")
        columns = _columns(header, inputs, source)
        writer = csv.writer(output, delimiter=delimiter, lineterminator="\n")
        count = 0
        while batch := list(islice(_cells(reader, header, source), batch_rows)):
            rows = [_row(cells, columns, line, source) for line, cells in batch]
            predictions = [_named(prediction) for prediction in client.predict(rows)]
            outputs = sorted(predictions[0])
            kept = [position for position, name in enumerate(header) if name not in outputs]
            if not count:
                writer.writerow([neutral(header[position]) for position in kept] + outputs)
            for (_, cells), prediction in zip(batch, predictions, strict=True):
                writer.writerow(
                    [neutral(cells[position]) for position in kept] + [prediction[name] for name in outputs]
                )
            count += len(batch)
        if not count:
            writer.writerow([neutral(name) for name in header])
    return count


def _named(prediction: Any) -> dict[str, Any]:
    """The outputs by name; a model with a single output answers without it."""
    return prediction if isinstance(prediction, dict) else {"prediction": prediction}


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
def _open(source: Path) -> Iterator[TextIO]:
    try:
        with source.open(encoding="utf-8-sig", newline="") as lines:
            yield lines
    except OSError as error:
        raise BadFileError(f"{source}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BadFileError(f"{source}: not UTF-8 text: {error.reason} at byte {error.start}") from error


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


def _csv_reader(lines: TextIO, source: Path, advance: Callable[[int], None]) -> tuple[Any, str]:
    first = lines.readline()
    delimiter = max(",;\t|", key=first.count)

    def counted() -> Iterator[str]:
        advance(len(first.encode()))
        yield first
        for line in lines:
            advance(len(line.encode()))
            yield line

    return csv.reader(counted(), delimiter=delimiter), delimiter


def _columns(header: list[str], inputs: Mapping[str, str], source: Path) -> list[Column]:
    missing = sorted(set(inputs) - set(header))
    if missing:
        names = ", ".join(f"{name!r}{did_you_mean(name, header)}" for name in missing)
        raise BadFileError(f"{source}, line 1: the model needs columns that are not there: {names}")
    return [Column(name, header.index(name), dtype == "DT_STRING") for name, dtype in inputs.items()]


def _cells(reader: Any, header: list[str], source: Path) -> Iterator[tuple[int, list[str]]]:
    """Line number and cells of each row; empty lines are passed over."""
    try:
        for cells in reader:
            if not cells:
                continue
            if len(cells) != len(header):
                raise BadFileError(f"{source}, line {reader.line_num}: {len(cells)} cells, expected {len(header)}")
            yield reader.line_num, cells
    except csv.Error as error:
        raise BadFileError(f"{source}, line {reader.line_num}: {error}") from error


def _row(cells: list[str], columns: Iterable[Column], line: int, source: Path) -> Row:
    row: dict[str, float | str] = {}
    for column in columns:
        cell = cells[column.position]
        if column.is_text:
            row[column.name] = cell or MISSING_TEXT
            continue
        try:
            row[column.name] = float(cell) if cell.strip() else MISSING_NUMBER
        except ValueError:
            raise BadFileError(f"{source}, line {line}, column {column.name!r}: {cell!r} is not a number") from None
    return row


def main(arguments: Sequence[str] | None = None) -> int:
    """Scores a file; the exit code: 0 done, 1 the server failed, 2 the file or the command line is wrong."""
    parser = argparse.ArgumentParser(prog="python -m serving.client", description="Score a CSV file of customers.")
    parser.add_argument("source", type=Path, metavar="FILE", help="CSV with a header line")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the same with the model's outputs")
    parser.add_argument("--url", default="http://localhost:8501", help="server (default: %(default)s)")
    parser.add_argument("--model", default="purchase-model", help="model name (default: %(default)s)")
    parser.add_argument("--batch-rows", type=int, default=1000, help="rows of one request (default: %(default)s)")
    options = parser.parse_args(arguments)
    if options.batch_rows < 1:
        parser.error("--batch-rows: expected at least 1")
    console = Console(stderr=True)
    progress = Progress(
        BarColumn(), TaskProgressColumn(), DownloadColumn(), TimeRemainingColumn(), console=console, transient=True
    )
    try:
        with Client(options.url, options.model) as client, progress:
            size = options.source.stat().st_size if options.source.is_file() else None
            task = progress.add_task("scoring", total=size)
            started = time.perf_counter()
            rows = score_file(
                client,
                options.source,
                options.out,
                options.batch_rows,
                lambda read: progress.advance(task, read),
            )
    except UserError as error:
        console.print(f"serving.client: {error}", markup=False, soft_wrap=True)
        return 2
    except ServerError as error:
        console.print(f"serving.client: {error}", markup=False, soft_wrap=True)
        return 1
    seconds = time.perf_counter() - started
    console.print(f"{rows:,} rows scored in {seconds:.1f} s, written to {options.out}", markup=False, highlight=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
