"""Figures over months: by hand, with ties and weights, and how far they vary."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from analysis.metrics import gain
from analysis.over_time import FEWEST, FEWEST_DAYS, RESAMPLES, day_weights, measure, months_of, ranking, ranks

MARCH, APRIL = (int(np.datetime64(day, "D").astype(np.int64)) for day in ("2009-03-02", "2009-04-01"))


def ranked(labels, scores, weight=None):
    labels, scores = np.asarray(labels, float), np.asarray(scores, float)
    return ranking(labels, ranks(scores), np.ones(len(labels)) if weight is None else np.asarray(weight, float))


def month(start: int, positives: int, negatives: int, seed: int, better: float) -> tuple[np.ndarray, ...]:
    """Labels, scores and days of a month; a positive row scores higher by `better`."""
    generator = np.random.default_rng(seed)
    labels = generator.permutation(np.repeat([1, 0], [positives, negatives]))
    scores = np.clip(generator.random(len(labels)) * 0.5 + better * labels, 0, 1)
    return labels, scores, start + np.sort(generator.integers(0, 20, len(labels)))


def together(*months):
    return tuple(np.concatenate(parts) for parts in zip(*months, strict=True))


def test_a_ranking_by_hand():
    """Of the pairs with one row of each label, those in the right order; a half of five rows is two and a half."""
    assert ranked([1, 0, 1, 0, 0], [0.9, 0.8, 0.7, 0.6, 0.95]) == pytest.approx((3 / 6, 1 / 2))
    assert ranked([1, 0, 1, 0], [0.9, 0.8, 0.7, 0.6]) == pytest.approx((3 / 4, 1 / 2))
    assert ranked([1, 1, 0, 0], [4, 3, 2, 1]) == (1.0, 1.0)
    assert ranked([0, 0, 1, 1], [4, 3, 2, 1]) == (0.0, 0.0)


def test_equal_scores_share_a_rank():
    assert ranked([1, 0, 1, 0], [0.5] * 4) == pytest.approx((0.5, 0.5))
    assert ranked([1, 0, 0, 0], [0.5, 0.5, 0.1, 0.1]) == pytest.approx((2.5 / 3, 1.0))


def test_one_label_has_no_ranking():
    assert np.isnan(ranked([1, 1], [0.1, 0.2])).all()
    assert np.isnan(ranked([1, 0], [0.1, 0.2], [1, 0])).all()


@given(
    st.lists(st.tuples(st.integers(0, 1), st.integers(0, 5), st.integers(0, 3)), min_size=2, max_size=40).filter(
        lambda rows: {label for label, _, weight in rows if weight} == {0, 1}
    )
)
def test_a_weight_is_so_many_equal_rows(rows):
    labels, scores, weight = map(np.array, zip(*rows, strict=True))
    repeated = np.repeat(labels, weight), np.repeat(scores / 5, weight)
    area, half = ranked(labels, scores / 5, weight)
    assert area == pytest.approx(roc_auc_score(*repeated))
    assert half == pytest.approx(gain(*repeated, 0.5))


def test_each_month_counts_by_its_rows_and_pooling_mixes_their_rates():
    """Two months that are not ranked at all; the one with the higher scores has more buyers."""
    labels = np.array([1] * 10 + [0] * 10 + [1] * 10 + [0] * 70)
    scores = np.array([0.5] * 20 + [0.1] * 80)
    days = np.concatenate([MARCH + np.arange(20), APRIL + np.arange(80) // 3])
    found = measure(labels, scores, days, 10, 100)
    assert found.within_month_auc == pytest.approx(0.5)
    assert found.better_half_share == pytest.approx(0.5)
    assert found.pooled_auc == pytest.approx(roc_auc_score(labels, scores))
    assert found.pooled_auc > 0.65
    assert (found.rows, found.months) == (100, 2)


def test_the_mean_is_weighted_by_rows():
    good, bad = month(MARCH, 10, 10, 0, 0.5), month(APRIL, 10, 70, 1, 0.0)
    found = measure(*together(good, bad), 10, 100)
    aucs = [roc_auc_score(*rows[:2]) for rows in (good, bad)]
    assert found.within_month_auc == pytest.approx((20 * aucs[0] + 80 * aucs[1]) / 100)
    halves = [gain(*rows[:2], 0.5) for rows in (good, bad)]
    assert found.better_half_share == pytest.approx(np.mean(halves))


def test_a_month_with_few_of_a_label_counts_for_probabilities_only():
    good, few = month(MARCH, 10, 10, 0, 0.5), month(APRIL, FEWEST - 1, 70, 1, 0.0)
    found = measure(*together(good, few), 10, 100)
    assert found.within_month_auc == pytest.approx(roc_auc_score(*good[:2]))
    assert (found.rows, found.months) == (94, 2)
    alone = measure(*few, 10, 100)
    assert alone.within_month_auc is alone.within_month_auc_interval is alone.better_half_share is None
    assert alone.pooled_auc == pytest.approx(roc_auc_score(*few[:2]))


def test_rows_of_one_label_have_no_ranking_but_a_log_loss():
    found = measure(np.zeros(30), np.full(30, 0.1), MARCH + np.arange(30), 10, 100)
    assert found.within_month_auc is found.pooled_auc is found.pooled_auc_interval is None
    assert found.log_loss == pytest.approx(-np.log(0.9))
    assert found.ece == pytest.approx(0.1)


def test_a_call_pays_above_cost_over_margin():
    found = measure(np.array([1, 0, 1]), np.array([0.3, 0.2, 0.05]), np.full(3, MARCH), 10, 100)
    assert found.profit == pytest.approx(100 - 2 * 10)


@pytest.mark.parametrize("better", [0.0, 0.1, 0.3])
def test_intervals_hold_the_figure_and_narrow_with_more_days(better):
    few = together(*(month(start, 40, 60, seed, better) for seed, start in enumerate((MARCH, APRIL))))
    many = together(*(month(MARCH + 31 * n, 40, 60, n, better) for n in range(12)))
    widths = []
    for rows in (few, many):
        found = measure(*rows, 10, 100)
        for name in ("within_month_auc", "better_half_share", "pooled_auc"):
            interval = getattr(found, f"{name}_interval")
            assert interval.low <= getattr(found, name) <= interval.high
        widths.append(found.within_month_auc_interval.high - found.within_month_auc_interval.low)
    assert widths[1] < widths[0]


def test_calls_of_a_day_are_drawn_together():
    days = np.repeat(np.arange(FEWEST_DAYS), [3, 1, 4, 1, 5])
    weights = list(day_weights(days, 0))
    assert len(weights) == RESAMPLES
    for weight in weights:
        assert all(len(set(weight[days == day])) == 1 for day in range(FEWEST_DAYS))
        assert sum(weight[days == day][0] for day in range(FEWEST_DAYS)) == FEWEST_DAYS


def test_with_few_days_rows_are_drawn():
    weights = np.array(list(day_weights(np.zeros(50, int), 0)))
    assert (weights.sum(axis=1) == 50).all()
    assert weights.std() > 0.5


def test_the_same_seed_gives_the_same_interval():
    rows = month(MARCH, 30, 30, 0, 0.1)
    assert measure(*rows, 10, 100, seed=1) == measure(*rows, 10, 100, seed=1)
    assert measure(*rows, 10, 100, seed=1) != measure(*rows, 10, 100, seed=2)


def test_months_are_those_of_the_calendar():
    days = np.array(["2008-12-31", "2009-01-01", "2009-01-31"], "datetime64[D]").astype(np.int64)
    assert months_of(days).astype(str).tolist() == ["2008-12", "2009-01", "2009-01"]
