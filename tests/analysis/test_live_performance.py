"""Live figures are those of the campaign's verdict, and intervals cover as often as they say."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.campaign_results import KnownCalls, results
from analysis.campaigns import expected_buyers, expected_profit
from analysis.live_performance import FEWEST_CALLS, CallList, calibration_interval, foreseen, live
from analysis.metrics import evaluate, reliability


def call_list(generator, customers=5_000, best=1_500, control=500, rate=lambda p: p, **changes):
    """The calls of a list whose customers buy at a rate of their probabilities, to its best and to a control group."""
    probabilities = -np.sort(-generator.beta(1, 6, customers))
    bought = (generator.random(customers) < rate(probabilities)).astype(float)
    drawn = np.sort(generator.choice(customers - best, control, replace=False)) + best
    called = np.concatenate([np.arange(best), drawn])
    found = CallList(probabilities[called], called >= best, bought[called], customers, 5.0, 60.0)
    return replace(found, **changes), probabilities, bought


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 300), st.floats(0, 0.3), st.integers(0, 2**32 - 1))
def test_one_campaign_has_the_figures_of_its_verdict(calls, error, seed):
    generator = np.random.default_rng(seed)
    probabilities = -np.sort(-generator.random(calls))
    control, bought = generator.random(calls) < 0.3, generator.random(calls) < probabilities
    told = generator.random(calls) < 0.8
    found = live([CallList(probabilities, control, np.where(told, bought, np.nan), calls, 10, 50)], error)
    assert found.foreseen.calls == calls
    if not told.any():
        assert found.together is found.best is found.control is found.list_auc is None
        return
    expected = results(KnownCalls(probabilities[told], control[told], bought[told]), calls, 10, 50, error)
    assert (found.together.realised, found.together.quality) == (expected.together, expected.quality)
    assert found.together.held == expected.held
    assert (found.best and found.best.realised) == expected.best
    assert found.together.expected_rate.value == pytest.approx(expected.together.probability)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(0, 5), min_size=2, max_size=25))
def test_the_foreseen_auc_is_the_share_of_expected_pairs_in_order(tenths):
    p = np.array(tenths) / 5
    pairs = [(i, j) for i in range(len(p)) for j in range(len(p)) if i != j]
    weights = np.array([p[i] * (1 - p[j]) for i, j in pairs])
    right = np.array([1.0 if p[i] > p[j] else 0.5 if p[i] == p[j] else 0.0 for i, j in pairs])
    found = foreseen(p)
    if weights.sum() == 0:
        assert found.auc is None
    else:
        assert found.auc == pytest.approx(weights @ right / weights.sum())


def test_what_is_foreseen_comes_true_where_probabilities_are_exact():
    generator = np.random.default_rng(1)
    p = generator.beta(1, 5, 20_000)
    found, real = foreseen(p), evaluate((generator.random(20_000) < p).astype(float), p, 0.5)
    assert found.auc == pytest.approx(real.auc, abs=0.01)
    assert found.accuracy == pytest.approx(real.accuracy, abs=0.01)
    assert found.brier == pytest.approx(real.brier, abs=0.005)


def test_what_is_foreseen_stays_quiet_where_the_relation_itself_changes():
    """A new month: nothing about the customers has changed, and the model's order of them is worth nothing."""
    generator = np.random.default_rng(2)
    calls, *_ = call_list(generator, rate=lambda p: np.full(len(p), 0.1))
    found = live([calls])
    assert found.foreseen.auc > 0.65
    assert found.together.auc.low < 0.5 < found.together.auc.high
    assert not found.together.held


def test_the_auc_on_the_list_is_found_from_its_calls():
    """Among called customers, who differ less, it is lower; 100 lists, so a coverage of 95 % varies by two points."""
    generator = np.random.default_rng(3)
    covered, below = 0, 0
    for _ in range(100):
        calls, probabilities, _ = call_list(generator)
        truth = foreseen(probabilities).auc
        found = live([calls])
        covered += found.list_auc.low <= truth <= found.list_auc.high
        below += found.best.auc.value < truth
    assert covered >= 88
    assert below == 100


@pytest.mark.parametrize("rate", [1.0, 0.9, 0.5, 1.8])
@pytest.mark.parametrize("calls", [FEWEST_CALLS, 1_000])
def test_the_interval_of_the_calibration_error_covers_at_least_as_often_as_it_says(calls, rate):
    generator = np.random.default_rng(4)
    covered = 0
    for _ in range(100):
        p = generator.beta(1.5, 6, calls)
        exact = (p * rate).clip(0, 1)
        rows, predicted, actual = reliability(exact, p)
        found = calibration_interval((generator.random(calls) < exact).astype(float), p)
        covered += found.low <= rows @ np.abs(predicted - actual) / calls <= found.high
    assert covered >= 92


def test_the_brier_score_covers_its_mean():
    generator = np.random.default_rng(5)
    p = generator.beta(1, 5, 400)
    everybody = np.zeros(400, bool)
    covered = 0
    for _ in range(300):
        bought = (generator.random(400) < p).astype(float)
        found = live([CallList(p, everybody, bought, 400, 5, 50)]).together.brier
        covered += found.low <= foreseen(p).brier <= found.high
    assert 0.91 <= covered / 300 <= 0.98


def test_each_campaign_has_its_own_costs():
    generator = np.random.default_rng(6)
    cheap, *_ = call_list(generator)
    dear, *_ = call_list(generator, cost=20.0, margin=500.0)
    both, one, other = live([cheap, dear]), live([cheap]), live([dear])
    sums = [sum(part.together.realised.profit for part in (one, other))]
    sums.append(sum(part.together.realised.expected_profit.value for part in (one, other)))
    found = both.together.realised
    assert [found.profit, found.expected_profit.value] == pytest.approx(sums)
    assert found.expected_profit.low < found.profit < found.expected_profit.high
    widths = [part.together.realised.expected_profit for part in (one, other)]
    assert found.expected_profit.high - found.expected_profit.low < sum(width.high - width.low for width in widths)


def test_expected_profit_with_nearly_equal_margins_is_that_of_equal_ones():
    p = np.random.default_rng(7).beta(1, 5, 800)
    cost, margin = np.full(800, 5.0), np.full(800, 50.0)
    exact = expected_profit(p, cost, margin, 0.02)
    assert exact == expected_buyers(p, 0.02).scaled(50, -4_000)
    margin[0] += 1e-6
    close = expected_profit(p, cost, margin, 0.02)
    assert [close.value, close.low, close.high] == pytest.approx([exact.value, exact.low, exact.high], abs=100)


def test_the_interval_of_the_profit_of_several_margins_covers_as_often_as_it_says():
    generator = np.random.default_rng(8)
    p, margin = generator.beta(1, 8, 500), np.repeat([30.0, 400.0], 250)
    found = expected_profit(p, np.full(500, 5.0), margin, 0.0)
    profits = (generator.random((2_000, 500)) < p) @ margin - 2_500
    assert 0.935 <= np.mean((profits >= found.low) & (profits <= found.high)) <= 0.965


def test_where_too_few_are_known_figures_are_unknown():
    generator = np.random.default_rng(9)
    p = generator.beta(2, 5, FEWEST_CALLS - 1)
    found = live([CallList(p, p > 2, (generator.random(len(p)) < p).astype(float), len(p), 5, 50)])
    assert found.together.realised.calls == FEWEST_CALLS - 1
    assert found.together.brier is found.together.ece is None
    assert found.tenths == ()
    nobody = np.zeros(200)
    found = live([CallList(np.full(200, 0.1), nobody > 1, nobody, 200, 5, 50)])
    assert found.together.auc is None
    assert found.tenths == ()


@settings(deadline=None, max_examples=20)
@given(st.integers(FEWEST_CALLS, 400), st.integers(0, 2**32 - 1))
def test_tenths_account_for_every_call_and_every_buyer(calls, seed):
    generator = np.random.default_rng(seed)
    p = generator.random(calls).round(1)
    bought = (generator.random(calls) < p).astype(float)
    bought[0] = 1
    found = live([CallList(p, p > 2, bought, calls, 5, 50)])
    assert sum(tenth.calls for tenth in found.tenths) == pytest.approx(calls)
    assert sum(tenth.rate.value * tenth.calls for tenth in found.tenths) == pytest.approx(bought.sum())
    assert np.mean([tenth.lift.value for tenth in found.tenths]) == pytest.approx(1)
