"""Results say what the calls brought, and intervals cover as often as they say."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.campaign_results import KnownCalls, newcombe, results
from analysis.campaigns import Estimate, expected_buyers
from analysis.economics import wilson

EIGHT = KnownCalls(
    np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.2, 0.1, 0.1]),
    np.array([False] * 5 + [True] * 3),
    np.array([True, True, False, True, False, True, False, False]),
)


def share(buyers, calls):
    return Estimate(buyers / calls, *wilson(buyers, calls))


def covers(estimate, buyers):
    return estimate.low <= buyers <= estimate.high


def test_eight_calls():
    found = results(EIGHT, listed=10, cost=10, margin=50)
    assert (found.listed, found.together.calls, found.together.buyers) == (10, 8, 4)
    assert (found.best.calls, found.best.buyers, found.best.profit) == (5, 3, 100)
    assert found.best.expected.value == pytest.approx(3.5)
    assert found.best.expected_profit.value == pytest.approx(125)
    assert (found.control.calls, found.control.buyers) == (3, 1)
    assert found.lift.difference.value == pytest.approx(3 / 5 - 1 / 3)
    assert found.lift.ratio == pytest.approx(9 / 5)
    assert found.lift.gained.value == pytest.approx(50 * (3 - 5 / 3))
    assert [decile.buyers for decile in found.deciles] == [1, 1, 0, 1, 0]
    assert found.quality.auc.value == pytest.approx(13 / 16)


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 80), st.integers(0, 2**32 - 1))
def test_groups_and_deciles_account_for_every_call_and_every_euro(calls, seed):
    generator = np.random.default_rng(seed)
    probabilities = -np.sort(-generator.random(calls))
    known = KnownCalls(probabilities, generator.random(calls) < 0.3, generator.random(calls) < probabilities)
    found = results(known, calls, 10, 50, 0.02)
    groups = [group for group in (found.best, found.control) if group]
    for parts, whole in ((groups, found.together), (found.deciles, found.best)):
        assert sum(part.calls for part in parts) == (whole.calls if whole else 0)
        assert sum(part.buyers for part in parts) == (whole.buyers if whole else 0)
        assert sum(part.profit for part in parts) == pytest.approx(whole.profit if whole else 0)
    sizes = [decile.calls for decile in found.deciles]
    assert not sizes or max(sizes) - min(sizes) <= 1


def test_without_a_control_group_or_without_buyers_figures_are_missing_not_wrong():
    found = results(KnownCalls(np.array([0.4, 0.3]), np.zeros(2, bool), np.zeros(2, bool)), 2, 10, 50)
    assert found.control is None
    assert found.lift is None
    assert found.quality.auc is None
    assert found.best.profit == -20
    only_control = results(KnownCalls(np.array([0.4]), np.ones(1, bool), np.ones(1, bool)), 2, 10, 50)
    assert only_control.best is None
    assert only_control.deciles == ()


def test_a_control_group_without_buyers_has_no_ratio():
    known = KnownCalls(np.array([0.9, 0.1]), np.array([False, True]), np.array([True, False]))
    assert results(known, 2, 10, 50).lift.ratio is None


@pytest.mark.parametrize(
    ("one", "other", "interval"),
    [
        ((56, 70), (48, 80), (0.0524, 0.3339)),
        ((9, 10), (3, 10), (0.1705, 0.8090)),
        ((5, 56), (0, 29), (-0.0381, 0.1926)),
    ],
)
def test_differences_of_shares_as_published(one, other, interval):
    """Newcombe (1998), Statistics in Medicine 17, 873-890, table II, method 10."""
    found = newcombe(share(*one), share(*other))
    assert (found.low, found.high) == pytest.approx(interval, abs=5e-5)


def test_the_interval_of_expected_buyers_covers_as_often_as_it_says():
    """Drawn 500 times; a coverage of 95 % varies by one percentage point."""
    generator = np.random.default_rng(5)
    held = shifted = within = 0
    for _ in range(500):
        probabilities = generator.beta(1, 5, 800)
        bought = np.sum(generator.random(800) < probabilities)
        too_high = np.minimum(probabilities + 0.05, 1)
        held += covers(expected_buyers(probabilities, 0.0), bought)
        shifted += covers(expected_buyers(too_high, 0.0), bought)
        within += covers(expected_buyers(too_high, 0.05), bought)
    assert 0.93 <= held / 500 <= 0.98
    assert shifted / 500 < 0.1
    assert within / 500 > 0.95


def test_a_group_held_where_its_buyers_lie_in_the_interval():
    nobody = np.zeros(200, bool)
    for buyers, held in ((20, True), (60, False), (2, False)):
        known = KnownCalls(np.full(200, 0.1), nobody, np.arange(200) < buyers)
        assert results(known, 200, 10, 50).together.held is held


def test_the_calibration_error_of_exact_probabilities_is_what_chance_gives():
    generator = np.random.default_rng(6)
    probabilities = -np.sort(-generator.beta(1, 5, 600))
    nobody = np.zeros(600, bool)
    errors = []
    for _ in range(100):
        found = results(KnownCalls(probabilities, nobody, generator.random(600) < probabilities), 600, 10, 50).quality
        errors.append(found.ece)
    assert np.mean(errors) == pytest.approx(found.ece_by_chance, rel=0.1)
    assert np.mean(np.array(errors) <= found.ece_limit) >= 0.93
    wrong = results(KnownCalls(probabilities, nobody, generator.random(600) < probabilities / 3), 600, 10, 50).quality
    assert wrong.ece > wrong.ece_limit


def test_the_calibration_error_of_the_model_is_allowed_for():
    known = KnownCalls(np.full(100, 0.3), np.zeros(100, bool), np.arange(100) < 30)
    strict, wide = (results(known, 100, 10, 50, error).quality.ece_limit for error in (0.0, 0.02))
    assert wide == pytest.approx(strict + 0.02)
