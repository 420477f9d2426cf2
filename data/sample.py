"""The synthetic sample: rows of the bank-full shape, drawn from published frequencies (`python -m data.sample`).

The sample is the default input, so that everything runs offline on a fresh machine. Its rows come from the
tree-augmented naive Bayes model in `sample_tables.json`, which `data/fit_sample.py` measures from the real file. It
has no real customer. As in the real file, the rows are in date order and the buy rate climbs over time.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from data import contract as contracts
from data.call_dates import MONTHS
from data.command import DONE, guarded
from data.download import RAW
from data.errors import BadOptionError
from data.list_size import Volume

TABLES = Path(__file__).with_name("sample_tables.json")
ROWS = 45_211
"""As many as bank-full has."""
SEED = 3
FIRST_YEAR = 2008
PREFIX = "synthetic-"
"""Every file drawn here has a name that begins with this, so that nobody takes its rows for customers."""
CHUNK = 200_000
"""Rows drawn and written at a time. With another value, a seed gives other rows in files larger than this."""


def is_synthetic(path: Path) -> bool:
    """Whether a file, or any file of a folder, has the name of a sample."""
    return any(file.name.startswith(PREFIX) for file in ([path] if path.is_file() else path.glob("*")))


def draw(rows: int = ROWS, seed: int = SEED) -> Iterator[dict[str, np.ndarray]]:
    """Draws the sample in date order, in chunks of at most `CHUNK` rows.

    Args:
      rows: total number of rows, at least 1. They always spread over the same dates.
      seed: the same seed gives the same rows on every machine.

    Yields:
      Columns by name, [chunk] each, int64 or str: those of the bank-full contract, with those that ingestion derives
      from a file of all rows, and its label.
    """
    tables = json.loads(TABLES.read_text(encoding="utf-8"))
    generator = np.random.Generator(np.random.PCG64(seed))
    model = _Model(tables, rows)
    for start in range(0, rows, CHUNK):
        yield model.draw(np.arange(start, min(start + CHUNK, rows)), generator)


def write(file: Path, rows: int = ROWS, seed: int = SEED) -> None:
    """Writes the sample as CSV in the style of bank-full's publisher: `;`, text and header quoted, `\\n`.

    The file appears under its name only when it is complete.
    """
    import pyarrow as pa
    import pyarrow.csv

    contract = contracts.load("bank-full")
    schema = pa.schema([(name, pa.int64() if name in contract.numeric else pa.string()) for name in COLUMNS])
    options = pyarrow.csv.WriteOptions(delimiter=contract.source.delimiter)
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        with pyarrow.csv.CSVWriter(partial, schema, write_options=options) as writer:
            for chunk in draw(rows, seed):
                writer.write_batch(pa.RecordBatch.from_pydict({name: chunk[name] for name in COLUMNS}, schema))
        partial.replace(file)
    finally:
        partial.unlink(missing_ok=True)


def ensure(rows: int = ROWS, seed: int = SEED, folder: Path = RAW) -> Path:
    """Writes the sample unless it is there already, and returns its path.

    The name has a part that changes with the tables and the code that the rows come from.
    """
    source = TABLES.read_bytes() + Path(__file__).read_bytes()
    version = hashlib.sha256(source).hexdigest()[:8]
    file = folder / f"{PREFIX}{rows}-rows-seed-{seed}-{version}.csv"
    if not file.exists():
        write(file, rows, seed)
    return file


class _Model:
    """The tables as lookup arrays. One binary search per column draws the bins of all rows."""

    def __init__(self, tables: dict, rows: int) -> None:
        contract = contracts.load("bank-full")
        self._label = np.array([contract.required_label.negative, contract.required_label.positive])
        self._label_name = contract.required_label.name
        self._months = np.array(tables["spans"])
        dates = {name: np.array(values) for name, values in tables["dates"].items()}
        self._spans, self._days, self._buy_rate = dates["span"], dates["day"], dates["buy_rate"]
        ends = np.cumsum(dates["rows"])
        self._date_ends = -(-ends * rows // ends[-1])
        calls = np.diff(self._date_ends, prepend=0)
        self._call_days = _days(self._months[self._spans], self._days)
        self._volume = Volume(self._call_days[calls > 0], calls[calls > 0])
        self._columns = tables["columns"]
        self._ends = {name: _running_shares(np.array(column["counts"])) for name, column in self._columns.items()}

    def draw(self, position: np.ndarray, generator: np.random.Generator) -> dict[str, np.ndarray]:
        date = np.searchsorted(self._date_ends, position, side="right")
        label = (generator.random(len(position)) < self._buy_rate[date]).astype(np.int64)
        codes = {"span": self._spans[date]}
        drawn = {"month": self._months[codes["span"]], "day": self._days[date]}
        for name, column in self._columns.items():
            ends = self._ends[name]
            _, parents, bins = ends.shape
            row = label * parents + codes[column["parent"]]
            target = row + generator.random(len(position))
            codes[name] = np.searchsorted(ends.reshape(-1), target, side="right") - row * bins
            drawn[name] = self._value(column, codes[name], generator)
        drawn[self._label_name] = self._label[label]
        listed = self._volume.columns(self._call_days[date])
        return {name: drawn[name] for name in COLUMNS} | {name: size.astype(np.int64) for name, size in listed.items()}

    @staticmethod
    def _value(column: dict, code: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        if "values" in column:
            return np.array(column["values"])[code]
        edges = np.array(column["edges"])
        return generator.integers(edges[code], edges[code + 1])


COLUMNS = (
    *("age", "job", "marital", "education", "default", "balance", "housing", "loan", "contact", "day", "month"),
    *("duration", "campaign", "pdays", "previous", "poutcome", "y"),
)
"""The publisher's column order."""


def _days(months: np.ndarray, days: np.ndarray) -> np.ndarray:
    """Days since 1970-01-01 of dates in order, from the months' names and the days of the month."""
    number = np.array([MONTHS.index(month) for month in months])
    year = FIRST_YEAR - 1970 + np.cumsum(np.diff(number, prepend=number[0]) < 0)
    first = (12 * year + number).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    return first + days - 1


def _running_shares(counts: np.ndarray) -> np.ndarray:
    """Cumulative shares [label, parent, bin], raised by the row's number so that all rows form one sorted array.

    The last end is exactly the row's number + 1, since a count divided by itself is 1. Rows without any count are
    never looked up, because their parent bin has no count under this label either.
    """
    running = np.cumsum(counts, axis=2)
    shares = running / np.maximum(running[:, :, -1:], 1)
    shares[running[:, :, -1] == 0] = 1
    return shares + np.arange(shares.shape[0] * shares.shape[1]).reshape(*shares.shape[:2], 1)


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m data.sample", description="Writes a file of synthetic customers in the shape of bank-full."
    )
    parser.add_argument("--rows", type=int, default=ROWS, help="default: %(default)s, as many as bank-full has")
    parser.add_argument("--seed", type=int, default=SEED, help="default: %(default)s")
    parser.add_argument(
        "--out", type=Path, help=f"its name begins with {PREFIX}; default: a file in data/raw named after rows and seed"
    )
    options = parser.parse_args(arguments)
    return guarded(lambda: _write_file(options.rows, options.seed, options.out))


def _write_file(rows: int, seed: int, out: Path | None) -> int:
    if rows < 1:
        raise BadOptionError(f"--rows {rows}: expected at least 1")
    if seed < 0:
        raise BadOptionError(f"--seed {seed}: expected at least 0")
    if out and not out.name.startswith(PREFIX):
        raise BadOptionError(
            f"--out {out}: the name must begin with {PREFIX}, so that nobody takes the rows for customers"
        )
    try:
        if out:
            write(out, rows, seed)
        file = out or ensure(rows, seed)
    except OSError as error:
        raise BadOptionError(f"{out or RAW}: cannot be written: {error.strerror}") from error
    sys.stdout.write(f"{file}\n")
    return DONE


if __name__ == "__main__":
    sys.exit(main())
