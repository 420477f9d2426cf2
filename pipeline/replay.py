"""The schedule replayed: each month of the past is scored by models that had learned from earlier months only.

The rules are those of the live schedule: `schedule.policy` says when a model is trained, on which months, and which
months are not to be believed. `analysis.trial` compares the challenger with the champion on held-out calls of the
newest months, and the champion with the one before it on a month that neither has seen; the one before takes over again
where it did better. As in a run, 70 % of the calls are for training, 15 % for early stopping, calibration and the
threshold, and 15 % for the trial. A call is in the same part for every model, so that no trial has a call that one of
the two has learned from. The fixed bounds of the gate are not replayed.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from analysis import trial
from analysis.over_time import months_of
from analysis.trial_result import Trial
from data.contract import CALL_DAY, Contract
from data.errors import BadOptionError
from runs.backtest_result import Decided, Model
from schedule.policy import Month, Situation, doubt, reasons_to_train, training_months

UNIT = 1_000
"""Rows in place of a month where rows have no dates."""
FEWEST_ROWS = 100
"""Before the first month to be scored."""
TRAIN, LEARNED = 0.70, 0.85
"""Ends of the shares of calls for training and for early stopping; the rest is for the trial."""
_DAYS = 28
"""Stand-in days of a stretch of rows without dates."""
BASELINES: Mapping[Model, str] = {"histgb": "hist_gradient_boosting", "logistic": "logistic_regression"}
"""Keys of `modules.purchase.baselines`."""


class Scorer(Protocol):
    """A fitted model."""

    def score(self, columns: Mapping[str, np.ndarray]) -> np.ndarray:
        """Probabilities of label 1, [rows]."""


@dataclass(frozen=True)
class Unit:
    """A calendar month of calls, or a stretch of rows without dates.

    Attributes:
      name: such as `2009-03` or `rows 1,001 to 2,000`.
      start, stop: the rows, numbered from 0; the end is exclusive.
    """

    name: str
    start: int
    stop: int

    @property
    def rows(self) -> np.ndarray:
        """Numbers of the rows."""
        return np.arange(self.start, self.stop)


@dataclass(frozen=True)
class Calls:
    """The labelled calls of a file, in date order.

    Attributes:
      columns: from `data.columns.read`.
      contract: describes them.
      with_after_call: whether columns known only after the call are features.
    """

    columns: Mapping[str, np.ndarray]
    contract: Contract
    with_after_call: bool = False

    @cached_property
    def labels(self) -> np.ndarray:
        """0 or 1, [rows]."""
        return self.columns[self.contract.required_label.name]

    @property
    def dated(self) -> bool:
        """Whether the calls have dates."""
        return self.contract.call_date is not None

    @cached_property
    def days(self) -> np.ndarray:
        """Days since 1970-01-01, [rows]. Without dates each stretch of UNIT rows stands for a month."""
        if self.dated:
            return self.columns[CALL_DAY]
        stretch, place = np.divmod(np.arange(len(self.labels)), UNIT)
        return stretch.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64) + place * _DAYS // UNIT

    @cached_property
    def units(self) -> tuple[Unit, ...]:
        """All months, oldest first."""
        months = months_of(self.days)
        edges = [0, *(np.flatnonzero(months[1:] != months[:-1]) + 1).tolist(), len(months)]
        return tuple(
            Unit(str(months[start]) if self.dated else f"rows {start + 1:,} to {stop:,}", start, stop)
            for start, stop in itertools.pairwise(edges)
        )

    def take(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        """The columns of some rows."""
        return {name: column[rows] for name, column in self.columns.items()}


@dataclass(frozen=True)
class Replay:
    """What one seed gave.

    Attributes:
      scores: of each model, [rows of the file]; NaN where it scored none.
      decisions: before each month that was scored.
      random_rows, random_scores: the rows that were held out at random, and their scores.
      spans: for each span the scores of its rows.
    """

    scores: dict[Model, np.ndarray]
    decisions: tuple[Decided, ...]
    random_rows: np.ndarray
    random_scores: np.ndarray
    spans: tuple[np.ndarray, ...]


def to_score(calls: Calls, dev_only: bool = False) -> range:
    """Places of the months to be scored, among all: from the first of the contract's `dev` on, else from the first
    before which half of the rows lie.

    Args:
      calls: of the file.
      dev_only: whether to stop at the end of `dev`.

    Raises:
      BadOptionError: too few rows lie before the first month, or there is none.
    """
    periods, units = calls.contract.backtest, calls.units
    if periods is None and dev_only:
        raise BadOptionError(f"--dev-only: contract {calls.contract.name} names no backtest periods")
    if periods is not None:
        last = periods.dev[1] if dev_only else units[-1].name
        wanted = [place for place, unit in enumerate(units) if periods.dev[0] <= unit.name <= last]
        since = f"the months from {periods.dev[0]} on (backtest.dev in contract {calls.contract.name})"
    else:
        wanted = [place for place, unit in enumerate(units) if unit.start >= len(calls.labels) / 2]
        since = "the months before which half of the rows lie" if calls.dated else f"the newer half, {UNIT:,} at a time"
    before = units[wanted[0]].start if wanted else 0
    if before < FEWEST_ROWS:
        raise BadOptionError(
            f"{len(calls.labels):,} rows from {units[0].name} to {units[-1].name} are too few: a backtest scores "
            f"{since}, and needs at least {FEWEST_ROWS} rows before the first"
        )
    return range(wanted[0], wanted[-1] + 1)


def span_edges(rows: int, spans: int) -> list[int]:
    """Where equal spans of the newer half of the rows begin, and where the last one ends."""
    start = round(rows * 0.5)
    return [start + (rows - start) * i // spans for i in range(spans + 1)] if spans else []


def replay(calls: Calls, scored: range, spans: int, seed: int, begin: Callable[[str], None]) -> Replay:
    """Follows the schedule from month to month.

    Args:
      calls: of the file.
      scored: from :func:`to_score`.
      spans: equal spans of the newer half of the rows that are scored as well.
      seed: of the fits and of the division of calls into parts.
      begin: called with the name of the next step; there are `len(scored) + 1 + spans`.
    """
    fits = _Fits(calls, seed)
    schedule = _Schedule(calls, fits, believed=list(range(scored.start)))
    window = calls.units[scored.start].start
    scores = {name: np.full(len(calls.labels), np.nan) for name in ("monthly", "static", "rolling", *BASELINES)}
    models: dict[Model, Scorer] = {}
    decisions = []
    for place in scored:
        unit = calls.units[place]
        begin(unit.name)
        fresh = len(schedule.believed) != schedule.learned_from
        decisions.append(schedule.step())
        models["monthly"] = schedule.champion
        models.setdefault("static", schedule.champion)
        if fresh:
            known = schedule.rows
            models["rolling"] = models["static"] if place == scored.start else fits.network(known[-window:])
            models |= {name: fits.baseline(key, known) for name, key in BASELINES.items()}
        columns = calls.take(unit.rows)
        for name, model in models.items():
            scores[name][unit.rows] = model.score(columns)
        schedule.check(place, columns, scores["monthly"][unit.rows])
    begin("random split")
    until = np.arange(calls.units[scored[-1]].stop)
    held_out = until[fits.part[until] >= LEARNED]
    at_random = fits.network(until).score(calls.take(held_out))
    return Replay(scores, tuple(decisions), held_out, at_random, _spans(calls, fits, spans, begin))


def _spans(calls: Calls, fits: _Fits, spans: int, begin: Callable[[str], None]) -> tuple[np.ndarray, ...]:
    found = []
    for start, stop in itertools.pairwise(span_edges(len(calls.labels), spans)):
        begin(f"span of rows {start + 1:,} to {stop:,}")
        model = fits.network(np.arange(start), train=LEARNED)
        found.append(model.score(calls.take(np.arange(start, stop))))
    return tuple(found)


class _Fits:
    """Fits models; a call is in the same part for all of them.

    Attributes:
      part: of each row, from 0 to 1: for training, early stopping, or the trial, see TRAIN and LEARNED.
    """

    def __init__(self, calls: Calls, seed: int) -> None:
        self._calls, self._seed = calls, seed
        self.part = np.random.default_rng(seed).random(len(calls.labels))

    def network(self, rows: np.ndarray, train: float = TRAIN) -> Scorer:
        """The network, on the train and eval parts of some rows.

        Args:
          rows: their numbers.
          train: the end of the train part; with LEARNED there are no test rows, and the rest is the eval part.
        """
        from modules.purchase import estimator

        calls, part = self._calls, self.part[rows]
        end = LEARNED if train < LEARNED else 1.0
        learned, evaluation = rows[part < train], rows[(part >= train) & (part < end)]
        return estimator.fit(
            calls.take(learned), calls.take(evaluation), calls.contract, calls.with_after_call, seed=self._seed
        )

    def baseline(self, key: str, rows: np.ndarray) -> Scorer:
        """A model of `modules.purchase.baselines`, which needs no eval part, on the train and eval parts."""
        from modules.purchase import baselines

        calls = self._calls
        features = calls.contract.features(calls.with_after_call)
        learned = calls.take(rows[self.part[rows] < LEARNED])
        return baselines.fit(key, learned, calls.contract, features, self._seed)


class _Schedule:
    """The schedule's state: its champions, and the months that it believes.

    Attributes:
      believed: places of the months that are over and were not set aside, oldest first.
      learned_from: how many of them the newest model learned from.
    """

    def __init__(self, calls: Calls, fits: _Fits, believed: list[int]) -> None:
        self._calls, self._fits = calls, fits
        self.believed, self.learned_from = believed, 0
        self._champions: list[Scorer] = []
        self._set_aside = ""
        self._rolled_back: tuple[str, ...] = ()

    @property
    def champion(self) -> Scorer:
        """The model that serves."""
        return self._champions[-1]

    @property
    def rows(self) -> np.ndarray:
        """The calls of the months to learn from."""
        return np.concatenate([self._unit(month).rows for month in training_months(self._months())])

    def step(self) -> Decided:
        """What the schedule does when a month begins."""
        rolled_back, self._rolled_back = self._rolled_back, ()
        months = self._months()
        before = months[: self.learned_from] or None
        reasons = reasons_to_train(Situation(finished=months, trained_on=before))
        if not reasons:
            return Decided("kept", (self._set_aside,), rolled_back)
        challenger = self._fits.network(self.rows)
        self.learned_from = len(months)
        if before is not None and (faults := self._faults(challenger)):
            return Decided("refused", faults, rolled_back)
        self._champions.append(challenger)
        return Decided("first" if before is None else "promoted", reasons, rolled_back)

    def check(self, place: int, columns: Mapping[str, np.ndarray], scores: np.ndarray) -> None:
        """Sets a month that is over aside; or believes it, and goes back to the champion before if that did better.

        Args:
          place: of the month.
          columns: of its calls.
          scores: the champion's.
        """
        from modules.purchase.month_evidence import evidence

        calls, unit = self._calls, self._calls.units[place]
        found = evidence(columns, scores, calls.contract)
        reason = doubt(unit.name, found.champion, found.inside)
        if reason is not None:
            self._set_aside = reason
            return
        self.believed.append(place)
        labels = calls.labels[unit.rows]
        if len(self._champions) > 1 and np.bincount(labels, minlength=2).min() >= trial.ENOUGH:
            before = self._champions[-2].score(columns)
            self._rolled_back = self._named(trial.compare(labels, before, scores, calls.days[unit.rows])).faults
            if self._rolled_back:
                self._champions.pop()

    def _faults(self, challenger: Scorer) -> tuple[str, ...]:
        """In what the challenger is worse than the champion on the newest months' calls of the test part."""
        calls = self._calls
        test = self.rows[self._fits.part[self.rows] >= LEARNED]
        newest = test[trial.newest(calls.labels[test], calls.days[test])]
        columns = calls.take(newest)
        champion, scores = self.champion.score(columns), challenger.score(columns)
        return self._named(trial.compare(calls.labels[newest], champion, scores, calls.days[newest])).faults

    def _named(self, found: Trial) -> Trial:
        """A trial with the names of our months, which are not those of the calendar where rows have no dates."""
        calls = self._calls
        names = {str(months_of(calls.days[unit.start])): unit.name for unit in calls.units}
        return dataclasses.replace(found, months=tuple(names[month] for month in found.months))

    def _months(self) -> tuple[Month, ...]:
        return tuple(Month(self._calls.units[place].name, 1) for place in self.believed)

    def _unit(self, month: Month) -> Unit:
        return next(unit for unit in self._calls.units if unit.name == month.name)
