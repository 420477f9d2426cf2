"""Writes the rows of files as tf.Examples, and decides which split each row belongs to.

A part of a file is streamed block by block. Arrow reads the next block in a second thread while tfx_bsl's C++ coder
encodes the last one. Memory does not grow with the file.
"""

from __future__ import annotations

import csv
import hashlib
import itertools
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from operator import attrgetter

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import tensorflow as tf
from tfx.dsl.io import fileio
from tfx_bsl.coders.example_coder import RecordBatchToExamplesEncoder

from data import reader
from data.call_dates import Calendar, Place
from data.contract import CALL_DAY, MISSING_TEXT, Categorical, Contract, Numeric
from data.csv_parts import FilePart
from data.csv_rows import BAD_COLUMNS
from data.errors import UserError
from data.list_size import Volume
from modules.artifacts import join, read_arrays, write_json
from modules.examples import SPLITS

HELD_OUT_PERCENT = 15
"""Rows in eval, and again in test."""
MOST_MESSAGES = 20
"""Bad rows named in an error message."""
REPEATED = "repeated"
"""Name of the array in the file :attr:`Shard.repeated`."""


@dataclass
class Outcome:
    """What came of the rows of one part.

    Attributes:
      read, quarantined, superseded: rows.
      messages: the first bad rows.
      error: why it cannot be read at all; empty where it can.
      rows, positives: per split, in the order of SPLITS.
      blank: columns that may be blank and are, in all rows written.
    """

    read: int = 0
    quarantined: int = 0
    superseded: int = 0
    messages: list[str] = field(default_factory=list)
    error: str = ""
    rows: list[int] = field(default_factory=lambda: [0] * len(SPLITS))
    positives: list[int] = field(default_factory=lambda: [0] * len(SPLITS))
    blank: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Shard:
    """One part of an input file, and the files with its rows of each split."""

    source: FilePart
    index: int
    count: int
    folder: str
    """Of the Examples artifact."""
    contract: str
    """As JSON."""
    first_held_out: tuple[int, int] | None
    """The rows written of this part at which eval and test begin under the time split; None under the random one."""
    quarantine: bool
    last_row: bool
    """Whether the good rows that `repeated` marks are left out."""
    place: Place | None
    """Of the calendar before the first row; None where rows have no dates."""

    @property
    def outcome(self) -> str:
        """The file of the Outcome, as JSON."""
        return join(self.folder, f"outcome-{self.index:05d}.json")

    @property
    def set_aside(self) -> str:
        """The file of the bad rows, as CSV without header; empty unless quarantined."""
        return join(self.folder, f"quarantine-{self.index:05d}.csv")

    @property
    def repeated(self) -> str:
        """The file of one array, which marks the good rows whose identifiers occur again; only with `last_row`."""
        return join(self.folder, f"repeated-{self.index:05d}.npz")

    @property
    def volume(self) -> str:
        """The file of the calls by day in all files, see `data.list_size.Volume`; only where rows have dates."""
        return join(self.folder, "volume.npz")

    def examples(self, split: str) -> str:
        """The TFRecord file of this shard, named as TFX's own components name theirs."""
        return join(self.folder, f"Split-{split}", f"data_tfrecord-{self.index:05d}-of-{self.count:05d}.gz")


def random_splits(batch: pa.RecordBatch) -> np.ndarray:
    """Index into SPLITS for each row, [rows] int64, from the row's values alone.

    Equal rows get the same split, on every machine and whatever the order of columns. Every cell is hashed with its
    column's name, the row's hash is that of the cells' sum, and its remainder by 100 decides. Numbers are mixed by
    the finaliser of SplitMix64 (Steele, Lea, Flood 2014), distinct texts and names by BLAKE2b.
    """
    total = np.zeros(batch.num_rows, np.uint64)
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        if pa.types.is_string(column.type):
            coded = column.dictionary_encode()
            texts = np.array([_blake2b(text) for text in coded.dictionary.to_pylist()], np.uint64)
            cells = texts[coded.indices.to_numpy()]
        else:
            values = column.to_numpy().astype(np.float32) + np.float32(0)  # adding turns -0 into 0
            values[np.isnan(values)] = np.nan  # one bit pattern of the many
            cells = values.view(np.uint32).astype(np.uint64)
        total += _mix(cells + _blake2b(name))
    percent = _mix(total) % np.uint64(100)
    first_test = 100 - HELD_OUT_PERCENT
    return np.searchsorted([first_test - HELD_OUT_PERCENT, first_test], percent, side="right")


def good_rows(source: FilePart, contract: Contract) -> int:
    """Reads a part to count the rows that can be read.

    Raises:
      BadFileError: as :func:`data.reader.read`.
    """
    return sum(block.batch.num_rows for block in reader.read(source.file, contract, part=source.part))


def time_bounds(counts: Sequence[int]) -> list[tuple[int, int]]:
    """Per part, the rows at which eval and test begin when all parts are one sequence; may lie outside the part.

    Args:
      counts: rows by part.
    """
    total = sum(counts)
    held_out = round(total * HELD_OUT_PERCENT / 100)
    starts = itertools.accumulate(counts[:-1], initial=0)
    return [(total - 2 * held_out - start, total - held_out - start) for start in starts]


def ingest(shard: Shard) -> None:
    """Writes the rows of one part into its shard of each split, and an Outcome as JSON into `shard.outcome`.

    An error of the reader is part of the outcome, since Beam would wrap an exception.
    """
    contract = Contract.model_validate_json(shard.contract)
    repeated = read_arrays(shard.repeated)[REPEATED] if shard.last_row else None
    outcome = Outcome()
    try:
        with ExitStack() as stack:
            files = _SplitFiles(shard, contract, stack)
            stream = stack.enter_context(fileio.open(shard.set_aside, "w"))
            stream.write("")  # creates the file
            set_aside = csv.writer(stream)
            dates = _Dates(shard, contract) if shard.place is not None else None
            for block in read_ahead(shard.source, contract):
                outcome.read += block.batch.num_rows + len(block.bad)
                outcome.quarantined += len(block.bad)
                outcome.messages += map(str, block.bad[: MOST_MESSAGES - len(outcome.messages)])
                if shard.quarantine:
                    set_aside.writerows(map(attrgetter(*BAD_COLUMNS), block.bad))
                elif outcome.quarantined:
                    continue  # the input will be refused; only the count is still wanted
                batch = block.batch
                derived = dates.columns(block) if dates else []
                if repeated is not None:
                    end = outcome.read - outcome.quarantined
                    kept = pa.array(~repeated[end - batch.num_rows : end])
                    batch = batch.filter(kept)
                    derived = [(name, column.filter(kept)) for name, column in derived]
                    outcome.superseded += block.batch.num_rows - batch.num_rows
                files.write(batch, derived)
            outcome.rows, outcome.positives, outcome.blank = files.rows, files.positives, files.blank
    except UserError as error:
        outcome.error = str(error)
    write_json(asdict(outcome), shard.outcome)


class _Dates:
    """Dates the rows of a shard, and derives what follows from the dates."""

    def __init__(self, shard: Shard, contract: Contract):
        assert shard.place is not None
        self._calendar = Calendar(shard.source.file, contract, shard.place)
        self._volume = Volume(**read_arrays(shard.volume)) if contract.derived else None

    def columns(self, block: reader.Block) -> list[tuple[str, pa.Array]]:
        """The date and the derived columns of a block's good rows, by name."""
        days = self._calendar.dates(block)
        derived = self._volume.columns(days) if self._volume else {}
        return [(CALL_DAY, pa.array(days)), *((name, pa.array(column)) for name, column in derived.items())]


class _SplitFiles:
    """The TFRecord files of one shard, and what has been written to them per split."""

    def __init__(self, shard: Shard, contract: Contract, stack: ExitStack):
        self.first_held_out = shard.first_held_out
        self.label = contract.label and contract.label.name
        self.encoder = RecordBatchToExamplesEncoder()
        options = tf.io.TFRecordOptions(compression_type="GZIP", compression_level=1)
        self.writers = [stack.enter_context(tf.io.TFRecordWriter(shard.examples(split), options)) for split in SPLITS]
        self.rows = [0] * len(SPLITS)
        self.positives = [0] * len(SPLITS)
        rules: dict[str, Numeric | Categorical] = {**contract.numeric, **contract.categorical}
        known = [name for name in contract.features() if name not in contract.derived_columns]
        self.blank = [name for name in known if rules[name].blank]

    def write(self, batch: pa.RecordBatch, derived: Sequence[tuple[str, pa.Array]]) -> None:
        """Writes rows into their splits, which the derived columns have no part in."""
        self.blank = [name for name in self.blank if _is_blank(batch.column(batch.schema.get_field_index(name)))]
        splits = self._splits(batch)
        labels = (
            batch.column(batch.schema.get_field_index(self.label)).to_numpy() if self.label else np.zeros(len(batch))
        )
        names = [*batch.schema.names, *(name for name, _ in derived)]
        batch = pa.RecordBatch.from_arrays([*batch.columns, *(column for _, column in derived)], names)
        examples = self.encoder.encode(_as_lists(batch))
        for index, writer in enumerate(self.writers):
            chosen = splits == index
            selected = list(itertools.compress(examples, chosen.tolist()))
            for example in selected:
                writer.write(example)
            self.rows[index] += len(selected)
            self.positives[index] += int(np.count_nonzero(labels[chosen] == 1))

    def _splits(self, batch: pa.RecordBatch) -> np.ndarray:
        if self.first_held_out is None:
            return random_splits(batch)
        first = sum(self.rows)
        return np.searchsorted(self.first_held_out, np.arange(first, first + batch.num_rows), side="right")


def read_ahead(source: FilePart, contract: Contract) -> Iterator[reader.Block]:
    """The blocks of a part; each is read in a second thread while the one before it is used.

    Raises:
      BadFileError: as :func:`data.reader.read`.
    """
    blocks = reader.read(source.file, contract, part=source.part)
    with ThreadPoolExecutor(1) as pool:
        following = pool.submit(next, blocks, None)
        while block := following.result():
            following = pool.submit(next, blocks, None)
            yield block


def _is_blank(column: pa.Array) -> bool:
    """Whether no cell of a batch's column has a value."""
    if pa.types.is_string(column.type):
        return not pc.any(pc.not_equal(column, MISSING_TEXT)).as_py()
    return bool(np.isnan(column.to_numpy()).all())


def _as_lists(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch as tfx_bsl's encoder takes it: each cell a list of one value, texts as bytes."""
    offsets = pa.array(np.arange(batch.num_rows + 1, dtype=np.int64))
    columns = [
        pa.LargeListArray.from_arrays(offsets, column.cast(pa.binary()) if pa.types.is_string(column.type) else column)
        for column in batch.columns
    ]
    return pa.RecordBatch.from_arrays(columns, batch.schema.names)


def _blake2b(text: str) -> np.uint64:
    return np.uint64(int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little"))


def _mix(values: np.ndarray) -> np.ndarray:
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
