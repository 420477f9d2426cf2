"""The interval of the number of buyers is what counting every case gives, and stays close for long lists."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from analysis import poisson_binomial
from analysis.poisson_binomial import EXACT_TRIALS, Moments, approximate, interval, mass, moments

some = st.lists(st.floats(0, 1), max_size=10).map(np.array)


def counted(probabilities):
    """The distribution by brute force: every case of success and failure."""
    found = np.zeros(len(probabilities) + 1)
    for case in itertools.product([0, 1], repeat=len(probabilities)):
        found[sum(case)] += np.prod([p if hit else 1 - p for p, hit in zip(probabilities, case, strict=True)])
    return found


@settings(deadline=None)
@given(some)
def test_the_distribution_is_that_of_every_case_counted(probabilities):
    assert mass(probabilities) == pytest.approx(counted(probabilities), abs=1e-12)


@settings(deadline=None)
@given(some)
def test_the_interval_covers_at_least_95_percent_and_no_tail_is_larger_than_it_may_be(probabilities):
    low, high = interval(probabilities)
    chances = counted(probabilities)
    assert chances[low : high + 1].sum() >= 0.95 - 1e-9
    assert chances[:low].sum() <= 0.025 + 1e-9
    assert chances[high + 1 :].sum() <= 0.025 + 1e-9


@pytest.mark.parametrize(("trials", "rate"), [(1, 0.3), (50, 0.12), (777, 0.5), (5_000, 0.01)])
def test_equal_probabilities_give_the_binomial_distribution(trials, rate):
    assert interval(np.full(trials, rate)) == (binom.ppf(0.025, trials, rate), binom.ppf(0.975, trials, rate))


def test_certain_customers_leave_nothing_open():
    assert interval(np.array([1.0, 1.0, 0.0])) == (2, 2)
    assert interval(np.array([])) == (0, 0)
    assert approximate(Moments(np.array(2.0), np.array(0.0), np.array(0.0)), 3) == (2, 2)


@pytest.mark.parametrize("rate", [0.01, 0.12, 0.5])
def test_the_approximation_of_a_long_list_is_off_by_one_at_most(rate, monkeypatch):
    generator = np.random.default_rng(3)
    probabilities = generator.beta(1, 1 / rate - 1, EXACT_TRIALS + 2_000)
    approximated = interval(probabilities)
    monkeypatch.setattr(poisson_binomial, "EXACT_TRIALS", len(probabilities))
    assert approximated == pytest.approx(interval(probabilities), abs=1)


def test_moments_are_those_of_the_distribution():
    probabilities = np.array([0.1, 0.4, 0.9, 0.25])
    numbers, chances = np.arange(5), counted(probabilities)
    mean, variance, third = (moment.sum() for moment in moments(probabilities))
    assert mean == pytest.approx(numbers @ chances)
    assert variance == pytest.approx((numbers - mean) ** 2 @ chances)
    assert third == pytest.approx((numbers - mean) ** 3 @ chances)
