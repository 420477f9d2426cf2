"""The dates of calls, from a column of dates or from parts of a date in rows in date order."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from data.contract import CallDate, Contract
from data.csv_header import read_header
from data.csv_rows import Block
from data.errors import BadFileError
from data.span_folder import day_number, month_of

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_FIRST_WEEKDAY = 3
"""1970-01-01 was a Thursday."""
_NO_DAY = np.iinfo(np.int64).min


class Place(NamedTuple):
    """Where the calendar is after a row: its year, its month from 0, and its day since 1970-01-01."""

    year: int = 0
    month: int = -1
    day: int = _NO_DAY

    @classmethod
    def in_month(cls, month: str, after: date | None = None) -> Place:
        """Before the first row of a month, such as `2009-03`, or after its calls up to a day."""
        return cls(int(month[:4]), int(month[5:]) - 1, _NO_DAY if after is None else day_number(after))


START = Place()
"""Before the first row of all."""


@dataclass
class Calendar:
    """Dates the rows of a file in their order.

    Attributes:
      file: for messages.
      contract: has a `call_date`.
      place: of the last row of the file before; it moves with each block.
      month: such as `2009-03`, in which all rows must lie; None where they may lie in any.
      rows: of the file that were seen, good and bad ones.
    """

    file: Path
    contract: Contract
    place: Place = START
    month: str | None = None
    rows: int = 0

    @classmethod
    def of(cls, file: Path, contract: Contract, place: Place) -> Calendar:
        """The calendar of a file: the rows of a span lie in its month, those of another file go on after a place."""
        month = month_of(file)
        return cls(file, contract, place) if month is None else cls(file, contract, Place.in_month(month), month)

    def dates(self, block: Block) -> np.ndarray:
        """The days of a block's good rows since 1970-01-01, int64.

        Raises:
          BadFileError: a row has no date, an earlier one than the row before, or one of another month; the message has
            file, line and value.
        """
        rule, rows = self.contract.call_date, block.batch.num_rows
        assert rule is not None
        if rows:
            days = self._of_column(rule, block) if rule.column else self._of_parts(rule, block)
            self._check_month(rule, block, days)
            before = np.concatenate([[self.place.day], days[:-1]])
            if len(wrong := np.flatnonzero(days < before)):
                row = int(wrong[0])
                raise self._fault(
                    block, row, rule.column or rule.day or rule.month, str(_day(days[row])),
                    f"a date from {_day(before[row])} on, since rows must be in the order of the calls",
                )  # fmt: skip
            self.place = self.place._replace(day=int(days[-1]))
        else:
            days = np.empty(0, np.int64)
        self.rows += rows + len(block.bad)
        return days

    def _check_month(self, rule: CallDate, block: Block, days: np.ndarray) -> None:
        if self.month is None:
            return
        wrong = np.flatnonzero(days.astype("datetime64[D]").astype("datetime64[M]") != np.datetime64(self.month, "M"))
        if len(wrong):
            row = int(wrong[0])
            raise self._fault(block, row, rule.column or rule.month, str(_day(days[row])), f"a day of {self.month}")

    def _of_column(self, rule: CallDate, block: Block) -> np.ndarray:
        assert block.cells is not None
        texts = block.cells[rule.column]
        days = _by_text(texts, _parsed)
        if len(wrong := np.flatnonzero(days == _NO_DAY)):
            row = int(wrong[0])
            raise self._fault(block, row, rule.column, str(texts[row]), "a date such as 2008-05-05")
        return days

    def _of_parts(self, rule: CallDate, block: Block) -> np.ndarray:
        months = self._part(block, rule.month, MONTHS, 1, 12)
        years = np.cumsum(np.diff(months, prepend=self.place.month) < 0) + (self.place.year or rule.begins)
        month = (years - 1970) * 12 + months
        first = month.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
        if rule.day:
            days = first + self._part(block, rule.day, (), 1, 31)
        else:
            weekdays = self._part(block, rule.day_of_week, WEEKDAYS, 1, 7)
            days = self._of_weekdays(first, weekdays)
        after = days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64) != month
        if len(wrong := np.flatnonzero(after)):
            row = int(wrong[0])
            name = np.datetime64(int(month[row]), "M")
            if rule.day:
                raise self._fault(block, row, rule.day, str(days[row] - first[row] + 1), f"a day of {name}")
            expected = f"rows in the order of the calls; {name} has no more days"
            raise self._fault(block, row, rule.day_of_week, WEEKDAYS[int(weekdays[row])], expected)
        self.place = Place(int(years[-1]), int(months[-1]), self.place.day)
        return days

    def _of_weekdays(self, first: np.ndarray, weekdays: np.ndarray) -> np.ndarray:
        """A new day begins where the weekday or the month changes: the next one with that weekday."""
        weekday_before = np.concatenate([[self._weekday()], weekdays[:-1]])
        month_before = np.concatenate([[self._first_of_month()], first[:-1]])
        starts = np.flatnonzero((weekdays != weekday_before) | (first != month_before))
        days, day = np.full(len(first), self.place.day, np.int64), self.place.day
        for start, end in itertools.pairwise([*starts, len(first)]):
            # The day after the last one, or the month's first day, whichever is later.
            earliest = max(int(first[start]), day + 1)
            day = earliest + int(weekdays[start] - earliest - _FIRST_WEEKDAY) % 7
            days[start:end] = day
        return days

    def _weekday(self) -> int:
        return -1 if self.place.day == _NO_DAY else (self.place.day + _FIRST_WEEKDAY) % 7

    def _first_of_month(self) -> int:
        if self.place.month < 0:
            return _NO_DAY
        months = (self.place.year - 1970) * 12 + self.place.month
        return int(np.datetime64(months, "M").astype("datetime64[D]").astype(np.int64))

    def _part(self, block: Block, name: str | None, names: tuple[str, ...], low: int, high: int) -> np.ndarray:
        """A part of the date, from 0."""
        column = block.batch[name]
        if pa.types.is_string(column.type):
            values = _by_text(column, lambda text: _index(text, names))
        else:
            numbers = column.to_numpy()
            values = np.where(np.isfinite(numbers), numbers, 0).astype(np.int64) - 1
        if len(wrong := np.flatnonzero((values < low - 1) | (values > high - 1))):
            row = int(wrong[0])
            expected = f"one of {', '.join(names)}" if names else f"a whole number from {low} to {high}"
            raise self._fault(block, row, name, str(column[row]), expected)
        return values

    def _fault(self, block: Block, row: int, column: str | None, value: str, expected: str) -> BadFileError:
        bad = [one.index for one in block.bad]
        good = np.delete(np.arange(block.batch.num_rows + len(bad)), bad)
        line = _line(self.file, self.contract, self.rows + int(good[row]))
        return BadFileError(f"{self.file}:{line}: column {column!r}: got {value!r}, expected {expected}")


def cells(day: date, contract: Contract) -> dict[str, str]:
    """The cells from which the date of a call follows, by column; none where the contract's rows have no dates."""
    rule = contract.call_date
    if rule is None:
        return {}
    if rule.column:
        return {rule.column: day.isoformat()}
    found = {}
    if rule.month:
        found[rule.month] = _part_of(contract, rule.month, day.month, MONTHS)
    if rule.day:
        found[rule.day] = str(day.day)
    if rule.day_of_week:
        found[rule.day_of_week] = _part_of(contract, rule.day_of_week, day.isoweekday(), WEEKDAYS)
    return found


def _part_of(contract: Contract, column: str, number: int, names: tuple[str, ...]) -> str:
    """A month or a weekday, counted from 1, as the contract writes it: `Mar`, `march`, `3`."""
    if column in contract.numeric:
        return str(number)
    name = names[number - 1]
    return next((value for value in contract.categorical[column].values if _index(value, names) == number - 1), name)


def _by_text(column: pa.Array, number: Callable[[str], int]) -> np.ndarray:
    """The number of each text of a column, int64 [rows]; different texts are looked at once."""
    coded = column.dictionary_encode()
    return np.array([number(text) for text in coded.dictionary.to_pylist()], np.int64)[coded.indices.to_numpy()]


def _index(text: str, names: tuple[str, ...]) -> int:
    """Which month or weekday a text says, from 0; -1 where it says none."""
    start = text.lower()[:3]
    return names.index(start) if start in names else _number(text)


def _day(day: int) -> np.datetime64:
    return np.datetime64(int(day), "D")


def _parsed(text: str) -> int:
    try:
        return int(np.datetime64(text.strip(), "D").astype(np.int64)) if text.strip()[:4].isdecimal() else _NO_DAY
    except ValueError:
        return _NO_DAY


def _number(text: str) -> int:
    """A number as text, from 0; -1 where it is none."""
    return int(text) - 1 if text.isascii() and text.isdecimal() and len(text) < 3 else -1


def _line(file: Path, contract: Contract, row: int) -> int:
    """The line of a file at which a row begins, from 1; of a Parquet file, the row from 1.

    Args:
      row: counted from 0, bad ones included.
    """
    head = read_header(file, contract.source, contract)
    if head.format == "parquet":
        return row + 1
    with file.open(encoding="utf-8-sig", errors="replace", newline="") as stream:
        for _ in range(head.lines):
            stream.readline()
        quotes = contract.source.quoting != "none"
        records = csv.reader(stream, delimiter=head.delimiter, quoting=csv.QUOTE_MINIMAL if quotes else csv.QUOTE_NONE)
        for begins in _record_lines(records):
            if not row:
                return head.lines + begins
            row -= 1
    return head.lines + 1


def _record_lines(records: Iterator[list[str]]) -> Iterator[int]:
    begins = 1
    for record in records:
        if record:
            yield begins
        begins = records.line_num + 1  # type: ignore[attr-defined]
