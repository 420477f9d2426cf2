"""The parts of a data contract: where the file comes from, and the rules of its columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

LARGEST_NUMBER = 1e30
"""The largest bound or marker. Numbers travel as float32, and so do products of two distances in an encoding."""
BLANKS = " \t"
"""What `source: {trim: true}` drops around cells and column names."""
MISSING_NUMBER = float("nan")
"""How a missing number travels in tf.Examples and requests."""
MISSING_TEXT = ""
"""How a missing category travels in tf.Examples and requests."""
ONE_COLUMN = "bands of one column are no segments; at least two columns are needed"


class Frozen(BaseModel):
    """A part of a contract: unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True, allow_inf_nan=False)


class Source(Frozen):
    """Where the file comes from and how its CSV is written."""

    url: str | None = None
    member: tuple[str, ...] = ()
    """Path inside the downloaded archive; more than one name where a zip holds a zip."""
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None
    """Of the CSV file itself, not of the archive, which the publisher may repack."""
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    quoting: Literal["nonnumeric", "minimal", "none"] = "minimal"
    """How the publisher writes text: always quoted, quoted where needed, or never. The first two are read alike; under
    `none` a quote is an ordinary character."""
    trim: bool = False
    """Whether blanks around cells and column names are dropped."""
    licence: str = ""
    citation: str = ""

    @field_validator("delimiter")
    @classmethod
    def _check_delimiter(cls, delimiter: str) -> str:
        if not delimiter.isascii() or delimiter in '"\r\n\0':
            raise ValueError("the delimiter must be an ASCII character other than a quote or a line end")
        return delimiter


Float32 = Annotated[float, Field(ge=-LARGEST_NUMBER, le=LARGEST_NUMBER)]


class Numeric(Frozen):
    """A number column."""

    unit: str
    min: Float32
    max: Float32
    integer: bool = False
    missing: Float32 | None = None
    """The number that stands for "no value", such as -1 or 999 in `pdays`; blank cells need `blank: true`."""
    blank: bool = False
    """Whether a cell may be empty."""
    one_hot: bool = False
    """Whether each whole number from min to max is also a category, as for a day of the month."""
    bins: Annotated[int, Field(ge=2, le=256)] | None = None
    """If set, the column is also divided into this many categories with about equally many rows. Useful for a daily
    rate, which stands for the date of the call."""
    bands: tuple[float, ...] = ()
    """Inner edges of the bands into which the evaluation divides this column when it is a slice."""

    @model_validator(mode="after")
    def _check(self) -> Numeric:
        if self.min >= self.max:
            raise ValueError(f"min {self.min:g} must be below max {self.max:g}")
        if list(self.bands) != sorted(set(self.bands)):
            raise ValueError(f"bands must rise, got {list(self.bands)}")
        if self.integer and self.missing is not None and self.missing % 1:
            raise ValueError(f"missing {self.missing:g} never occurs in a column with integer: true")
        whole = self.integer and self.min.is_integer() and self.max.is_integer()
        if self.one_hot and not (whole and self.max - self.min < 64):
            raise ValueError("one_hot needs an integer column with fewer than 65 values and whole bounds")
        if self.one_hot and self.bins:
            raise ValueError("one_hot and bins exclude each other")
        return self


class Categorical(Frozen):
    """A text column with a closed list of values."""

    values: Annotated[tuple[str, ...], Field(min_length=1)]
    ordered: bool = False
    """Whether the values rise in the order given, as levels of education do."""
    cyclic: bool = False
    """Whether the values, in the order given, form a circle, as months do."""
    blank: bool = False
    """Whether a cell may be empty."""

    @model_validator(mode="after")
    def _check(self) -> Categorical:
        if twice := doubles(self.values):
            raise ValueError(f"values are listed twice: {', '.join(twice)}")
        if MISSING_TEXT in self.values:
            raise ValueError("an empty value is written as `blank: true`, not listed")
        if self.ordered and self.cyclic:
            raise ValueError("ordered and cyclic exclude each other")
        return self

    @property
    def domain(self) -> tuple[str, ...]:
        """The values a row may carry, the empty text included where cells may be blank."""
        return (*self.values, MISSING_TEXT) if self.blank else self.values


class Label(Frozen):
    """The outcome column."""

    name: str
    positive: str
    negative: str
    one: str = "buyer"
    """What a row with the positive value is called."""
    many: str = "buyers"
    """The plural of it."""

    @model_validator(mode="after")
    def _check(self) -> Label:
        if self.positive == self.negative:
            raise ValueError(f"positive and negative are both {self.positive!r}")
        return self


Scaling = Literal["rank-normal", "yeo-johnson", "standard"]
"""How numbers are brought to one scale: by rank to a normal distribution, by the power transformation of Yeo and
Johnson (2000), or by mean and standard deviation only."""


class Published(Frozen):
    """A published segmentation of these rows, which every run repeats with K-Means for comparison."""

    title: str
    columns: tuple[str, ...] = ()
    """The columns that formed its segments; empty for those of the view."""
    scaling: Scaling | Literal["none"] = "standard"
    """`none` leaves numbers in their units, so that the one with the largest values decides."""
    clusters: Annotated[int, Field(ge=2, le=50)]
    silhouette: Annotated[float, Field(ge=-1, le=1)] | None = None
    """As published; None where none was."""


class CallDate(Frozen):
    """How the date of a call follows from its row: from one column, or from parts of a date in rows in date order."""

    column: str | None = None
    """A column of dates such as 2008-05-05; it is not a feature."""
    month: str | None = None
    """A column of months: jan to dec, or 1 to 12."""
    day: str | None = None
    """A column of days of the month."""
    day_of_week: str | None = None
    """A column of mon to sun, where there is no day of the month. A new day begins where it changes, so the date is
    approximate: a day without calls cannot be seen."""
    year: Literal["inferred"] | None = None
    """The year rises where the month falls back."""
    begins: Annotated[int, Field(ge=1900, le=2200)] = 2000
    """With an inferred year: the year of the first row."""

    @model_validator(mode="after")
    def _check(self) -> CallDate:
        if self.column is not None:
            if self.month or self.day or self.day_of_week or self.year:
                raise ValueError("column stands alone: it has the whole date")
        elif self.month is None or self.year is None or (self.day is None) == (self.day_of_week is None):
            raise ValueError("expected column, or month, year: inferred, and day or day_of_week")
        return self

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that the date follows from."""
        return tuple(name for name in (self.column, self.month, self.day, self.day_of_week) if name)


MonthName = Annotated[str, Field(pattern=r"^\d{4}-(0[1-9]|1[0-2])$")]
"""A calendar month such as 2009-03."""


class Backtest(Frozen):
    """The calendar months that a backtest measures, each period with its first and its last month."""

    dev: tuple[MonthName, MonthName]
    """Choices are made on these months."""
    confirm: tuple[MonthName, MonthName]
    """And are stated on these, which come later."""

    @model_validator(mode="after")
    def _check(self) -> Backtest:
        for key, (first, last) in self.periods.items():
            if first > last:
                raise ValueError(f"{key}: the first month {first} is after the last month {last}")
        if self.confirm[0] <= self.dev[1]:
            raise ValueError(
                f"confirm: begins with {self.confirm[0]}, expected a month after {self.dev[1]}, the end of dev"
            )
        return self

    @property
    def periods(self) -> dict[str, tuple[str, str]]:
        """First and last month by the name of the period, oldest first."""
        return {"dev": self.dev, "confirm": self.confirm}


CALL_DAY = "call_day"
"""Name of the date of a call in tf.Examples and columns: days since 1970-01-01."""
LIST_SIZE: Mapping[str, Numeric] = {
    "calls_today": Numeric(unit="calls planned for the day", min=0, max=1e7, integer=True, blank=True),
    "calls_7d": Numeric(unit="calls in the 7 days before", min=0, max=1e8, integer=True, blank=True),
    "calls_30d": Numeric(unit="calls in the 30 days before", min=0, max=1e9, integer=True, blank=True),
}
"""The derived columns of `derived: list_size`: how many calls the bank makes. Banks choose whom to call, and a short
list holds other customers than a long one. `calls_today` is the number of calls planned for the day of the call."""


class View(Frozen):
    """A way to segment customers: by which columns, and which other columns describe the segments."""

    columns: tuple[str, ...]
    """The columns that form the segments; they are the inputs of the model."""
    describe: tuple[str, ...] = ()
    """Columns that say what the customers of a segment own or do; the model does not see them."""
    scaling: Scaling = "rank-normal"
    published: tuple[Published, ...] = ()

    @field_validator("columns")
    @classmethod
    def _check_columns(cls, columns: tuple[str, ...]) -> tuple[str, ...]:
        if len(columns) < 2:
            raise ValueError(ONE_COLUMN)
        return columns


def doubles(names: Sequence[str]) -> list[str]:
    """The names that are in a list twice, sorted."""
    return sorted({name for name in names if names.count(name) > 1})


def trimmed(cell: str) -> str:
    """A cell or a column name, with its quotes if it has any, as it is read under `source: {trim: true}`."""
    cell = cell.strip(BLANKS)
    quoted = len(cell) > 1 and cell[0] == cell[-1] == '"'
    return cell[1:-1].strip(BLANKS) if quoted else cell
