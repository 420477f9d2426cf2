"""Checks the rows of a request by columns, against the data contract of the model that is to score them.

Each column is checked at once; a pydantic model for each row would take several times as long.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from operator import itemgetter
from typing import Any, NoReturn

from campaigns.lists import LONGEST_IDENTIFIER, identifier_column
from campaigns.served import ServedModel
from data.contract import MISSING_NUMBER, MISSING_TEXT, Numeric
from data.csv_rows import FLOAT32_LIMIT
from data.errors import BadOptionError, did_you_mean

Identifier = str | int
Column = Sequence[Any]

_NUMBERS = {int, float}
_LONGEST_SHOWN = 40


@dataclass(frozen=True)
class Rows:
    """The rows of a request by column.

    Attributes:
      columns: the model's inputs by name, each [rows]; a missing number is NaN, a missing text "".
      identifiers: as they came, None for a row without one.
      others: further columns that were allowed, as far as every row has them.
      has_nan: whether a number is missing, which JSON has no word for.
      assumed: the values of inputs about the size of the list that some rows lacked.
    """

    columns: Mapping[str, Column]
    identifiers: Sequence[Identifier | None]
    others: Mapping[str, Column]
    has_nan: bool
    assumed: Mapping[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.identifiers)


class RowCheck:
    """Checks rows for one version of a model.

    Args:
      model: the version.
    """

    def __init__(self, model: ServedModel):
        self._names = tuple(model.inputs)
        self._contract = model.contract
        self._numeric: list[tuple[str, Numeric]] = []
        self._texts: list[tuple[str, bool]] = []
        for name, is_text in model.inputs.items():
            if is_text:
                rule = model.contract.categorical.get(name)
                self._texts.append((name, rule is None or rule.blank))
            else:
                self._numeric.append((name, model.contract.numeric[name]))
        self._derived = {name for name in model.contract.derived_columns if name in self._names}
        self._required = tuple(name for name in self._names if name not in self._derived)
        self._cells = itemgetter(*self._required)
        self._assumed = model.assumed

    def __call__(self, instances: list[Any], others: Collection[str] = ()) -> Rows:
        """The rows by column.

        Args:
          instances: one JSON object for each row: the model's inputs by name, and columns that identify the customer.
            Those inputs that say how long the list is may be left out; then what is usual takes their place.
          others: names of further columns that rows may have.

        Raises:
          BadOptionError: a row has a wrong column or a wrong value.
        """
        columns, lacking = self._columns(instances)
        identifiers: Sequence[Identifier | None] = [None] * len(instances)
        further: dict[str, Column] = {}
        if lacking or sum(map(len, instances)) != len(self._names) * len(instances):
            extra = [name for name in dict.fromkeys(chain.from_iterable(instances)) if name not in self._names]
            identifiers = self._identifiers(instances, extra, others)
            further = {
                name: [row[name] for row in instances]
                for name in extra
                if name in others and all(name in row for row in instances)
            }
        has_nan = False
        for name, rule in self._numeric:
            column = columns[name]
            if not _plain_numbers(column, rule.integer):
                columns[name], missing = _numbers(name, column, rule)
                has_nan |= missing
        for name, blank in self._texts:
            column = columns[name]
            if set(map(type, column)) != {str} or (not blank and MISSING_TEXT in column):
                columns[name] = [_text(place, name, value, blank) for place, value in enumerate(column)]
        return Rows(columns, identifiers, further, has_nan, self._usual(lacking))

    def _columns(self, instances: list[Any]) -> tuple[dict[str, Column], list[str]]:
        """The columns, and those of the size of the list that some rows lack; what is usual is in them."""
        try:
            rows = list(map(self._cells, instances))
        except (KeyError, TypeError, IndexError):
            self._say_what_is_missing(instances)
        cells = [rows] if len(self._required) == 1 else zip(*rows, strict=True)
        columns: dict[str, Column] = dict(zip(self._required, cells, strict=True))
        lacking = [name for name in self._derived if not all(name in row for row in instances)]
        usual = self._usual(lacking)
        for name in self._derived:
            columns[name] = [row.get(name, usual.get(name)) for row in instances]
        return {name: columns[name] for name in self._names}, lacking

    def _usual(self, names: Collection[str]) -> dict[str, int]:
        """What is assumed of the size of the list."""
        return self._assumed.values(names) if self._assumed else {}

    def _say_what_is_missing(self, instances: list[Any]) -> NoReturn:
        for place, row in enumerate(instances):
            if not isinstance(row, dict):
                raise BadOptionError(f"instances: row {place}: got {_shown(row)}, expected an object with columns")
            for name in self._required:
                if name not in row:
                    hint = did_you_mean(name, [other for other in row if other not in self._names])
                    raise BadOptionError(f"instances: row {place}: {name}: got nothing, expected a value{hint}")
        raise AssertionError("every row has every column")

    def _identifiers(
        self, instances: list[dict[str, Any]], extra: Sequence[str], others: Collection[str]
    ) -> list[Identifier | None]:
        column = identifier_column(self._contract, extra)
        allowed = {*others, *self._contract.identifiers, *([column] if column else ())}
        if unknown := [name for name in extra if name not in allowed]:
            name = unknown[0]
            place = next(place for place, row in enumerate(instances) if name in row)
            known = (*self._names, *allowed)
            raise BadOptionError(f"instances: row {place}: {name!r} is not a column{did_you_mean(name, known)}")
        if column is None:
            return [None] * len(instances)
        found = [row.get(column) for row in instances]
        for place, value in enumerate(found):
            if value is not None and type(value) not in (str, int):
                _refuse(place, column, value, "text or a whole number")
            if type(value) is str and len(value) > LONGEST_IDENTIFIER:
                _refuse(place, column, value, f"at most {LONGEST_IDENTIFIER} characters")
        return found


def _plain_numbers(column: Column, integer: bool) -> bool:
    """Whether there is certainly nothing odd about numbers."""
    kinds = set(map(type, column))
    if not kinds <= _NUMBERS:
        return False
    # A comparison with NaN is false, but the extremes of a column may hide one; a sum does not.
    if not (min(column) > -FLOAT32_LIMIT and max(column) < FLOAT32_LIMIT):
        return False
    if float in kinds and math.isnan(sum(column)):
        return False
    if not integer or float not in kinds:
        return True
    return all(map(float.is_integer if len(kinds) == 1 else _is_whole, column))


def _is_whole(value: float) -> bool:
    return value % 1 == 0


def _numbers(name: str, column: Column, rule: Numeric) -> tuple[list[float], bool]:
    """The numbers of a column, with NaN for what is missing, and whether any is.

    Raises:
      BadOptionError: a value is wrong.
    """
    numbers: list[float] = []
    for place, value in enumerate(column):
        missing = value is None or value != value
        good = rule.blank if missing else type(value) in _NUMBERS and abs(value) < FLOAT32_LIMIT
        if not good or (rule.integer and not missing and not _is_whole(value)):
            blank = ", or null where there is none" if rule.blank else ""
            _refuse(place, name, value, f"a {'whole ' * rule.integer}number{blank}")
        numbers.append(MISSING_NUMBER if missing else value)
    return numbers, any(number != number for number in numbers)


def _text(place: int, name: str, value: Any, blank: bool) -> str:
    if value is None and blank:
        return MISSING_TEXT
    if type(value) is not str or (value == MISSING_TEXT and not blank):
        _refuse(place, name, value, "text" + ", or null where there is none" * blank)
    return value


def _refuse(place: int, name: str, value: Any, expected: str) -> NoReturn:
    raise BadOptionError(f"instances: row {place}: {name}: got {_shown(value)}, expected {expected}")


def _shown(value: Any) -> str:
    return "null" if value is None else repr(value)[:_LONGEST_SHOWN]


def as_rows(columns: Mapping[str, Iterable[Any]]) -> list[dict[str, Any]]:
    """Columns as one mapping for each row."""
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
