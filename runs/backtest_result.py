"""The result of a backtest, typed: the content of `backtest.json`."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from analysis.figures import OverTime
from analysis.segmentation import strict_json
from runs.summary import LabelWords

FILE = "backtest.json"
SCHEMA = 2
"""Counted up when a field changes its meaning or is removed. The first layout had spans in place of months."""
Model = Literal["monthly", "static", "rolling", "histgb", "logistic"]
MODELS: dict[Model, str] = {
    "monthly": "as the schedule trains",
    "static": "trained once",
    "rolling": "on the newest calls only",
    "histgb": "gradient boosting",
    "logistic": "logistic regression",
}
"""The models of a backtest, in words. `monthly` is the network that the schedule's policy would have had. `static` is
its first one. `rolling` learns each month from as many of the newest calls as there were before the first month. The
others learn each month from the same calls and columns as `monthly`."""
Outcome = Literal["first", "promoted", "refused", "kept"]
"""Of the schedule's decision before a month: the first model was trained; a challenger became the champion; it was
refused; nothing was trained."""

EXCEPTIONS: dict[Outcome, str] = {"refused": "the new model was refused", "kept": "nothing was trained"}
"""Outcomes that are out of the ordinary, in words."""


@dataclass(frozen=True)
class Decided:
    """What the schedule's policy decided before a month.

    Attributes:
      outcome: see :data:`Outcome`.
      reasons: in words: why a model was trained, why it was refused, or why none was trained.
      rolled_back: in what the champion did worse on the month before than the champion before it, which therefore took
        over again; empty where it did not.
    """

    outcome: Outcome
    reasons: tuple[str, ...]
    rolled_back: tuple[str, ...] = ()

    @property
    def exceptions(self) -> tuple[str, ...]:
        """What was out of the ordinary, in words: a roll back, a refusal, or nothing to train."""
        found = [f"the champion was rolled back: {'; '.join(self.rolled_back)}"] if self.rolled_back else []
        if self.outcome in EXCEPTIONS:
            found.append(f"{EXCEPTIONS[self.outcome]}: {'; '.join(self.reasons)}")
        return tuple(found)


@dataclass(frozen=True)
class MonthResult:
    """The calls of a month, scored by models that had learned from earlier months.

    Attributes:
      name: such as `2009-03`; of rows without dates, such as `rows 1,001 to 2,000`.
      rows: number of calls.
      label_rate: share of positive ones.
      auc: by model, the mean over the seeds; None where the month has too few rows of a label.
      decisions: before the month, one for each seed.
    """

    name: str
    rows: int
    label_rate: float
    auc: dict[Model, float | None]
    decisions: tuple[Decided, ...]


@dataclass(frozen=True)
class Period:
    """The figures of each model over some months.

    Attributes:
      first, last: names of the months.
      models: the figures, means over the seeds.
    """

    first: str
    last: str
    models: dict[Model, OverTime]

    @property
    def months(self) -> str:
        """In words: `2009-03`, or `2009-08 to 2010-11`."""
        return self.first if self.first == self.last else f"{self.first} to {self.last}"


@dataclass(frozen=True)
class SpanResult:
    """Consecutive rows, scored by a network that had learned from all rows before them.

    Attributes:
      first_row, last_row: numbered from 1; both belong to the span.
      label_rate: share of positive rows.
      auc: the mean over the seeds; None where all rows have one label.
    """

    first_row: int
    last_row: int
    label_rate: float
    auc: float | None


@dataclass(frozen=True)
class BacktestResult:
    """How models of the past ranked the calls that came next.

    Attributes:
      source: the file or folder of the rows.
      synthetic: whether they are the synthetic sample.
      contract: name of the data contract.
      with_after_call: whether columns known only after the call were features.
      with_calendar: whether columns that say when the call was were features.
      past_volume_only: whether the number of calls planned for a day was left out.
      seeds: of the fits, the splits and the random split; all figures are means over them, and so are the ends of the
        intervals.
      rows: number of rows.
      cost, margin: of a call and of a positive row, in euros.
      dated: whether months are those of the calendar; else they are stretches of rows.
      periods: by name: `all` months that were scored, and `dev` and `confirm` where the contract names them.
      months: oldest first.
      random_split: of a network, on rows held out at random; its months are those of all calls.
      spans: equal stretches of the newer half of the rows, the measure of earlier versions; empty unless asked for.
      verdict: which figure to rely on, in words.
      words: how to speak of positive rows.
    """

    source: str
    synthetic: bool
    contract: str
    with_after_call: bool
    with_calendar: bool
    past_volume_only: bool
    seeds: tuple[int, ...]
    rows: int
    cost: float
    margin: float
    dated: bool
    periods: dict[str, Period]
    months: tuple[MonthResult, ...]
    random_split: OverTime
    spans: tuple[SpanResult, ...]
    verdict: str
    words: LabelWords = field(default_factory=LabelWords)
    schema: int = SCHEMA

    @property
    def different_periods(self) -> dict[str, Period]:
        """The periods without one whose months another one has."""
        names = {period.months: name for name, period in reversed(self.periods.items())}
        return {name: period for name, period in self.periods.items() if name in names.values()}

    @property
    def stated(self) -> str:
        """The name of the period on which the model's worth is stated: no choice was made on it, if there is such."""
        return next(name for name in ("confirm", *self.different_periods) if name in self.periods)

    @property
    def worth(self) -> OverTime:
        """The figures of `monthly` on that period."""
        return self.periods[self.stated].models["monthly"]

    @property
    def months_stated(self) -> str:
        """The months of that period in words."""
        return self.periods[self.stated].months

    @property
    def exceptions(self) -> tuple[str, ...]:
        """What was out of the ordinary before a month, in words, whatever the seed."""
        return tuple(
            dict.fromkeys(
                f"{month.name}: {text}" for month in self.months for one in month.decisions for text in one.exceptions
            )
        )

    @property
    def span_mean(self) -> float | None:
        """The mean AUC over the spans that have one."""
        found = [span.auc for span in self.spans if span.auc is not None]
        return sum(found) / len(found) if found else None

    def to_json(self) -> str:
        """The content of `backtest.json`: the fields, and `span_mean`."""
        return strict_json({**dataclasses.asdict(self), "span_mean": self.span_mean})

    @classmethod
    def from_json(cls, text: str | bytes) -> BacktestResult:
        """Reads what `to_json` wrote.

        Raises:
          ValueError: the text is not the result of a backtest, or one of another layout; the message says so.
        """
        document = json.loads(text)
        if not isinstance(document, dict) or not {"contract", "spans"} <= document.keys():
            raise ValueError("not the result of a backtest")
        if document.get("schema") != SCHEMA:
            raise ValueError(
                f"a backtest of layout {document.get('schema', 1)}, and this program reads layout {SCHEMA}: "
                "make it again with python -m pipeline.backtest"
            )
        try:
            return TypeAdapter(BacktestResult).validate_python(document)
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(map(str, first["loc"]))
            raise ValueError(f"not the result of a backtest: {key}: {first['msg']}") from error


def backtest_folder(
    artifacts: Path,
    contract: str,
    synthetic: bool = False,
    with_after_call: bool = False,
    with_calendar: bool = False,
    past_volume_only: bool = False,
) -> Path:
    """Where the backtest of a data set and a set of columns is written."""
    parts = [
        contract,
        "synthetic" * synthetic,
        "with-after-call" * with_after_call,
        "with-calendar" * with_calendar,
        "past-volume-only" * past_volume_only,
    ]
    return artifacts / "backtests" / "-".join(filter(None, parts))
