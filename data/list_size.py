"""How many calls the bank makes: the derived columns of `derived: list_size`, from the dates of all calls.

A bank calls long lists with few buyers and short lists with many. No other column says which list a customer was on.
`calls_today` is the number of calls on the day of the call; in use it is the number planned. `calls_7d` and `calls_30d`
are the numbers of calls on the 7 and 30 days before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
import pyarrow as pa

from data import reader
from data.call_dates import START, Calendar, Place
from data.contract import LIST_SIZE, Contract
from data.csv_parts import FilePart
from data.csv_rows import Block
from data.model_folder import ListSize
from data.span_folder import calls_elsewhere

WINDOWS = {"calls_7d": 7, "calls_30d": 30}
"""Days before the day of the call."""
READERS = 2
"""Threads that read parts. Most of the reading is Arrow's, which does not hold the GIL."""


@dataclass(frozen=True)
class Volume:
    """How many calls there were on each day with calls.

    Attributes:
      days: int64, ascending, since 1970-01-01.
      calls: int64.
    """

    days: np.ndarray
    calls: np.ndarray

    @classmethod
    def of(cls, dates: np.ndarray) -> Volume:
        """The volume of calls with these dates."""
        return cls(*np.unique(dates, return_counts=True))

    @classmethod
    def counted(cls, counts: Mapping[int, int]) -> Volume:
        """The volume of so many calls by day."""
        days = sorted(counts)
        return cls(np.array(days, np.int64), np.array([counts[day] for day in days], np.int64))

    def with_calls(self, counts: Mapping[int, int]) -> Volume:
        """The volume with so many more calls by day."""
        total = dict(zip(self.days.tolist(), self.calls.tolist(), strict=True))
        return Volume.counted({day: total.get(day, 0) + counts.get(day, 0) for day in {*total, *counts}})

    def columns(self, dates: np.ndarray) -> dict[str, np.ndarray]:
        """The derived columns of calls on these days, float32 [rows] each, in the order of the contract."""
        ends = np.concatenate([[0], np.cumsum(self.calls)])

        def between(start: np.ndarray, stop: np.ndarray) -> np.ndarray:
            """Calls from a day on and before another one."""
            return ends[np.searchsorted(self.days, stop)] - ends[np.searchsorted(self.days, start)]

        distinct, places = np.unique(dates, return_inverse=True)
        found = {"calls_today": between(distinct, distinct + 1)}
        found |= {name: between(distinct - days, distinct) for name, days in WINDOWS.items()}
        return {name: found[name][places].astype(np.float32) for name in LIST_SIZE}


def usual(volume: Volume) -> ListSize:
    """What was usual in the newest month of some calls."""
    months = volume.days.astype("datetime64[D]").astype("datetime64[M]")
    columns = volume.columns(volume.days[months == months.max()])
    medians = {name: round(float(np.median(column))) for name, column in columns.items()}
    return ListSize(**medians, month=str(months.max()))


@dataclass(frozen=True)
class Scan:
    """What a first reading of all files found.

    Attributes:
      volume: of the calls in all files.
      places: for each part the calendar's place before its first row.
      rows: for each part its good rows.
    """

    volume: Volume
    places: tuple[Place, ...]
    rows: tuple[int, ...]


def scan(parts: Sequence[FilePart], contract: Contract) -> Scan:
    """Reads files, as one sequence, to count the calls of each day. Memory holds the dates of some parts, and no rows.

    Where the files are spans, the calls of spans that were set aside count too.

    Args:
      parts: all parts of the files, in order.
      contract: what a row must be.

    Raises:
      BadFileError: as `data.reader.read`; a row has no date, or the rows are not in the order of the calls.
    """
    counts = calls_elsewhere([*dict.fromkeys(file for file, _ in parts)])
    calendar, places, rows = None, [], []
    pool = ThreadPoolExecutor(READERS)
    try:
        for (file, _), blocks in zip(parts, pool.map(partial(_read_dates, contract), parts), strict=True):
            if calendar is None or calendar.file != file:
                calendar = Calendar.of(file, contract, calendar.place if calendar else START)
            places.append(calendar.place)
            rows.append(sum(block.batch.num_rows for block in blocks))
            for block in blocks:
                for day, calls in zip(*np.unique(calendar.dates(block), return_counts=True), strict=True):
                    counts[int(day)] = counts.get(int(day), 0) + int(calls)
    finally:
        pool.shutdown(cancel_futures=True)
    return Scan(Volume.counted(counts), tuple(places), tuple(rows))


def _read_dates(contract: Contract, part: FilePart) -> list[Block]:
    """The blocks of a part without the columns that say nothing of the date."""
    rule = contract.call_date
    assert rule is not None
    names = {rule.column, rule.day, rule.month, rule.day_of_week}

    def of_dates(batch: pa.RecordBatch) -> pa.RecordBatch:
        kept = [name for name in batch.schema.names if name in names]
        return pa.RecordBatch.from_arrays([batch[name] for name in kept], names=kept)

    return [
        Block(of_dates(block.batch), block.bad, None if block.cells is None else of_dates(block.cells))
        for block in reader.read(part.file, contract, part=part.part)
    ]
