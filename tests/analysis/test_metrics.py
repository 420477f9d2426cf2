"""Metrics against scikit-learn and against values worked out by hand."""

from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sklearn_metrics

from analysis import metrics

KEYS = {
    "accuracy",
    "majority_accuracy",
    "auc",
    "pr_auc",
    "log_loss",
    "brier",
    "ece",
    "f1",
    "f1_at_threshold",
    "true_positives",
    "false_positives",
    "true_negatives",
    "false_negatives",
    "lift_top_decile",
    "gain_top_half",
}

rows = st.lists(st.tuples(st.integers(0, 1), st.sampled_from(np.linspace(0.0, 1.0, 21))), min_size=1, max_size=80)


def test_a_split_worked_out_by_hand():
    labels = np.array([1, 0, 1, 0, 0, 0, 0, 0, 0, 0])
    probabilities = np.array([0.9, 0.6, 0.4, 0.3, 0.2, 0.2, 0.2, 0.1, 0.1, 0.1])
    result = metrics.evaluate(labels, probabilities, threshold=0.35)
    assert asdict(result).keys() == KEYS
    assert (result.true_positives, result.false_positives) == (1, 1)
    assert (result.true_negatives, result.false_negatives) == (7, 1)
    assert result.accuracy == 0.8
    assert result.majority_accuracy == 0.8
    assert result.auc == pytest.approx(15 / 16)
    assert result.f1 == 0.5
    assert result.f1_at_threshold == 0.8
    assert result.lift_top_decile == pytest.approx(5.0)
    assert result.gain_top_half == 1.0


def test_agrees_with_scikit_learn():
    generator = np.random.default_rng(0)
    probabilities = generator.beta(1, 6, 5000)
    labels = (generator.random(5000) < probabilities**1.2).astype(int)
    result = metrics.evaluate(labels, probabilities, threshold=0.2)
    assert result.auc == pytest.approx(sklearn_metrics.roc_auc_score(labels, probabilities))
    assert result.pr_auc == pytest.approx(sklearn_metrics.average_precision_score(labels, probabilities))
    assert result.log_loss == pytest.approx(sklearn_metrics.log_loss(labels, probabilities))
    assert result.brier == pytest.approx(sklearn_metrics.brier_score_loss(labels, probabilities))
    assert result.f1 == pytest.approx(sklearn_metrics.f1_score(labels, probabilities > 0.5))
    assert result.f1_at_threshold == pytest.approx(sklearn_metrics.f1_score(labels, probabilities > 0.2))


@pytest.mark.parametrize("label", [0, 1])
def test_a_split_of_one_label_has_no_ranking_metrics(label):
    result = metrics.evaluate(np.full(20, label), np.linspace(0.01, 0.4, 20), threshold=0.5)
    assert result.auc is None
    assert result.majority_accuracy == 1.0
    assert result.f1 == 0.0
    assert (result.pr_auc is None) == (result.lift_top_decile is None) == (label == 0)


@settings(deadline=None)
@given(rows, st.randoms())
def test_order_of_rows_never_matters(pairs, random):
    shuffled = random.sample(pairs, len(pairs))
    one, other = (metrics.evaluate(*np.array(p, float).T, threshold=0.3) for p in (pairs, shuffled))
    assert asdict(one) == pytest.approx(asdict(other))


@settings(deadline=None)
@given(rows)
def test_every_row_is_counted_and_shares_are_shares(pairs):
    result = metrics.evaluate(*np.array(pairs, float).T, threshold=0.3)
    counts = ("true_positives", "false_positives", "true_negatives", "false_negatives")
    assert sum(getattr(result, name) for name in counts) == len(pairs)
    for name in ("accuracy", "auc", "pr_auc", "brier", "ece", "f1", "f1_at_threshold", "gain_top_half"):
        assert getattr(result, name) is None or 0.0 <= getattr(result, name) <= 1.0
    assert result.majority_accuracy >= 0.5
    assert np.isfinite(result.log_loss)


def test_a_constant_score_finds_buyers_at_random_and_is_calibrated_at_the_label_rate():
    labels = np.array([1, 0, 0, 0] * 25)
    result = metrics.evaluate(labels, np.full(100, 0.25), threshold=0.5)
    assert result.auc == 0.5
    assert result.lift_top_decile == pytest.approx(1.0)
    assert result.gain_top_half == pytest.approx(0.5)
    assert result.ece == pytest.approx(0.0)


def test_calibration_error_is_the_mean_miss_of_its_bins():
    labels = np.array([0, 0, 0, 1, 1, 1, 1, 0])
    probabilities = np.array([0.1] * 4 + [0.9] * 4)
    assert metrics.calibration_error(labels, probabilities) == pytest.approx(0.15)


def test_a_certain_and_wrong_score_has_a_finite_log_loss():
    assert metrics.evaluate([1], [0.0], threshold=0.5).log_loss == pytest.approx(-np.log(1e-7))


@pytest.mark.parametrize(
    ("labels", "probabilities"),
    [([], []), ([1, 0], [0.5]), ([2], [0.5]), ([1], [1.5]), ([1], [float("nan")])],
)
def test_what_is_no_split_is_refused(labels, probabilities):
    with pytest.raises(ValueError, match=r"labels|probabilities"):
        metrics.evaluate(np.array(labels, float), np.array(probabilities, float), threshold=0.5)
