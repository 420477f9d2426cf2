"""The real pipeline, run as a user runs it: what it pushes, what it caches, what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from data import contract as contracts
from data.model_folder import ModelFolder, versions
from data.model_spec import PURCHASE_MODEL
from data.paths import serving_folder
from modules.purchase import baselines
from runs.outputs import COMPARISON, EXAMPLES, IMPORTANCE, SCORES, connect, outputs
from tests.conftest import STAGES
from tests.e2e.conftest import latest

pytestmark = pytest.mark.e2e


def test_a_first_run_pushes_a_version(first):
    artifacts, result, found = first
    (version,) = versions(serving_folder(artifacts, PURCHASE_MODEL.name))
    assert str(version.path) == found.pushed.path
    assert str(version.version) == found.pushed.version
    assert "pushed version" in result.stdout
    assert "python -m serving" in result.stdout


def test_every_stage_is_reported(first):
    _, result, found = first
    assert sorted(stage.name for stage in found.stages) == sorted(STAGES)
    assert all(stage in result.stdout for stage in STAGES)
    assert not any(stage.cached for stage in found.stages)


def test_every_row_is_accounted_for(first):
    _, _, found = first
    data = found.dataset
    assert data.read == 4_000 == data.rows + data.quarantined
    assert sum(split.rows for split in found.splits.values()) == data.rows
    assert 0.68 < found.splits["train"].rows / 4_000 < 0.72


def test_the_usual_models_are_measured_on_the_same_rows(first):
    artifacts, result, found = first
    network, *others = found.comparison
    assert network.key == "network"
    assert network.metrics == found.metrics["test"]
    assert network.threshold == found.model.threshold
    assert [model.key for model in others] == list(baselines.MODELS)
    assert all(model.name in result.stdout for model in found.comparison)
    for model in found.comparison:
        counts = ("true_positives", "false_positives", "true_negatives", "false_negatives")
        assert sum(getattr(model.metrics, name) for name in counts) == found.splits["test"].rows
        assert model.metrics.auc > 0.6
        assert model.train_seconds > 0
        assert model.score_microseconds > 0
    made = outputs(connect(artifacts / "metadata.sqlite"), found.run_id)
    written = json.loads(Path(made.uri(COMPARISON), "comparison.json").read_text())
    assert [model["metrics"]["auc"] for model in written["models"]] == [model.metrics.auc for model in found.comparison]


def test_every_feature_has_its_importance_on_the_test_rows(first):
    artifacts, _, found = first
    made = outputs(connect(artifacts / "metadata.sqlite"), found.run_id)
    written = json.loads(Path(made.uri(IMPORTANCE), "importance.json").read_text())
    assert written["split"] == "test"
    assert written["rows"] == found.splits["test"].rows
    assert written["auc"] == pytest.approx(found.metrics["test"].auc, abs=1e-6)
    assert sorted(entry["name"] for entry in written["features"]) == sorted(found.features)
    drops = [entry["auc_drop"] for entry in written["features"]]
    assert drops == sorted(drops, reverse=True)
    assert drops[0] > 0.02


def test_duration_is_no_feature_unless_asked_for(first):
    assert "duration" not in first[2].features


def test_library_noise_is_in_the_log_and_not_on_the_screen(first):
    artifacts, result, _ = first
    log = (latest(artifacts) / "pipeline.log").read_text()
    assert "INFO:absl" in log
    assert "INFO:" not in result.stdout + result.stderr
    assert "Traceback" not in result.stdout + result.stderr


def test_the_pushed_model_answers_raw_customers(first):
    _artifacts, _, found = first
    import tensorflow as tf

    version = Path(found.pushed.path)
    golden = ModelFolder(version).golden_request()
    model = tf.saved_model.load(str(version))
    row = {name: tf.constant([value]) for name, value in golden.instances[0].items()}
    numbers = contracts.load("bank-full").numeric
    row = {name: tf.cast(value, tf.float32) if name in numbers else value for name, value in row.items()}
    answer = model.signatures["serving_default"](**row)
    assert set(row) == set(found.features)
    assert answer["probability"].numpy()[0] == pytest.approx(golden.predictions[0]["probability"], abs=1e-6)
    assert answer["purchase"].numpy()[0] == golden.predictions[0]["purchase"]
    strange = dict(row, job=tf.constant(["astronaut"]), balance=tf.constant([float("nan")]), age=tf.constant([1e30]))
    assert 0 <= model.signatures["serving_default"](**strange)["probability"].numpy()[0] <= 1


def test_served_and_evaluated_probabilities_are_the_same(first):
    """Rows of the file, sent raw to the pushed model, get the probabilities that the metrics were computed from."""
    artifacts, _, found = first
    import tensorflow as tf

    made = outputs(connect(artifacts / "metadata.sqlite"), found.run_id)
    evaluated = np.load(Path(made.uri(SCORES), "test.npz"))
    files = list(Path(made.uri(EXAMPLES), "Split-test").iterdir())
    rows = next(iter(tf.data.TFRecordDataset(files, "GZIP").batch(10_000)))
    contract = contracts.load("bank-full")
    spec = {
        name: tf.io.FixedLenFeature([], tf.float32 if name in contract.numeric else tf.string)
        for name in found.features
    }
    raw = tf.io.parse_example(rows, spec)
    served = tf.saved_model.load(found.pushed.path).signatures["serving_default"](**raw)["probability"].numpy()
    np.testing.assert_allclose(served, evaluated["probability"], atol=1e-6)
    right = (served > 0.5) == evaluated["label"]
    assert found.metrics["test"].accuracy == pytest.approx(right.mean())


def test_warmup_requests_and_profile_lie_beside_the_model(first):
    extras = Path(first[2].pushed.path) / "assets.extra"
    assert {"tf_serving_warmup_requests", "golden_request.json", "profile.json", "model.json"} <= {
        f.name for f in extras.iterdir()
    }
