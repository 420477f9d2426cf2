"""A call plan says what the calls bring, as adding them up does, and the optimum is where profit is highest."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.campaigns import Estimate, paying, plan, split

TEN = np.array([0.9, 0.8, 0.6, 0.4, 0.3, 0.2, 0.1, 0.1, 0.05, 0.05])

ranked = st.lists(st.floats(0, 1), min_size=1, max_size=60).map(lambda found: -np.sort(-np.array(found)))
money = st.floats(0.5, 500)


def test_five_calls_of_ten_customers():
    found = plan(TEN, cost=10, margin=50, calls=5)
    assert (found.calls, found.best, found.control) == (5, 5, 0)
    assert found.buyers == Estimate(pytest.approx(3.0), 1, 5)
    assert found.profit == Estimate(pytest.approx(100.0), 0, 200)
    assert found.random_buyers == pytest.approx(1.75)
    assert found.random_profit == pytest.approx(37.5)
    assert found.control_cost == 0


def test_calls_end_where_the_next_one_no_longer_pays():
    assert paying(TEN, cost=10, margin=50) == 5, "a probability of 0.2 earns 10 and costs 10"
    assert plan(TEN, cost=10, margin=50).calls == 5
    assert plan(TEN, cost=10, margin=50, calls=3).optimum == 3, "three calls are affordable"
    assert plan(TEN, cost=10, margin=50, calls=8).optimum == 5
    assert plan(TEN, cost=50, margin=50).calls == 0
    assert plan(TEN, cost=50, margin=50).profit == Estimate(0, 0, 0)


def test_a_person_may_call_more_customers_than_pay_but_not_more_than_there_are():
    assert plan(TEN, cost=10, margin=50, calls=8).calls == 8
    assert plan(TEN, cost=10, margin=50, calls=800).calls == 10


def test_a_control_group_takes_its_share_of_the_calls_and_costs_the_buyers_it_does_not_reach():
    found = plan(TEN, cost=10, margin=50, calls=5, control_share=0.4)
    assert (found.best, found.control) == (3, 2)
    drawn = TEN[3:].mean()
    assert found.buyers.value == pytest.approx(2.3 + 2 * drawn)
    assert found.control_cost == pytest.approx(50 * (0.7 - 2 * drawn))


@settings(deadline=None)
@given(ranked, money, money)
def test_no_number_of_calls_earns_more_than_the_optimum(probabilities, cost, margin):
    found = plan(probabilities, cost, margin)
    earned = np.concatenate([[0.0], np.cumsum(margin * probabilities - cost)])
    assert found.profit.value == pytest.approx(earned.max(), abs=1e-6)
    assert found.optimum_profit == pytest.approx(earned.max(), abs=1e-6)


@settings(deadline=None)
@given(ranked, st.integers(0, 70), st.floats(0, 0.5))
def test_the_curve_passes_through_the_plan_of_every_number_of_calls(probabilities, calls, control_share):
    found = plan(probabilities, 10, 100, calls, 0.02, control_share)
    at = np.flatnonzero(found.curve.calls == found.calls)
    assert found.curve.calls[-1] == len(probabilities)
    assert found.curve.buyers[at] == pytest.approx([found.buyers.value])
    assert found.curve.profit[at] == pytest.approx([found.profit.value])
    assert found.curve.random_profit[at] == pytest.approx([found.random_profit])


def test_the_interval_of_the_curve_is_that_of_the_plan_up_to_one_buyer():
    probabilities = -np.sort(-np.random.default_rng(0).beta(1, 7, 3_000))
    curve = plan(probabilities, 10, 100, calibration_error=0.01, control_share=0.1).curve
    for at in range(0, 101, 20):
        found = plan(probabilities, 10, 100, int(curve.calls[at]), 0.01, 0.1).buyers
        assert found.low == pytest.approx(curve.buyers_low[at], abs=1)
        assert found.high == pytest.approx(curve.buyers_high[at], abs=1)


@settings(deadline=None)
@given(ranked, st.floats(0, 0.3), st.floats(0, 0.3))
def test_a_larger_calibration_error_never_narrows_the_interval(probabilities, one, other):
    exact, small, large = (
        plan(probabilities, 10, 100, len(probabilities), error).buyers for error in (0, *sorted((one, other)))
    )
    assert large.low <= small.low <= exact.low <= exact.high <= small.high <= large.high
    assert large.value == exact.value


def test_a_calibration_error_shifts_the_expected_buyers_of_a_long_list_by_as_much_per_call():
    probabilities = np.full(100_000, 0.5)
    exact, widened = (plan(probabilities, 10, 100, 100_000, error).buyers for error in (0.0, 0.02))
    assert exact.low - widened.low == pytest.approx(2_000, abs=3)
    assert widened.high - exact.high == pytest.approx(2_000, abs=3)


@settings(deadline=None)
@given(st.integers(0, 10_000), st.floats(0, 0.5))
def test_every_call_goes_to_one_of_the_two_groups(calls, control_share):
    best, control = split(calls, control_share)
    assert best + control == calls
    assert abs(control - control_share * calls) <= 0.5


def test_an_empty_list_has_an_empty_plan():
    found = plan(np.array([]), 10, 100, 50)
    assert (found.calls, found.buyers.value, found.profit.value, found.random_profit) == (0, 0, 0, 0)
    assert found.curve.calls.tolist() == [0]
