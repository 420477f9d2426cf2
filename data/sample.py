"""The synthetic sample: rows of the bank-full shape, drawn from published frequencies (`python -m data.sample`).

It is the default input, so that everything runs offline on a fresh machine. The rows come from the tree-augmented
naive Bayes model in `sample_tables.json`, which `data/fit_sample.py` measures from the real file; no real customer is
in it. As in the real file, rows are in date order and the buy rate climbs over time.
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
from data.download import RAW

TABLES = Path(__file__).with_name("sample_tables.json")
ROWS = 45_211
"""As many as bank-full has."""
SEED = 3
PREFIX = "synthetic-"
"""Begins the name of every file drawn here, so that whoever reads it knows."""
CHUNK = 200_000
"""Rows drawn and written at a time; part of what a seed means, for files of more rows than this."""


def is_synthetic(path: Path) -> bool:
    """Whether a file, or one in a folder, is named as this module names what it draws."""
    return any(file.name.startswith(PREFIX) for file in ([path] if path.is_file() else path.glob("*")))


def draw(rows: int = ROWS, seed: int = SEED) -> Iterator[dict[str, np.ndarray]]:
    """Draws the sample in date order, in chunks of at most `CHUNK` rows.

    Args:
      rows: how many in all, at least 1. Any number spreads over the same dates.
      seed: the same seed gives the same rows on every machine.

    Yields:
      For each column of the bank-full contract, the label included, an array [chunk] of int64 or str.
    """
    tables = json.loads(TABLES.read_text(encoding="utf-8"))
    generator = np.random.Generator(np.random.PCG64(seed))
    model = _Model(tables)
    for start in range(0, rows, CHUNK):
        position = np.arange(start, min(start + CHUNK, rows))
        yield model.draw(position, rows, generator)


def write(file: Path, rows: int = ROWS, seed: int = SEED) -> None:
    """Writes the sample as the publisher of bank-full writes CSV: `;`, text and header quoted, `\\n`.

    The file appears under its name only when complete.
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
                writer.write_batch(pa.RecordBatch.from_pydict(chunk, schema))
        partial.replace(file)
    finally:
        partial.unlink(missing_ok=True)


def ensure(rows: int = ROWS, seed: int = SEED, folder: Path = RAW) -> Path:
    """The sample's file, written first if it is not there. Its name changes when the model behind it does."""
    source = TABLES.read_bytes() + Path(__file__).read_bytes()
    version = hashlib.sha256(source).hexdigest()[:8]
    file = folder / f"{PREFIX}{rows}-rows-seed-{seed}-{version}.csv"
    if not file.exists():
        write(file, rows, seed)
    return file


class _Model:
    """The tables as lookup arrays. A bin is drawn by one binary search per column for all rows together."""

    def __init__(self, tables: dict) -> None:
        contract = contracts.load("bank-full")
        self._label = np.array([contract.required_label.negative, contract.required_label.positive])
        self._label_name = contract.required_label.name
        self._months = np.array(tables["spans"])
        dates = {name: np.array(values) for name, values in tables["dates"].items()}
        self._spans, self._days, self._buy_rate = dates["span"], dates["day"], dates["buy_rate"]
        self._date_ends = np.cumsum(dates["rows"])
        self._columns = tables["columns"]
        self._ends = {name: _running_shares(np.array(column["counts"])) for name, column in self._columns.items()}

    def draw(self, position: np.ndarray, rows: int, generator: np.random.Generator) -> dict[str, np.ndarray]:
        date = np.searchsorted(self._date_ends * rows, position * self._date_ends[-1], side="right")
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
        return {name: drawn[name] for name in COLUMNS}

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


def _running_shares(counts: np.ndarray) -> np.ndarray:
    """Cumulative shares [label, parent, bin], raised by the row's number so that all rows form one sorted array.

    The last end is the row's number + 1 exactly, since a count divided by itself is 1; rows without any count are
    never asked for, because their parent bin has no count under this label either.
    """
    running = np.cumsum(counts, axis=2)
    shares = running / np.maximum(running[:, :, -1:], 1)
    shares[running[:, :, -1] == 0] = 1
    return shares + np.arange(shares.shape[0] * shares.shape[1]).reshape(*shares.shape[:2], 1)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m data.sample", description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=ROWS, help="default %(default)s, as in bank-full")
    parser.add_argument("--seed", type=int, default=SEED, help="default %(default)s")
    parser.add_argument(
        "--out", type=Path, help=f"its name begins with {PREFIX}; default: a file in data/raw named after rows and seed"
    )
    arguments = parser.parse_args()
    if arguments.rows < 1:
        parser.error("--rows must be at least 1")
    if arguments.out and not arguments.out.name.startswith(PREFIX):
        parser.error(f"--out: the name must begin with {PREFIX}, so that nobody takes the rows for customers")
    if arguments.out:
        write(arguments.out, arguments.rows, arguments.seed)
    file = arguments.out or ensure(arguments.rows, arguments.seed)
    sys.stdout.write(f"{file}\n")


if __name__ == "__main__":
    main()
