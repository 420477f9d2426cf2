"""Fitting on toy data: it learns, stops where it should, and can be repeated."""

import dataclasses
import gc
import weakref

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from modules.purchase import calibration, passes, training
from modules.purchase.hyperparameters import Hyperparameters
from modules.purchase.passes import Passes
from modules.purchase.rows import Rows

SMALL = Hyperparameters(width=8, depth=1, dropout=0.1, learning_rate=0.02, batch_size=64, epochs=8, members=2)


def _toy(seed, rows=800, noise=0.5):
    generator = np.random.default_rng(seed)
    features = generator.normal(size=(rows, 4)).astype(np.float32)
    labels = features[:, 0] * features[:, 1] + noise * generator.normal(size=rows) > 0.4
    return Rows(features, labels.astype(np.float32), np.ones(rows, np.float32))


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    log_dir = tmp_path_factory.mktemp("logs")
    return training.fit(_toy(0), _toy(1), SMALL, seed=1, log_dir=log_dir), log_dir


def test_a_learnable_outcome_is_learned(learned):
    features, labels, _ = _toy(2)
    assert roc_auc_score(labels, learned[0].network.predict(features, verbose=0)[:, 0]) > 0.85


def test_history_has_every_epoch(learned):
    fitted, _ = learned
    for name in ("loss", "accuracy", "val_loss", "val_accuracy", "val_average_log_loss"):
        assert len(fitted.history[name]) == len(fitted.history["loss"]) > fitted.best_epoch
    assert fitted.history["loss"][-1] < fitted.history["loss"][0]


def test_tensorboard_logs_are_written_for_both_splits(learned):
    assert {path.name for path in learned[1].iterdir()} == {"train", "validation"}


def test_the_same_seed_gives_the_same_model_and_another_seed_another(learned):
    features = _toy(2, rows=50).features
    logits = [
        fitted.network.predict(features, verbose=0)
        for fitted in (learned[0], *(training.fit(_toy(0), _toy(1), SMALL, seed) for seed in (1, 2)))
    ]
    np.testing.assert_array_equal(logits[0], logits[1])
    assert np.abs(logits[0] - logits[2]).max() > 1e-3


def test_a_network_that_overfits_is_stopped_and_keeps_its_best_weights():
    eager = Hyperparameters(width=64, dropout=0.0, learning_rate=0.05, batch_size=32, epochs=60, members=1)
    evaluation = _toy(4, noise=2.0)
    fitted = training.fit(_toy(3, rows=120, noise=2.0), evaluation, eager, seed=0)
    losses = fitted.history["val_average_log_loss"]
    assert len(losses) < 60
    assert fitted.best_epoch == int(np.argmin(losses))
    logits, labels = fitted.network.predict(evaluation[0], verbose=0)[:, 0], evaluation[1]
    assert np.mean(np.logaddexp(0.0, logits) - labels * logits) == pytest.approx(min(losses), rel=1e-4)


def test_a_hopeless_fit_stops_at_once():
    seen = []

    def hopeless(losses):
        seen.append(losses)
        return len(losses) == 2

    fitted = training.fit(_toy(0), _toy(1), SMALL, seed=1, hopeless=hopeless)
    assert seen[-1] == fitted.history[training.OBJECTIVE]
    assert len(fitted.history["loss"]) == 2


def test_the_learning_rate_rises_and_then_falls_over_all_epochs():
    rates = training.learning_rates(SMALL, steps=50)
    assert rates.shape == (SMALL.epochs, 50)
    highest = int(np.argmax(rates))
    assert highest == round(training.WARM_UP * rates.size)
    assert rates.max() == pytest.approx(SMALL.learning_rate)
    assert (np.diff(rates.ravel()[:highest]) > 0).all()
    assert (np.diff(rates.ravel()[highest:]) <= 0).all()
    assert rates.min() == 0.0
    assert rates[-1, -1] == pytest.approx(training.LAST_RATE * SMALL.learning_rate, rel=0.1)


def test_rows_beyond_one_block_are_all_learned_and_measured(monkeypatch):
    whole = training.fit(_toy(0), _toy(1), SMALL, seed=1)
    monkeypatch.setattr(passes, "_BLOCK", 150)
    parts = training.fit(_toy(0), _toy(1), SMALL, seed=1)
    for name, values in whole.history.items():
        assert parts.history[name] == pytest.approx(values, rel=1e-4), name


def test_more_rows_than_an_epoch_takes_are_learned_in_several(monkeypatch):
    monkeypatch.setattr(training, "EPOCH_ROWS", 300)
    orders = training._orders(800, 3, np.random.default_rng(0))
    epochs = [next(orders) for _ in range(6)]
    assert max(map(len, epochs)) <= 300
    for turn in (epochs[:3], epochs[3:]):
        np.testing.assert_array_equal(np.sort(np.concatenate(turn)), np.arange(800))
    assert epochs[0].tolist() != epochs[3].tolist()
    features, labels, _ = _toy(2)
    scores = training.fit(_toy(0), _toy(1), SMALL, seed=1).network.predict(features, verbose=0)[:, 0]
    assert roc_auc_score(labels, scores) > 0.7


def test_an_epoch_is_measured_on_evenly_spread_rows_where_there_are_many(monkeypatch):
    many = _toy(1)
    some = Rows(*(column[np.linspace(0, 799, 100).round().astype(int)] for column in many))
    expected = training.fit(_toy(0), some, SMALL, seed=1).history
    monkeypatch.setattr(training, "STOPPING_ROWS", 100)
    assert training.fit(_toy(0), many, SMALL, seed=1).history == expected


def test_a_row_of_no_weight_teaches_nothing():
    rows, wrong = _toy(0), _toy(1)
    wrong = wrong._replace(label=1 - wrong.label)
    both = Rows(
        np.concatenate([rows.features, wrong.features]),
        np.concatenate([rows.label, wrong.label]),
        np.repeat([2.0, 0.0], [len(rows.label), len(wrong.label)]).astype(np.float32),
    )
    features, labels, _ = _toy(2)
    scores = training.fit(both, _toy(3), SMALL, seed=1).network.predict(features, verbose=0)[:, 0]
    alike = training.fit(both._replace(weight=np.ones_like(both.label)), _toy(3), SMALL, seed=1).network
    assert roc_auc_score(labels, scores) > 0.85 > roc_auc_score(labels, alike.predict(features, verbose=0)[:, 0])


def test_few_rows_are_learned_in_small_batches(monkeypatch):
    sizes = []

    def noted(model, optimizer, batch_size):
        sizes.append(batch_size)
        return Passes(model, optimizer, batch_size)

    monkeypatch.setattr(training, "Passes", noted)
    for rows in (30, 1000, 6400):
        training.fit(_toy(0, rows=rows), _toy(1), dataclasses.replace(SMALL, epochs=1), seed=0)
    assert sizes == [1, 20, 64]


def test_a_split_smaller_than_a_batch_still_trains():
    fitted = training.fit(_toy(0, rows=10), _toy(1, rows=3), Hyperparameters(width=4, epochs=2, members=1), seed=0)
    assert len(fitted.history["loss"]) == 2


def test_a_fit_lets_go_of_its_rows():
    """A search fits many times in one process, and rows are most of its memory."""
    features, labels, weights = _toy(0)
    held = weakref.ref(features)
    training.fit(Rows(features, labels, weights), _toy(1), SMALL, seed=0)
    del features
    gc.collect()
    assert held() is None


def test_a_calibrated_fit_is_the_same_network_with_calibration_and_threshold_of_the_evaluation_rows(learned):
    evaluation = _toy(1)
    fitted = training.fit_calibrated(_toy(0), evaluation, SMALL, seed=1)
    logits = training.logits(fitted.network, evaluation.features)
    np.testing.assert_array_equal(logits, training.logits(learned[0].network, evaluation.features))
    assert (fitted.history, fitted.best_epoch) == (learned[0].history, learned[0].best_epoch)
    assert fitted.calibration == calibration.fit(logits, evaluation.label)
    scores = fitted.score(evaluation.features)
    assert scores.mean() == pytest.approx(evaluation.label.mean(), abs=0.01)
    assert fitted.threshold == calibration.best_threshold(evaluation.label, scores)
