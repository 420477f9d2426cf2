"""Calibration and threshold: what they repair, and what they leave alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from modules import calibration, metrics


def _rows(seed, slope, intercept, count=20_000):
    generator = np.random.default_rng(seed)
    logits = generator.normal(-1.5, 1.2, count)
    labels = (generator.random(count) < calibration.Calibration(slope, intercept).apply(logits)).astype(int)
    return logits, labels


def test_an_overconfident_model_is_repaired():
    logits, labels = _rows(0, slope=0.5, intercept=-0.7)
    fitted = calibration.fit(logits, labels)
    assert fitted.slope == pytest.approx(0.5, abs=0.05)
    assert fitted.intercept == pytest.approx(-0.7, abs=0.08)
    fresh_logits, fresh_labels = _rows(1, slope=0.5, intercept=-0.7)
    before = metrics.calibration_error(fresh_labels, calibration.Calibration().apply(fresh_logits))
    after = metrics.calibration_error(fresh_labels, fitted.apply(fresh_logits))
    assert after < 0.02 < before


def test_a_calibrated_model_is_left_alone():
    fitted = calibration.fit(*_rows(2, slope=1.0, intercept=0.0))
    assert fitted.slope == pytest.approx(1.0, abs=0.05)
    assert fitted.intercept == pytest.approx(0.0, abs=0.08)


@pytest.mark.parametrize("label", [0.0, 1.0])
def test_a_few_rows_of_one_label_do_not_give_certainty(label):
    fitted = calibration.fit(np.array([-2.0, -1.0, 0.5]), np.full(3, label))
    assert 0.0 < fitted.slope < 5.0
    assert abs(fitted.intercept) < 2.0


@given(
    arrays.arrays(np.float64, 30, elements=st.floats(-20, 20)), arrays.arrays(np.int64, 30, elements=st.integers(0, 1))
)
def test_calibration_never_reorders(logits, labels):
    fitted = calibration.fit(logits, labels)
    assert np.isfinite([fitted.slope, fitted.intercept]).all()
    assert fitted.slope > 0.0


def test_the_threshold_has_the_best_f1_of_all():
    logits, labels = _rows(3, slope=1.0, intercept=0.0, count=2000)
    probabilities = calibration.Calibration().apply(logits)
    best = metrics.f1(labels, probabilities, calibration.best_threshold(labels, probabilities))
    assert best == max(metrics.f1(labels, probabilities, threshold) for threshold in [0.0, *probabilities])


def test_the_threshold_lies_between_two_probabilities():
    assert calibration.best_threshold([0, 0, 1, 1], [0.1, 0.2, 0.6, 0.6]) == pytest.approx(0.4)


def test_without_buyers_the_threshold_is_one_half():
    assert calibration.best_threshold([0, 0], [0.1, 0.2]) == 0.5


def test_with_buyers_only_everybody_is_called():
    assert calibration.best_threshold([1, 1], [0.3, 0.2]) < 0.2
