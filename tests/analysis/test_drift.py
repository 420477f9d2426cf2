"""Drift: it fires on the real shift and keeps quiet on chance."""

import numpy as np
import pytest
from scipy.stats import chi2

from analysis import drift, profile
from tests.support.customers import CONTRACT, FEATURES, bank_full, profiled, synthetic


@pytest.fixture(scope="module")
def real_columns(real_data):
    return bank_full(real_data)


@pytest.fixture(scope="module")
def sample_columns():
    return synthetic()


@pytest.fixture(scope="module")
def sample_profile(sample_columns):
    return profiled(sample_columns)


def against(reference, columns, rows, scores=None):
    counts = reference.counts()
    counts.add({name: column[rows] for name, column in columns.items()}, scores)
    return drift.measure(reference, counts)


def alarms(found):
    return {name for name, shift in found.features.items() if shift.alarm}


def test_the_last_fifth_in_time_fires_on_what_changed(real_columns):
    rows = len(real_columns["age"])
    found = against(profiled(real_columns, slice(rows * 4 // 5)), real_columns, slice(rows * 4 // 5, rows))
    assert {"contact", "calls_today", "calls_7d", "calls_30d", "pdays", "previous", "poutcome"} <= alarms(found)
    assert not {"balance", "education", "marital", "default", "housing", "loan"} & alarms(found)
    assert found.features["contact"].psi == pytest.approx(0.96, abs=0.02)
    assert found.features["contact"].l_infinity == pytest.approx(0.325, abs=0.005)


def test_a_random_fifth_fires_on_nothing(real_columns):
    order = np.random.default_rng(0).permutation(len(real_columns["age"]))
    training, recent = np.split(order, [len(order) * 4 // 5])
    found = against(profiled(real_columns, training), real_columns, recent)
    assert alarms(found) == set()
    assert max(shift.psi for shift in found.features.values()) < 0.01


def test_small_lists_of_the_same_customers_hardly_ever_fire(real_columns):
    generator = np.random.default_rng(1)
    order = generator.permutation(len(real_columns["age"]))
    training, others = np.split(order, [len(order) * 4 // 5])
    reference = profiled(real_columns, training)
    fired = dict.fromkeys(FEATURES, 0)
    for _ in range(200):
        for name in alarms(against(reference, real_columns, generator.choice(others, 300, replace=False))):
            fired[name] += 1
    assert max(fired.values()) <= 4, fired


def test_too_few_rows_get_no_verdict(sample_profile, sample_columns):
    found = against(sample_profile, sample_columns, slice(-199, None))
    assert {shift.alarm for shift in found.features.values()} == {None}
    assert found.features["calls_30d"].psi > 1
    found = against(sample_profile, sample_columns, slice(-200, None))
    assert "calls_30d" in alarms(found)


def test_alarm_line_rises_where_noise_does():
    assert drift.alarm_line(10_000, 30_000, 10) == drift.RULE_OF_THUMB
    assert drift.alarm_line(200, 36_000, 10) == pytest.approx(chi2.ppf(0.99, 9) / 200, rel=0.02)
    assert drift.alarm_line(200, 36_000, 1) == drift.RULE_OF_THUMB


@pytest.mark.parametrize("degrees", [1, 2, 3, 9, 12, 40])
def test_chi_squared_quantile_is_that_of_scipy(degrees):
    assert drift.chi_squared_quantile(0.99, degrees) == pytest.approx(chi2.ppf(0.99, degrees), rel=0.01)


def test_shares_that_a_psi_hides(sample_profile, sample_columns):
    columns = {name: column[:1000].copy() for name, column in sample_columns.items()}
    columns["job"][:100] = "astronaut"
    columns["marital"][:50] = ""
    columns["age"][:10] = np.nan
    columns["balance"][:20] = 1e9
    found = against(sample_profile, columns, slice(None)).features
    assert found["job"].shares == {"missing": 0, "unseen": 0.1}
    assert found["marital"].shares["missing"] == 0.05
    assert found["age"].shares["missing"] == 0.01
    assert found["balance"].shares["out_of_range"] == 0.02


def test_scores_are_compared_where_they_are_known(sample_profile, sample_columns):
    rows = slice(0, 2000)
    same = np.random.default_rng(5).beta(1, 8, 2000).astype(np.float32)
    assert against(sample_profile, sample_columns, rows).score is None
    assert against(sample_profile, sample_columns, rows, same).score.alarm is False
    higher = against(sample_profile, sample_columns, rows, np.sqrt(same))
    assert higher.score.alarm is True
    assert higher.mean_score > 2 * higher.reference_mean_score


def test_shares_of_segments_are_compared(sample_columns):
    generator = np.random.default_rng(2)
    values = np.array(["students", "retired", "others"], object)
    training = generator.choice(values, 8000, p=[0.1, 0.2, 0.7])
    reference = profile.build(sample_columns, training, CONTRACT, FEATURES, "name", values)
    same = against(reference, sample_columns, slice(0, 2000), generator.choice(values, 2000, p=[0.1, 0.2, 0.7]))
    assert same.score.alarm is False
    assert (same.mean_score, same.reference_mean_score) == (None, None)
    moved = against(reference, sample_columns, slice(0, 2000), generator.choice(values, 2000, p=[0.4, 0.2, 0.4]))
    assert moved.score.alarm is True
    assert moved.score.l_infinity == pytest.approx(0.3, abs=0.03)
    other = against(reference, sample_columns, slice(0, 2000), np.full(2000, b"astronauts", object))
    assert other.score.shares == {"missing": 0, "unseen": 1}
