"""The call list has the calls that were decided on, and a control group that chance alone decides."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.call_list import choose
from campaigns.records import Terms

HUNDRED = np.linspace(0.99, 0.0, 100)


def terms(calls=None, control_share=0.0):
    return Terms("May", cost=10.0, margin=100.0, calls=calls, control_share=control_share)


def test_without_a_control_group_the_best_are_called():
    assert choose(HUNDRED, terms(calls=30), seed=1) == (30, ())
    assert choose(HUNDRED, terms(calls=3_000), seed=1) == (100, ())


def test_calls_left_open_go_to_every_customer_who_is_worth_one():
    best, _ = choose(HUNDRED, terms(), seed=1)
    assert HUNDRED[best - 1] > 0.1 >= HUNDRED[best]


@settings(deadline=None)
@given(st.integers(0, 120), st.floats(0, 0.5), st.integers(0, 1_000))
def test_the_control_group_is_drawn_among_the_customers_that_are_not_among_the_best(calls, share, seed):
    best, control = choose(HUNDRED, terms(calls, share), seed)
    assert best + len(control) == min(calls, 100)
    assert len(set(control)) == len(control)
    assert list(control) == sorted(control)
    assert all(best < rank <= 100 for rank in control)


def test_the_same_seed_draws_the_same_group_and_another_one_another():
    one, again, other = (choose(HUNDRED, terms(40, 0.25), seed)[1] for seed in (7, 7, 8))
    assert one == again != other


def test_every_other_customer_is_drawn_equally_often():
    drawn = np.zeros(100)
    for seed in range(400):
        best, control = choose(HUNDRED, terms(50, 0.4), seed)
        drawn[np.array(control) - 1] += 1
    assert best == 30
    assert drawn[:30].sum() == 0
    # 400 draws of 20 among 70: 114 on average, with a standard deviation of 9.
    assert drawn[30:].min() > 75
    assert drawn[30:].max() < 155
