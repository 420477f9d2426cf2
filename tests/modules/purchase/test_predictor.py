"""An exported model scores every row, in one batch or in many."""

import numpy as np
import pytest
import tensorflow as tf

from modules.purchase import predictor


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A SavedModel that answers age / 100, and 1 for managers."""
    module = tf.Module()

    @tf.function(input_signature=[tf.TensorSpec([None], name="age"), tf.TensorSpec([None], tf.string, name="job")])
    def predict(age, job):
        return {"probability": tf.where(job == "manager", 1.0, age / 100)}

    folder = tmp_path_factory.mktemp("model") / "1"
    tf.saved_model.save(module, str(folder), signatures={"serving_default": predict})
    return folder


@pytest.mark.parametrize("rows", [1, 5, 12])
def test_every_row_has_its_probability_whatever_the_batches(model, rows, monkeypatch):
    monkeypatch.setattr(predictor, "BATCH", 5)
    columns = {"age": np.arange(rows, dtype=np.float32), "job": np.array([b"manager"] + [b""] * (rows - 1), object)}
    scores = predictor.scorer(model, ["age", "job"])({**columns, "y": np.zeros(rows, np.int64)})
    assert scores.dtype == np.float32
    assert scores == pytest.approx([1.0, *(i / 100 for i in range(1, rows))])
