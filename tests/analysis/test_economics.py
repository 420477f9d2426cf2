"""What the report draws is what the labels and scores say, on small examples and on any others."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from analysis import economics as curves
from analysis.metrics import gains


@st.composite
def scored(draw):
    """Labels with at least one positive, and probabilities with ties."""
    rows = draw(st.integers(1, 60))
    labels = np.array(draw(st.lists(st.integers(0, 1), min_size=rows, max_size=rows)), float)
    labels[draw(st.integers(0, rows - 1))] = 1.0
    steps = draw(st.lists(st.integers(0, 8), min_size=rows, max_size=rows))
    return labels, np.array(steps) / 8


TEN = (np.array([1, 1, 0, 1, 0, 0, 0, 0, 0, 0.0]), np.arange(10, 0, -1) / 10)
"""Ten customers, the best-scored first: buyers are the first, second and fourth."""


def test_deciles_of_ten_customers_are_the_customers():
    table = curves.deciles(*TEN)
    assert [decile.number for decile in table] == list(range(1, 11))
    assert [decile.rows for decile in table] == [1] * 10
    assert [round(decile.positives, 9) for decile in table] == TEN[0].tolist()
    assert [decile.gain for decile in table] == pytest.approx([1 / 3, 2 / 3, 2 / 3] + [1] * 7)
    assert [decile.lift for decile in table[:2]] == pytest.approx([10 / 3, 10 / 3])


@settings(deadline=None)
@given(scored())
def test_deciles_account_for_every_customer_and_buyer(rows):
    labels, _ = rows
    table = curves.deciles(*rows)
    assert sum(decile.rows for decile in table) == pytest.approx(len(labels))
    assert sum(decile.positives for decile in table) == pytest.approx(labels.sum())
    gain = [decile.gain for decile in table]
    assert all(decile.lift <= decile.most_lift + 1e-9 for decile in table)
    assert all(later >= earlier - 1e-9 for earlier, later in itertools.pairwise(gain))
    assert gain[-1] == pytest.approx(1)
    assert table[-1].lift == pytest.approx(1)
    assert all(-1e-9 <= decile.rate <= 1 + 1e-9 for decile in table)


def test_a_decile_knows_what_was_predicted_and_what_could_be_reached():
    table = curves.deciles(*TEN)
    assert [decile.predicted for decile in table] == pytest.approx(TEN[1].tolist())
    assert [decile.most_lift for decile in table[:5]] == pytest.approx([10 / 3, 10 / 3, 10 / 3, 2.5, 2])


def test_equal_scores_find_buyers_as_chance_does():
    table = curves.deciles(TEN[0], np.full(10, 0.3))
    assert [decile.lift for decile in table] == pytest.approx([1] * 10)


@settings(deadline=None)
@given(scored(), st.floats(0.01, 1e4), st.floats(0.01, 1e4))
def test_profit_begins_at_nothing_and_ends_at_calling_everyone(rows, cost, margin):
    labels, _ = rows
    found = curves.profit(rows, rows, cost, margin)
    assert found.curve[0] == 0
    assert found.curve[-1] == found.everyone == pytest.approx(1000 * (margin * labels.mean() - cost))
    assert 0 <= found.best == pytest.approx(found.curve.max())
    low, high = found.interval
    assert low <= high


def test_profit_in_euros_of_ten_customers():
    found = curves.profit(TEN, TEN, cost=10, margin=50)
    assert found.best_share == pytest.approx(0.4)
    # Four calls reach three buyers: 3 x 50 - 4 x 10 euros of 10 customers.
    assert found.best == pytest.approx(11_000)
    assert found.everyone == pytest.approx(5_000)


def test_the_share_to_call_is_chosen_on_eval_and_its_profit_taken_on_test():
    reversed_test = (TEN[0][::-1], TEN[1])
    found = curves.profit(TEN, reversed_test, cost=10, margin=50)
    assert found.best_share == pytest.approx(0.4)
    assert found.best == pytest.approx(-4_000)
    assert found.curve.max() > found.best


def test_where_no_call_pays_nobody_is_called():
    found = curves.profit(TEN, TEN, cost=100, margin=50)
    assert (found.best_share, found.best, found.interval) == (0, 0, (0, 0))


def test_the_interval_of_the_profit_is_the_same_each_time_and_narrows_with_rows():
    generator = np.random.default_rng(0)
    labels = (generator.random(4_000) < 0.2).astype(float)
    scores = np.clip(0.2 + 0.2 * labels + 0.2 * generator.random(4_000), 0, 1)
    many, few = (labels, scores), (labels[:200], scores[:200])
    wide, narrow = (curves.profit(many, test, 5, 50) for test in (few, many))
    assert narrow.interval == curves.profit(many, many, 5, 50).interval
    assert narrow.interval[0] < narrow.best < narrow.interval[1]
    assert wide.interval[1] - wide.interval[0] > 2 * (narrow.interval[1] - narrow.interval[0])


@settings(deadline=None)
@given(scored())
def test_the_gain_curve_rises_from_nobody_to_everybody(rows):
    reached = gains(*rows, curves.SHARES)
    assert reached[0] == 0
    assert reached[-1] == pytest.approx(1)
    assert (np.diff(reached) >= -1e-12).all()


@settings(deadline=None)
@given(st.integers(0, 500), st.integers(1, 500))
def test_a_wilson_interval_holds_the_share_and_stays_a_share(successes, trials):
    successes = min(successes, trials)
    low, high = curves.wilson(successes, trials)
    assert 0 <= low <= successes / trials + 1e-12
    assert successes / trials - 1e-12 <= high <= 1
    assert low < high


def test_wilson_intervals_as_published():
    """Newcombe (1998), Statistics in Medicine 17, table I, method 3."""
    assert curves.wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert curves.wilson(15, 148) == pytest.approx((0.0624, 0.1605), abs=5e-5)
    assert curves.wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert curves.wilson(0, 0) == (0, 1)


def test_the_auc_interval_covers_as_often_as_it_says():
    generator = np.random.default_rng(1)
    covered = 0
    for _ in range(300):
        labels = np.repeat([0, 1], [150, 50])
        scores = generator.normal(labels * 1.0)
        low, high = curves.auc_interval(roc_auc_score(labels, scores), 50, 150)
        # Two normal distributions one standard deviation apart.
        covered += low <= 0.7602 <= high
    assert 0.91 <= covered / 300 <= 0.99


@settings(deadline=None)
@given(st.floats(0, 1), st.integers(1, 10_000), st.integers(1, 10_000))
def test_an_auc_interval_holds_the_auc(auc, positives, negatives):
    low, high = curves.auc_interval(auc, positives, negatives)
    assert 0 <= low <= auc <= high <= 1


@settings(deadline=None)
@given(st.integers(1, 1_000), st.integers(2, 200))
def test_a_thinned_curve_keeps_its_ends_and_its_order(length, points):
    xs = np.arange(length)
    thinned, squares = curves.thin(xs, xs**2, points=points)
    assert len(thinned) <= max(points, 1)
    assert (thinned[0], thinned[-1]) == (0, length - 1)
    assert (np.diff(thinned) > 0).all()
    assert (squares == thinned**2).all()
