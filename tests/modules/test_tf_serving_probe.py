"""TF Serving's loader finds what Python's does not."""

from __future__ import annotations

import base64
import io
import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from modules import tf_serving_probe as probe

AGES = [20.0, 40.0, 60.0]


def example(age: float) -> bytes:
    feature = tf.train.Feature(float_list=tf.train.FloatList(value=[age]))
    return tf.train.Example(features=tf.train.Features(feature={"age": feature})).SerializeToString()


def save(folder, tracked: bool, missing: float | None = None) -> np.ndarray:
    """Exports a small net and returns its answers.

    Args:
      folder: to export to.
      tracked: whether the variables are tracked, or as Keras 3 leaves them.
      missing: what the contributions of `explain` lack of the logit; None for a model without `explain`.
    """
    keras.utils.set_random_seed(1)
    net = keras.Sequential([keras.Input((1,)), keras.layers.Dense(4, "relu"), keras.layers.Dense(1, "sigmoid")])
    module = tf.Module() if tracked else net
    if tracked:
        module.variables_of_net = [variable.value for variable in net.variables]

    def answer(age):
        return {"probability": tf.reshape(net(tf.reshape(age / 100.0, [-1, 1])), [-1])}

    def answer_examples(examples):
        return answer(tf.io.parse_example(examples, {"age": tf.io.FixedLenFeature([], tf.float32)})["age"])

    signatures = {
        "serving_default": tf.function(answer, input_signature=[tf.TensorSpec([None], tf.float32, "age")]),
        "tf_examples": tf.function(answer_examples, input_signature=[tf.TensorSpec([None], tf.string, "examples")]),
    }
    if missing is not None:

        def explain(age):
            probability = answer(age)["probability"]
            logit = tf.math.log(probability / (1.0 - probability))
            contributions = tf.stack([logit - 1.0, tf.zeros_like(age) - missing], axis=1)
            return {"probability": probability, "contributions": contributions, "base": tf.ones_like(age)}

        age = tf.TensorSpec([None], tf.float32, "age")
        signatures["explain"] = tf.function(explain, input_signature=[age])
    tf.saved_model.save(module, str(folder), signatures=signatures)
    return answer(tf.constant(AGES))["probability"].numpy()


def run_probe(monkeypatch, folder, expected) -> int:
    """The exit code of the probe, which reads its request from standard input."""
    document = {
        "rows": {"age": AGES},
        "examples": [base64.b64encode(example(age)).decode() for age in AGES],
        "output": "probability",
        "expected": np.asarray(expected, float).tolist(),
    }
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(document)))
    return probe.main(str(folder))


def test_a_good_export_answers_as_evaluated(tmp_path, capsys, monkeypatch):
    expected = save(tmp_path / "model", tracked=True)
    assert run_probe(monkeypatch, tmp_path / "model", expected) == 0
    differences = json.loads(capsys.readouterr().out)
    assert set(differences) == {"serving_default", "tf_examples"}
    assert max(differences.values()) < 1e-6


def test_other_probabilities_than_evaluated_show_as_a_difference(tmp_path, capsys, monkeypatch):
    expected = save(tmp_path / "model", tracked=True)
    assert run_probe(monkeypatch, tmp_path / "model", expected + 0.25) == 0
    assert json.loads(capsys.readouterr().out)["serving_default"] == pytest.approx(0.25)


def test_contributions_must_add_up_to_the_probability(tmp_path, capsys, monkeypatch):
    for missing in (0.0, 0.5, float("nan")):
        expected = save(tmp_path / str(missing), tracked=True, missing=missing)
        assert run_probe(monkeypatch, tmp_path / str(missing), expected) == 0
    whole, part, unknown = (json.loads(line)["explain"] for line in capsys.readouterr().out.splitlines())
    assert whole < 1e-6
    assert part > 0.05
    assert np.isnan(unknown)


def test_an_explanation_that_cannot_be_run(tmp_path, capsys, monkeypatch):
    expected = save(tmp_path / "model", tracked=False, missing=0.0)
    assert run_probe(monkeypatch, tmp_path / "model", expected) == 1
    assert "FailedPreconditionError" in capsys.readouterr().err


def test_the_usual_keras_export_cannot_be_served(tmp_path, capsys, monkeypatch):
    expected = save(tmp_path / "model", tracked=False)
    served = tf.saved_model.load(str(tmp_path / "model")).signatures["serving_default"](tf.constant(AGES))
    np.testing.assert_allclose(served["probability"], expected, atol=1e-6)
    assert run_probe(monkeypatch, tmp_path / "model", expected) == 1
    assert "FailedPreconditionError" in capsys.readouterr().err


def test_a_folder_without_a_model(tmp_path, capsys, monkeypatch):
    assert run_probe(monkeypatch, tmp_path, [0, 0, 0]) == 1
    assert "SavedModel" in capsys.readouterr().err
