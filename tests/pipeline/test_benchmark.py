"""The baselines are fitted, chosen and measured on the right splits."""

from dataclasses import asdict

import numpy as np
import pytest

from analysis.metrics import evaluate
from data import columns as tables
from data import contract as contracts
from modules.purchase import baselines
from modules.purchase.calibration import best_threshold
from pipeline.components.benchmark import TIMED_ROWS, measure, microseconds

CONTRACT = contracts.load("bank-full")
FEATURES = list(CONTRACT.features())


@pytest.fixture(scope="module")
def splits(sample_csv):
    columns = tables.read(sample_csv, CONTRACT)
    order = np.random.default_rng(0).permutation(len(columns["y"]))
    return tuple({name: column[rows] for name, column in columns.items()} for rows in np.split(order, [2_600, 3_300]))


@pytest.mark.parametrize("key", baselines.MODELS)
def test_a_model_is_trained_on_train_chosen_on_eval_and_measured_on_test(splits, key):
    train, evaluation, test = splits
    found = measure(key, splits, CONTRACT, FEATURES, seed=5)
    model = baselines.fit(key, train, CONTRACT, FEATURES, seed=5)
    assert found.threshold == pytest.approx(best_threshold(evaluation["y"], model.score(evaluation)))
    assert asdict(found.metrics) == pytest.approx(asdict(evaluate(test["y"], model.score(test), found.threshold)))
    assert found.metrics.auc > 0.65
    assert (found.key, found.name) == (key, baselines.MODELS[key])
    assert found.train_seconds > 0


def test_what_is_known_only_after_the_call_helps_only_where_it_is_asked_for(splits):
    without = measure("logistic_regression", splits, CONTRACT, FEATURES, seed=0)
    with_duration = measure("logistic_regression", splits, CONTRACT, list(CONTRACT.features(True)), seed=0)
    assert with_duration.metrics.auc > without.metrics.auc + 0.03


def test_a_test_split_of_one_label_has_figures_as_far_as_they_exist(splits):
    train, evaluation, test = splits
    nobody = {name: column[test["y"] == 0] for name, column in test.items()}
    metrics = measure("hist_gradient_boosting", (train, evaluation, nobody), CONTRACT, FEATURES, seed=0).metrics
    assert metrics.auc is None
    assert metrics.log_loss < 0.5


@pytest.mark.parametrize(("rows", "timed"), [(10, 10), (TIMED_ROWS * 3, TIMED_ROWS)])
def test_speed_is_per_row_of_one_call(rows, timed, monkeypatch):
    calls, clock = [], iter(range(100))
    monkeypatch.setattr("pipeline.components.benchmark.time.perf_counter", lambda: float(next(clock)))

    def score(columns):
        calls.append(len(columns["age"]))
        return np.zeros(len(columns["age"]))

    assert microseconds(score, {"age": np.zeros(rows, np.float32)}) == pytest.approx(1e6 / timed)
    assert set(calls) == {timed}
