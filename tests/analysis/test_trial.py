"""A challenger is faulted where it is worse than the champion beyond chance, on the newest months with enough rows."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import log_loss, roc_auc_score

from analysis.trial import ENOUGH, compare, newest

START = int(np.datetime64("2009-03-01", "D").astype(np.int64))


@pytest.fixture
def calls():
    """Labels, true probabilities and days of 1,000 calls in March and April 2009."""
    generator = np.random.default_rng(0)
    truth = generator.beta(2, 3, 1_000)
    return (generator.random(1_000) < truth).astype(np.int64), truth, START + np.arange(1_000) * 61 // 1_000


def test_a_model_against_itself_has_no_fault(calls):
    labels, truth, days = calls
    trial = compare(labels, truth, truth, days)
    assert trial.faults == ()
    assert (trial.auc_gain.low, trial.auc_gain.high) == (0, 0)
    assert trial.months == ("2009-03", "2009-04")
    assert (trial.rows, trial.positives) == (1_000, labels.sum())
    assert trial.champion_log_loss == pytest.approx(log_loss(labels, truth))
    months = np.where(days < START + 31, 0, 1)
    by_rows = sum(roc_auc_score(labels[months == m], truth[months == m]) * (months == m).mean() for m in (0, 1))
    assert trial.champion_auc == pytest.approx(by_rows)


def test_a_challenger_that_ranks_at_random_is_faulted_for_both(calls):
    labels, truth, days = calls
    shuffled = np.random.default_rng(1).permutation(truth)
    ranking, loss = compare(labels, truth, shuffled, days).faults
    assert ranking.startswith("on 2009-03 to 2009-04 its within-month AUC is 0.5")
    assert "log loss" in loss


def test_a_better_challenger_has_no_fault(calls):
    labels, truth, days = calls
    trial = compare(labels, np.random.default_rng(1).permutation(truth), truth, days)
    assert trial.faults == ()
    assert trial.auc_gain.low > 0
    assert trial.log_loss_gain.low > 0


def test_a_little_worse_is_chance(calls):
    labels, truth, days = calls
    noisy = np.clip(truth + np.random.default_rng(1).normal(0, 0.01, len(truth)), 0.001, 0.999)
    assert compare(labels, truth, noisy, days).faults == ()


def test_the_same_ranking_with_wrong_probabilities_is_faulted_for_them_alone(calls):
    labels, truth, days = calls
    (fault,) = compare(labels, truth, truth / 5, days).faults
    assert "log loss" in fault


def test_one_month_is_named_alone(calls):
    labels, truth, days = calls
    march = days < START + 31
    (fault,) = compare(labels[march], truth[march], truth[march] / 5, days[march]).faults
    assert fault.startswith("on 2009-03 its log loss is")


def test_months_with_too_few_of_a_label_leave_the_log_loss(calls):
    labels, truth, days = calls
    nobody = np.zeros_like(labels)
    trial = compare(nobody, truth / 5, truth, days)
    assert trial.champion_auc is trial.challenger_auc is trial.auc_gain is None
    (fault,) = trial.faults
    assert "log loss" in fault


def test_on_a_single_day_rows_speak_for_themselves(calls):
    """Drawing days would give an interval without width, and any difference would be beyond chance."""
    labels, truth, days = calls
    noisy = np.clip(truth + np.random.default_rng(1).normal(0, 0.01, len(truth)), 0.001, 0.999)
    assert compare(labels, truth, noisy, np.full_like(days, START)).faults == ()


def test_the_newest_months_that_have_enough_of_both_labels():
    april, march = 100, 400
    days = np.concatenate([np.full(march, START), np.full(april, START + 31)])
    labels = np.concatenate([np.arange(march) % 2, np.arange(april) % 2])
    assert newest(labels, days).tolist() == list(range(march, march + april))
    labels[-1] = labels[-2]
    assert np.bincount(labels[march:]).min() < ENOUGH
    assert newest(labels, days).tolist() == list(range(march + april))


def test_where_no_months_have_enough_all_rows_are_taken():
    assert newest(np.zeros(20, int), START + np.arange(20)).tolist() == list(range(20))
