"""The own FasterPAM, beside the reference implementation and beside all swaps."""

import kmedoids as reference
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import pairwise_distances

from modules.segments.kmedoids import fasterpam


def _loss(distances, medoids):
    return float(distances[medoids].min(axis=0).sum(dtype=np.float64))


def _customers(rows):
    """Mixed customers: some clusters, skewed numbers, categories."""
    generator = np.random.default_rng(0)
    kind = generator.integers(0, 6, rows)
    numbers = generator.normal(size=(6, 4))[kind] + 0.6 * generator.normal(size=(rows, 4))
    return np.hstack([numbers, np.exp(generator.normal(size=(rows, 1))), generator.integers(0, 2, (rows, 3))])


@pytest.fixture(scope="module")
def distances():
    return pairwise_distances(_customers(3_000), metric="manhattan").astype(np.float32)


@pytest.mark.parametrize("clusters", [2, 3, 5, 8, 10])
def test_the_loss_is_within_one_percent_of_the_reference(distances, clusters):
    own = [_loss(distances, fasterpam(distances, clusters, np.random.default_rng(seed))) for seed in range(3)]
    theirs = [reference.fasterpam(distances, clusters, random_state=seed).loss for seed in range(3)]
    assert np.mean(own) <= 1.01 * np.mean(theirs)
    assert max(own) <= 1.01 * min(theirs)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 6), st.booleans())
def test_no_single_swap_lowers_the_loss(seed, clusters, few_values):
    generator = np.random.default_rng(seed)
    points = generator.integers(0, 3, (25, 2)) if few_values else generator.normal(size=(25, 2))
    distances = pairwise_distances(points).astype(np.float32)
    medoids = fasterpam(distances, clusters, generator)
    loss = _loss(distances, medoids)
    assert len(set(medoids.tolist())) == clusters
    for position in range(clusters):
        for row in range(25):
            swapped = medoids.copy()
            swapped[position] = row
            assert _loss(distances, swapped) >= loss * (1 - 1e-5)


def test_one_medoid_is_the_row_with_the_smallest_sum_of_distances():
    distances = pairwise_distances(_customers(200)).astype(np.float32)
    assert fasterpam(distances, 1, np.random.default_rng(0)).tolist() == [distances.sum(axis=1).argmin()]


def test_every_row_is_a_medoid_where_there_are_as_many_medoids_as_rows():
    distances = pairwise_distances(_customers(7)).astype(np.float32)
    assert fasterpam(distances, 7, np.random.default_rng(0)).tolist() == list(range(7))


def test_equal_rows_are_no_obstacle():
    medoids = fasterpam(np.zeros((300, 300), np.float32), 4, np.random.default_rng(0))
    assert len(set(medoids.tolist())) == 4


def test_a_seed_gives_the_same_medoids(distances):
    first, second = (fasterpam(distances, 5, np.random.default_rng(3)).tolist() for _ in range(2))
    assert first == second == sorted(first)
