"""The schedule replayed: which model scores which month, what is refused or set aside, and none sees the future."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.errors import BadOptionError
from pipeline.replay import FEWEST_ROWS, LEARNED, UNIT, Calls, replay, span_edges, to_score
from runs.backtest_result import MODELS
from schedule.policy import Situation, reasons_to_train
from tests.support import dated
from tests.support.properties import RELAXED

PERIODS = {"dev": ("2008-12", "2009-01"), "confirm": ("2009-02", "2009-03")}


@dataclass
class Fit:
    """A model in the place of a real one. It refuses to score a row that it has learned from."""

    kind: str
    learned: np.ndarray
    sign: float = 1.0

    def score(self, columns):
        assert not np.isin(columns["row"], self.learned).any()
        return 0.5 + self.sign * (columns["age"] - 54) / 100


@dataclass
class Fits:
    """Records what was fitted."""

    made: list[Fit] = field(default_factory=list)
    signs: dict[int, float] = field(default_factory=dict)
    """Of some networks, by number: -1 ranks the wrong way."""

    def of(self, kind: str) -> list[Fit]:
        return [fit for fit in self.made if fit.kind == kind]

    def network(self, train, evaluation, contract, with_after_call, seed):
        assert not set(train["row"]) & set(evaluation["row"])
        rows = np.concatenate([train["row"], evaluation["row"]])
        self.made.append(Fit("network", rows, self.signs.get(len(self.of("network")), 1.0)))
        return self.made[-1]

    def baseline(self, key, columns, contract, features, seed):
        self.made.append(Fit(key, columns["row"]))
        return self.made[-1]


@pytest.fixture
def fits(monkeypatch):
    made = Fits()
    monkeypatch.setattr("analysis.over_time.RESAMPLES", 100)
    monkeypatch.setattr("modules.purchase.estimator.fit", made.network)
    monkeypatch.setattr("modules.purchase.baselines.fit", made.baseline)
    return made


def some(sizes, seed=0, **changes) -> Calls:
    columns = dated.calls(sizes, seed=seed)
    return Calls({**columns, "row": np.arange(len(columns["age"]))}, dated.contract(**changes))


def played(calls, seed=0, spans=0, begin=lambda name: None):
    return replay(calls, to_score(calls), spans, seed, begin)


def test_months_are_those_of_the_calendar_and_cover_all_rows():
    calls = some([120, 30, 50])
    assert [(unit.name, unit.start, unit.stop) for unit in calls.units] == [
        ("2008-11", 0, 120),
        ("2008-12", 120, 150),
        ("2009-01", 150, 200),
    ]


def test_rows_without_dates_are_taken_a_thousand_at_a_time():
    calls = some([2 * UNIT, UNIT // 2], call_date=None, derived=None)
    assert [unit.name for unit in calls.units] == ["rows 1 to 1,000", "rows 1,001 to 2,000", "rows 2,001 to 2,500"]
    assert list(to_score(calls)) == [2]


def test_scoring_begins_where_the_contract_says_or_half_of_the_rows_lie_before():
    assert list(to_score(some([120, 10, 10, 10, 10]))) == [1, 2, 3, 4]
    assert list(to_score(some([100, 10, 200, 50]))) == [3]
    named = some([120, 10, 10, 10, 10, 10], backtest=PERIODS)
    assert list(to_score(named)) == [1, 2, 3, 4, 5]
    assert list(to_score(named, dev_only=True)) == [1, 2]


def test_too_few_rows_before_say_so():
    with pytest.raises(BadOptionError, match=f"99 .*at least {FEWEST_ROWS} rows before"):
        to_score(some([99], backtest=PERIODS))
    with pytest.raises(BadOptionError, match=r"from 2008-12 on \(backtest.dev in contract dated-calls\)"):
        to_score(some([99, 500, 500], backtest=PERIODS))
    with pytest.raises(BadOptionError, match="--dev-only"):
        to_score(some([120, 50]), dev_only=True)


@given(sizes=st.lists(st.integers(1, 90), min_size=1, max_size=6), seed=st.integers(0, 9))
@settings(RELAXED, max_examples=15)
def test_no_month_is_scored_by_a_model_that_saw_it_or_a_later_one(sizes, seed):
    calls = some([110, *sizes], seed, backtest=PERIODS)
    with pytest.MonkeyPatch.context() as patch:
        made = Fits()
        patch.setattr("modules.purchase.estimator.fit", made.network)
        patch.setattr("modules.purchase.baselines.fit", made.baseline)
        patch.setattr("analysis.over_time.RESAMPLES", 10)
        # The newest call that a model learned from, as its score.
        patch.setattr(Fit, "score", lambda self, columns: np.full(len(columns["row"]), self.learned.max() / 1e4))
        found = played(calls, seed)
    for place in to_score(calls):
        unit = calls.units[place]
        for name in MODELS:
            assert (found.scores[name][unit.rows] * 1e4 < unit.start - 0.5).all()
    first = calls.units[1].start
    assert all(np.isnan(scores[:first]).all() for scores in found.scores.values())


def test_what_comes_later_changes_nothing_that_was_scored_before(fits):
    calls = some([300, 200, 200, 200])
    before = played(calls).scores
    columns = {name: column.copy() for name, column in calls.columns.items()}
    columns["bought"][500:] = 1 - columns["bought"][500:]
    after = played(Calls(columns, calls.contract)).scores
    for name in MODELS:
        np.testing.assert_array_equal(after[name][:700], before[name][:700])


def test_each_month_has_models_of_the_months_before(fits):
    calls = some([300, 60, 70, 80])
    begun = []
    found = played(calls, begin=begun.append)
    assert begun == ["2008-12", "2009-01", "2009-02", "random split"]
    assert [decided.outcome for decided in found.decisions] == ["first", "promoted", "promoted"]
    assert found.decisions[0].reasons == ("there is no model yet",)
    assert found.decisions[2].reasons == ("2009-01 finished",)
    newest = [fit.learned.max() for fit in fits.of("network")]
    first, *monthly_and_rolling, random_split = newest
    assert 280 < first < 300
    assert [month < 360 for month in monthly_and_rolling] == [True, True, False, False]
    assert all(month < 430 for month in monthly_and_rolling)
    assert random_split > 430
    _, _, rolling, _, last_rolling, _ = (fit.learned for fit in fits.of("network"))
    assert rolling.min() >= 60
    assert last_rolling.min() >= 130
    assert len(fits.of("hist_gradient_boosting")) == len(fits.of("logistic_regression")) == 3


def test_a_refused_challenger_keeps_the_champion(fits):
    fits.signs = {1: -1.0}
    calls = some([900, 450, 450])
    found = played(calls)
    assert [decided.outcome for decided in found.decisions] == ["first", "refused"]
    ranking, _ = found.decisions[1].reasons
    assert ranking.startswith("on 2008-1")
    assert "within-month AUC" in ranking
    last = calls.units[-1].rows
    np.testing.assert_array_equal(found.scores["monthly"][last], found.scores["static"][last])


def test_after_a_refusal_the_next_month_is_tried_against_the_same_champion(fits):
    fits.signs = {1: -1.0}
    found = played(some([900, 300, 300, 300]))
    assert [decided.outcome for decided in found.decisions] == ["first", "refused", "promoted"]
    assert found.decisions[2].reasons == ("2009-01 finished",)


def test_a_champion_that_did_worse_than_the_one_before_it_is_rolled_back(fits, monkeypatch):
    """It passes its trial, and then the month that neither has seen shows it."""
    monkeypatch.setattr("pipeline.replay._Schedule._faults", lambda *_: ())
    fits.signs = {1: -1.0}
    calls = some([900, 300, 300, 300, 300], backtest=PERIODS)
    found = played(calls)
    assert [decided.outcome for decided in found.decisions] == ["first", "promoted", "promoted", "promoted"]
    assert [bool(decided.rolled_back) for decided in found.decisions] == [False, False, True, False]
    assert found.decisions[2].rolled_back[0].startswith("on 2009-01 its within-month AUC is 0.")
    assert found.decisions[2].exceptions[0].startswith("the champion was rolled back: on 2009-01")


def test_a_month_of_other_customers_labels_is_set_aside_and_never_learned_from(fits):
    calls = some([900, 500, 300, 300], backtest=PERIODS)
    labels = calls.columns["bought"]
    labels[900:1_400] = np.random.default_rng(4).permutation(labels[900:1_400])
    found = played(calls)
    assert [decided.outcome for decided in found.decisions] == ["first", "kept", "promoted"]
    assert found.decisions[1].reasons[0].startswith("2008-12: neither the model that serves nor one learned")
    assert found.decisions[2].reasons == ("2009-01 finished",)
    learned = [fit.learned for fit in fits.made if fit is not fits.of("network")[-1]]
    assert not any(((rows >= 900) & (rows < 1_400)).any() for rows in learned)


def test_the_policy_alone_decides_when_to_train(fits, monkeypatch):
    """Without its reasons nothing is trained."""
    monkeypatch.setattr(
        "pipeline.replay.reasons_to_train",
        lambda situation: () if situation.trained_on else reasons_to_train(Situation(situation.finished, None)),
    )
    assert [decided.outcome for decided in played(some([300, 60, 70])).decisions] == ["first", "kept"]


def test_rows_held_out_at_random_are_those_that_no_model_learns_from(fits):
    calls = some([300, 60, 70])
    found = played(calls, seed=5)
    assert len(found.random_rows) / 430 == pytest.approx(1 - LEARNED, abs=0.06)
    for fit in fits.made:
        assert not np.isin(found.random_rows, fit.learned).any()


def test_a_call_stays_in_its_part_when_more_calls_follow(fits):
    played(some([300, 60]))
    first = fits.made[0].learned
    fits.made.clear()
    played(some([300, 60, 200]))
    np.testing.assert_array_equal(fits.made[0].learned, first)


def test_spans_cut_the_newer_half_and_are_scored_by_all_rows_before(fits):
    assert span_edges(1_001, 0) == []
    assert span_edges(1_000, 5) == [500, 600, 700, 800, 900, 1_000]
    begun = []
    found = played(some([300, 100]), spans=2, begin=begun.append)
    assert begun[-2:] == ["span of rows 201 to 300", "span of rows 301 to 400"]
    assert [len(scores) for scores in found.spans] == [100, 100]
    assert [len(fit.learned) for fit in fits.of("network")[-2:]] == [200, 300]


def test_rows_without_dates_are_replayed_and_named_by_their_numbers(fits):
    fits.signs = {1: -1.0}
    calls = some([4 * UNIT], call_date=None, derived=None)
    found = played(calls)
    assert [decided.outcome for decided in found.decisions] == ["first", "refused"]
    assert found.decisions[1].reasons[0].startswith("on rows 2,001 to 3,000 its within-month AUC")
