"""K-Means and K-Medoids: which customers they put together."""

import dataclasses

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from analysis.segmentation import Candidate
from modules.segments import methods
from modules.segments.methods import fit
from modules.segments.representation import COLUMNS, pca
from modules.segments.rows import Rows
from tests.modules.segments.customers import encode, kinds

METHODS = ["kmeans", "kmedoids"]


@pytest.fixture(scope="module")
def customers():
    return kinds(900)


def _assigned(method, rows, seed=0, clusters=3):
    return fit(Candidate(method, "columns", clusters), COLUMNS, rows, None, seed).assign(rows)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("representation", ["columns", "pca"])
def test_kinds_of_customers_are_found_the_largest_first(customers, method, representation):
    numbers, categories, kind = customers
    rows = encode(numbers, categories)
    chosen = COLUMNS if representation == "columns" else pca(rows.features).representation
    segmenter = fit(Candidate(method, representation, 3), chosen, rows, None, 0)
    segments = segmenter.assign(rows)
    assert segments.dtype == np.int64
    assert adjusted_rand_score(kind, segments) > 0.95
    sizes = np.bincount(segments)
    assert (np.diff(sizes) <= 0).all()
    distances = segmenter.distances(rows)
    assert (distances.dtype, distances.shape) == (np.float32, (900, 3))
    assert (distances.argmin(axis=1) == segments).all()
    assert segmenter.centers.dtype == np.float32
    assert (segmenter.medoids is not None) == ((method, representation) == ("kmedoids", "columns"))


@pytest.mark.parametrize("method", METHODS)
def test_the_order_of_the_rows_changes_nothing(customers, method):
    rows = encode(*customers[:2])
    order = np.random.default_rng(1).permutation(len(rows))
    assert adjusted_rand_score(_assigned(method, rows)[order], _assigned(method, rows.take(order))) > 0.97


@pytest.mark.parametrize("method", METHODS)
def test_the_order_of_the_columns_changes_nothing(customers, method):
    numbers, categories, _ = customers
    turned = encode(numbers[:, ::-1], categories[:, ::-1])
    assert adjusted_rand_score(_assigned(method, encode(numbers, categories)), _assigned(method, turned)) > 0.97


@pytest.mark.parametrize("method", METHODS)
def test_customers_that_are_there_twice_change_nothing(customers, method):
    rows = encode(*customers[:2])
    twice = _assigned(method, rows.take(np.repeat(np.arange(len(rows)), 2)))
    assert (twice[::2] == twice[1::2]).all()
    assert adjusted_rand_score(_assigned(method, rows), twice[::2]) > 0.97


@pytest.mark.parametrize("method", METHODS)
def test_the_units_of_numbers_change_nothing(customers, method):
    numbers, categories, _ = customers
    cents = encode(numbers * [100, 0.001, 7] + [0, 40, -3], categories)
    assert adjusted_rand_score(_assigned(method, encode(numbers, categories)), _assigned(method, cents)) > 0.97


@pytest.mark.parametrize("method", METHODS)
def test_a_seed_gives_the_same_segments(customers, method):
    rows = encode(*customers[:2])
    assert (_assigned(method, rows, seed=5, clusters=6) == _assigned(method, rows, seed=5, clusters=6)).all()


def test_kmedoids_shows_real_customers(customers):
    rows = encode(*customers[:2])
    segmenter = fit(Candidate("kmedoids", "columns", 3), COLUMNS, rows, None, 0)
    for medoid, center in zip(segmenter.medoids, segmenter.centers, strict=True):
        same = (rows.gower == medoid).all(axis=1) & (rows.features == center).all(axis=1)
        assert same.any()


def test_kmedoids_copes_with_missing_values_and_constant_columns(customers):
    numbers, categories, kind = customers
    numbers = np.hstack([numbers, np.ones((900, 1))])
    numbers[np.random.default_rng(0).uniform(size=numbers.shape) < 0.1] = np.nan
    rows = encode(numbers, categories)
    assert np.isnan(rows.gower).any()
    assert adjusted_rand_score(kind, _assigned("kmedoids", rows)) > 0.85
    nothing = dataclasses.replace(rows, gower=np.full_like(rows.gower, np.nan))
    segmenter = fit(Candidate("kmedoids", "columns", 3), COLUMNS, rows, None, 0)
    assert (segmenter.distances(nothing) == 1).all()
    assert (segmenter.assign(nothing) == 0).all()


def test_kmedoids_looks_for_medoids_among_a_stated_number_of_customers(customers, monkeypatch):
    monkeypatch.setattr(methods, "MEDOID_ROWS", 200)
    numbers, categories, kind = customers
    rows = encode(numbers, categories)
    assert adjusted_rand_score(kind, _assigned("kmedoids", rows)) > 0.95


def test_batches_of_all_customers_move_the_centres_to_their_means():
    numbers, categories, kind = kinds(6_000, seed=3)
    rows = encode(numbers, categories)
    first = rows.take(slice(0, 200))

    def batches():
        return (rows.take(slice(start, start + 500)) for start in range(0, 6_000, 500))

    from_sample = fit(Candidate("kmeans", "columns", 3), COLUMNS, first, None, 0)
    segmenter = fit(Candidate("kmeans", "columns", 3), COLUMNS, first, batches, 0)
    segments = segmenter.assign(rows)
    assert adjusted_rand_score(kind, segments) > 0.95
    means = np.stack([rows.features[segments == segment].mean(axis=0) for segment in range(3)])
    assert np.abs(segmenter.centers - means).max() < 0.5 * np.abs(from_sample.centers - means).max()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("method", METHODS)
def test_equal_customers_give_one_segment_with_rows_and_no_warning(method):
    rows = Rows(np.ones((20, 2), np.float32), np.arange(2), np.ones((20, 2), np.float32), np.zeros(2, bool), ("a", "b"))
    assert (_assigned(method, rows) == 0).all()
