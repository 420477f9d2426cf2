"""The model outside TFX, on synthetic customers."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from analysis import metrics
from data import columns
from data import contract as contracts
from modules import encoding
from modules.purchase import calibration, estimator, transform
from modules.purchase.hyperparameters import Hyperparameters

CONTRACT = contracts.load("bank-full")
QUICK = Hyperparameters(width=16, epochs=4, members=1)


def _rows(customers, rows):
    return {name: column[rows] for name, column in customers.items()}


@pytest.fixture(scope="module")
def customers(sample_csv):
    return columns.read(sample_csv, CONTRACT)


@pytest.fixture(scope="module")
def split(customers):
    order = np.random.default_rng(0).permutation(len(customers["y"]))
    return [_rows(customers, rows) for rows in np.split(order, [2_500, 3_200])]


@pytest.fixture(scope="module")
def fitted(split):
    train, evaluation, _ = split
    return estimator.fit(train, evaluation, CONTRACT, with_after_call=True, hyperparameters=QUICK)


def test_unseen_customers_are_ranked(fitted, split):
    test = split[2]
    scores = fitted.score(test)
    assert scores.dtype == np.float64
    assert roc_auc_score(test["y"], scores) > 0.8


def test_the_threshold_is_the_best_on_the_evaluation_rows(fitted, split):
    evaluation = split[1]
    scores = fitted.score(evaluation)
    assert scores.mean() == pytest.approx(evaluation["y"].mean(), abs=0.01)
    best = calibration.best_threshold(evaluation["y"], scores)
    assert fitted.threshold == pytest.approx(best)
    assert metrics.f1(evaluation["y"], scores, fitted.threshold) > metrics.f1(evaluation["y"], scores, 0.5)


def test_a_score_needs_neither_the_label_nor_the_other_rows(fitted, split):
    test = split[2]
    few = {name: test[name][:3] for name in CONTRACT.features(with_after_call=True)}
    np.testing.assert_allclose(fitted.score(few), fitted.score(test)[:3], rtol=1e-5)


def test_what_is_known_only_after_the_call_is_left_out(split):
    train, evaluation, test = split
    fitted = estimator.fit(train, evaluation, CONTRACT, with_after_call=False, hyperparameters=QUICK)
    scores = fitted.score(test)
    np.testing.assert_array_equal(scores, fitted.score({**test, "duration": np.zeros_like(test["duration"])}))


def test_quantiles_leave_out_missing_values(customers):
    grid = encoding.exact_quantiles(customers, transform.numbers(CONTRACT))
    names = [name for name in CONTRACT.features() if name in CONTRACT.numeric]
    assert grid.shape == (len(names), encoding.GRID)
    assert grid[names.index("age"), encoding.GRID // 2] == pytest.approx(np.median(customers["age"]), abs=1)
    assert grid[names.index("pdays")].min() >= 0

    never = {**customers, "pdays": np.full_like(customers["pdays"], -1)}
    assert not encoding.exact_quantiles(never, transform.numbers(CONTRACT))[names.index("pdays")].any()
