"""Importance follows what the model uses, and repeats itself by seed."""

import dataclasses

import numpy as np
import pytest

from analysis.importance import FeatureImportance, ImportanceResult, permutation

GENERATOR = np.random.default_rng(3)
COLUMNS = {
    "noise": GENERATOR.normal(size=900).astype(np.float32),
    "weak": GENERATOR.normal(size=900).astype(np.float32),
    "strong": GENERATOR.choice(np.array([b"no", b"yes"], object), 900),
}
LABELS = (COLUMNS["weak"] + 3 * (COLUMNS["strong"] == b"yes") + GENERATOR.normal(size=900) > 2.5).astype(np.int64)
FEATURES = ["noise", "weak", "strong"]


def score(columns):
    logit = columns["weak"] + 3 * (columns["strong"] == b"yes") - 2.5
    return 1 / (1 + np.exp(-logit))


def test_what_the_model_lives_on_comes_first_and_what_it_ignores_is_worth_nothing():
    found = permutation(score, COLUMNS, LABELS, FEATURES, seed=1)
    assert [entry.name for entry in found.features] == ["strong", "weak", "noise"]
    strong, weak, noise = found.features
    assert strong.auc_drop > weak.auc_drop + 0.1
    assert weak.auc_drop > 0.02
    assert (noise.auc_drop, noise.std) == (0.0, 0.0)
    assert 0 < strong.std < strong.auc_drop
    assert found.auc > 0.9
    assert found.rows == 900


def test_the_only_feature_of_a_model_takes_its_auc_down_to_chance():
    found = permutation(lambda columns: columns["weak"], COLUMNS, COLUMNS["weak"] > 0, ["weak"], seed=1, repeats=20)
    assert found.auc == 1.0
    assert found.features[0].auc_drop == pytest.approx(0.5, abs=0.02)


def test_the_seed_settles_the_figures_and_the_columns_stay_as_they_were():
    before = {name: column.copy() for name, column in COLUMNS.items()}
    once, again, other = (permutation(score, COLUMNS, LABELS, FEATURES, seed, most_rows=300) for seed in (4, 4, 5))
    assert once == again != other
    assert all((COLUMNS[name] == column).all() for name, column in before.items())


def test_of_many_rows_some_are_used_and_their_number_is_stated():
    calls = []

    def watched(columns):
        calls.append({len(columns[name]) for name in FEATURES})
        return score(columns)

    found = permutation(watched, COLUMNS, LABELS, FEATURES, seed=1, repeats=2, most_rows=500)
    assert (found.rows, found.repeats) == (500, 2)
    assert calls == [{500}] * (1 + 2 * len(FEATURES))
    everything = permutation(score, COLUMNS, LABELS, FEATURES, seed=1)
    assert found.auc == pytest.approx(everything.auc, abs=0.03)


def test_rows_of_one_label_have_no_importance_to_state():
    found = permutation(score, COLUMNS, np.zeros(900, np.int64), FEATURES, seed=1)
    assert found.auc is None
    assert found.features == tuple(FeatureImportance(name, None, None) for name in FEATURES)
    assert ImportanceResult.from_dict(dataclasses.asdict(found)) == found
