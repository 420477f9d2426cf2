"""The search tries the defaults, repeats itself by seed, and does not hide a failing trial."""

import numpy as np
import pytest

from modules.purchase.hyperparameters import Hyperparameters
from modules.purchase.rows import Rows
from modules.purchase.training import OBJECTIVE
from modules.purchase.tuner import Search

DEFAULTS = Hyperparameters(width=8, depth=1, epochs=2, members=2, batch_size=64)


@pytest.fixture(scope="module")
def rows():
    generator = np.random.default_rng(0)
    features = generator.normal(size=(256, 5)).astype(np.float32)
    return Rows(features, (features[:, 0] > 0).astype(np.float32), np.ones(256, np.float32))


def search(folder, rows, trials=3):
    tuner = Search(DEFAULTS, max_trials=trials, seed=5, directory=folder, project_name="search")
    tuner.search(train=rows, evaluation=rows)
    return [trial for _, trial in sorted(tuner.oracle.trials.items())]


def test_the_first_trial_tries_the_defaults_and_every_trial_has_a_score(tmp_path, rows):
    trials = search(tmp_path, rows)
    assert len(trials) == 3
    first = trials[0].hyperparameters.values
    assert first == {name: getattr(DEFAULTS, name) for name in first}
    assert {"width", "depth", "dropout", "learning_rate", "weight_decay"} == set(first)
    assert all(0 < trial.metrics.get_best_value(OBJECTIVE) < 2 for trial in trials)


def test_the_same_seed_searches_the_same_values(tmp_path, rows):
    once, again = (search(tmp_path / name, rows, trials=2) for name in ("once", "again"))
    assert [trial.hyperparameters.values for trial in once] == [trial.hyperparameters.values for trial in again]


def test_a_failing_trial_fails_the_search(tmp_path, rows):
    broken = rows._replace(label=rows.label[:, np.newaxis])
    with pytest.raises(RuntimeError, match="failures"):
        search(tmp_path, broken)


def test_a_trial_behind_the_median_of_the_earlier_ones_is_stopped(tmp_path):
    tuner = Search(DEFAULTS, max_trials=1, seed=5, directory=tmp_path, project_name="search")
    assert not tuner._hopeless([0.9, 0.9])
    tuner._earlier += [[0.5, 0.4, 0.3], [0.6, 0.5, 0.5], [0.7, 0.6]]
    assert not tuner._hopeless([0.9])
    assert [tuner._hopeless(losses) for losses in ([0.9, 0.45], [0.45, 0.9], [0.9, 0.55])] == [False, False, True]
    assert tuner._hopeless([0.9, 0.9, 0.45])
