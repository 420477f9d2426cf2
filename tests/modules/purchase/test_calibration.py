"""Calibration corrects what needs correcting and nothing else; the threshold has the best F1."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.special import expit

from analysis import metrics
from modules.purchase import calibration


def _rows(seed, line=lambda logits: logits, count=20_000):
    """Logits, and labels whose log-odds are a function of them."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(-1.5, 1.2, count)
    labels = (generator.random(count) < expit(line(logits))).astype(int)
    return logits, labels


def _overconfident(logits):
    return 0.5 * logits - 0.7


def _bent(logits):
    """Half as steep among unlikely customers as among likely ones."""
    return np.where(logits < -1.0, 0.6 * (logits + 1.0), 1.2 * (logits + 1.0)) - 1.0


@pytest.mark.parametrize("line", [_overconfident, _bent])
def test_wrong_probabilities_are_corrected(line):
    fitted = calibration.fit(*_rows(0, line))
    fresh_logits, fresh_labels = _rows(1, line)
    before = metrics.calibration_error(fresh_labels, calibration.Calibration().apply(fresh_logits))
    after = metrics.calibration_error(fresh_labels, fitted.apply(fresh_logits))
    assert after < 0.012
    assert before > 2 * after
    assert np.abs(fitted.apply(fresh_logits) - expit(line(fresh_logits))).mean() < 0.01


def test_a_calibrated_model_stays_as_it_is():
    logits, labels = _rows(2)
    np.testing.assert_allclose(calibration.fit(logits, labels).apply(logits), expit(logits), atol=0.02)


def test_pieces_fit_better_than_a_single_line(monkeypatch):
    logits, labels = _rows(4, _bent)
    bent = calibration.fit(logits, labels)
    monkeypatch.setattr(calibration, "SEGMENTS", 1)
    straight = calibration.fit(logits, labels)
    assert len(straight.slopes) == 1
    truth = expit(_bent(logits))
    gap, straight_gap = (np.abs(fitted.apply(logits) - truth).mean() for fitted in (bent, straight))
    assert gap < 0.5 * straight_gap


@pytest.mark.parametrize("label", [0.0, 1.0])
def test_a_few_rows_of_one_label_do_not_give_certainty(label):
    logits = np.array([-2.0, -1.0, 0.5])
    probabilities = calibration.fit(logits, np.full(3, label)).apply(logits)
    assert 0.05 < probabilities.min() < probabilities.max() < 0.95


@given(
    arrays.arrays(np.float64, 30, elements=st.floats(-20, 20)), arrays.arrays(np.int64, 30, elements=st.integers(0, 1))
)
def test_calibration_never_reorders_and_a_graph_says_the_same(logits, labels):
    fitted = calibration.fit(logits, labels)
    assert len(fitted.slopes) == len(fitted.knots) + 1
    assert min(fitted.slopes) > 0.0
    rising = np.linspace(-25.0, 25.0, 101)
    probabilities = fitted.apply(rising)
    assert np.isfinite(probabilities).all()
    assert (np.diff(probabilities) >= 0.0).all()
    in_graph = fitted.apply_tensor(tf.constant(rising, tf.float32)).numpy()
    assert (np.diff(in_graph) > -1e-6).all()
    np.testing.assert_allclose(in_graph, probabilities, atol=1e-5)


def test_the_threshold_has_the_best_f1_of_all():
    logits, labels = _rows(3, count=2000)
    probabilities = calibration.Calibration().apply(logits)
    best = metrics.f1(labels, probabilities, calibration.best_threshold(labels, probabilities))
    assert best == max(metrics.f1(labels, probabilities, threshold) for threshold in [0.0, *probabilities])


def test_the_threshold_lies_between_two_probabilities():
    assert calibration.best_threshold([0, 0, 1, 1], [0.1, 0.2, 0.6, 0.6]) == pytest.approx(0.4)


def test_without_buyers_the_threshold_is_one_half():
    assert calibration.best_threshold([0, 0], [0.1, 0.2]) == 0.5


def test_with_buyers_only_everybody_is_called():
    assert calibration.best_threshold([1, 1], [0.3, 0.2]) < 0.2
