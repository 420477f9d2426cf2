"""Silhouettes, agreement, gap and elbow."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import pairwise_distances, silhouette_samples

from analysis import clusters


def _points(seed, rows=60):
    return np.random.default_rng(seed).normal(size=(rows, 3))


def _blobs(rows, shares=(0.5, 0.3, 0.2), spread=0.3, seed=0):
    generator = np.random.default_rng(seed)
    labels = generator.choice(len(shares), rows, p=shares)
    centers = np.array([[0, 0], [4, 0], [0, 4]])
    return centers[labels] + spread * generator.normal(size=(rows, 2)), labels


def _distances(points):
    return pairwise_distances(points).astype(np.float32)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 1000), st.integers(2, 59))
def test_silhouettes_equal_those_of_scikit_learn(seed, number):
    distances = _distances(_points(seed))
    labels = np.random.default_rng(seed).integers(0, number, 60)
    if not 1 < len(set(labels)) < 60:
        return
    expected = silhouette_samples(distances, labels, metric="precomputed")
    assert clusters.silhouettes(distances, labels, number) == pytest.approx(expected, abs=1e-5)


def test_silhouettes_are_zero_where_they_are_not_defined():
    distances = _distances(_points(0, 5))
    assert (clusters.silhouettes(distances, np.zeros(5, int), 1) == 0).all()
    assert (clusters.silhouettes(distances, np.full(5, 2), 4) == 0).all()
    assert (clusters.silhouettes(distances, np.arange(5), 5) == 0).all()
    assert (clusters.silhouettes(np.zeros((5, 5), np.float32), np.array([0, 0, 1, 1, 1]), 2) == 0).all()


def test_a_small_bad_cluster_lowers_the_macro_average_more_than_the_micro_one():
    points, labels = _blobs(400, (0.5, 0.47, 0.03))
    points[labels == 2] = np.random.default_rng(1).uniform(-1, 5, (int((labels == 2).sum()), 2))
    found = clusters.silhouette(_distances(points), labels, 3)
    assert found.macro < found.micro - 0.1
    assert found.clusters[2] < 0.3 < found.clusters[0]
    assert found.macro == pytest.approx(found.clusters.mean())


def test_a_cluster_without_rows_does_not_count():
    points, labels = _blobs(200)
    with_all = clusters.silhouette(_distances(points), labels, 3)
    with_more = clusters.silhouette(_distances(points), labels, 5)
    assert with_more.macro == pytest.approx(with_all.macro)
    assert with_more.micro == pytest.approx(with_all.micro)
    assert np.isnan(with_more.clusters[3:]).all()


def test_a_stratified_sample_gives_the_averages_of_all_rows():
    points, labels = _blobs(3_000, (0.75, 0.2, 0.05), spread=1.2)
    everything = clusters.silhouette(_distances(points), labels, 3)
    sample = clusters.stratified(labels, 3, 120, np.random.default_rng(0))
    shares = np.bincount(labels) / len(labels)
    found = clusters.silhouette(_distances(points[sample]), labels[sample], 3, shares)
    assert np.bincount(labels[sample]).tolist() == [120] * 3
    assert found.macro == pytest.approx(everything.macro, abs=4 * found.error)
    assert found.micro == pytest.approx(everything.micro, abs=0.04)


def test_the_error_of_the_macro_average_is_about_its_deviation_over_samples():
    points, labels = _blobs(4_000, (0.75, 0.2, 0.05), spread=1.2)
    found = []
    for seed in range(30):
        sample = clusters.stratified(labels, 3, 60, np.random.default_rng(seed))
        found.append(clusters.silhouette(_distances(points[sample]), labels[sample], 3))
    error = np.mean([each.error for each in found])
    assert 0.5 < np.std([each.macro for each in found]) / error < 2


def test_a_stratified_sample_takes_all_rows_of_a_small_cluster():
    labels = np.array([0] * 50 + [1] * 3)
    sample = clusters.stratified(labels, 3, 10, np.random.default_rng(0))
    assert np.bincount(labels[sample], minlength=3).tolist() == [10, 3, 0]
    assert (np.diff(sample) > 0).all()


def test_agreement_ignores_the_numbers_of_the_clusters():
    labels = np.random.default_rng(0).integers(0, 4, 500)
    other = np.random.default_rng(1).integers(0, 4, 500)
    matrix = clusters.agreement([labels, 3 - labels, other])
    assert matrix[0, 1] == 1
    assert abs(matrix[0, 2]) < 0.05
    assert (matrix == matrix.T).all()
    assert clusters.mean_agreement(matrix) == pytest.approx(matrix[[0, 0, 1], [1, 2, 2]].mean())
    assert clusters.mean_agreement(clusters.agreement([labels])) == 1


def test_the_gap_is_how_much_lower_the_loss_is_than_on_the_null_reference():
    gap, error = clusters.gap(2.0, [2.0 * np.e, 2.0 * np.e])
    assert (gap, error) == (pytest.approx(1.0), pytest.approx(0.0))
    assert clusters.gap(3.0, [1.0, 1.1, 0.9])[0] < 0
    assert np.isnan(clusters.gap(0.0, [1.0])).all()


def test_the_elbow_is_where_the_loss_starts_to_fall_slowly():
    assert clusters.knee(range(2, 11), [100, 40, 12, 10, 9, 8, 7.5, 7, 6.8]) == 4
    assert clusters.knee(range(2, 11), [5.0] * 9) is None
    assert clusters.knee([2, 3], [5.0, 1.0]) is None
