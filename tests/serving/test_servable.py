"""A version is loaded, run and given up as TensorFlow Serving does it."""

from __future__ import annotations

import shutil
import threading

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

from serving.errors import Code, ServingError
from serving.servable import RuntimeOptions, Servable
from tests.support import toy_models as models


@pytest.fixture
def version(toy_models, tmp_path):
    """A copy of a toy model that a test may break."""
    path = tmp_path / "1"
    shutil.copytree(toy_models / "half_plus_two" / "1", path)
    return path


def load(path, **options) -> Servable:
    return Servable("m", 1, path, RuntimeOptions(**options))


def predict(servable: Servable, *values: float) -> list[float]:
    signature = servable.signature("")
    return servable.run(signature, [np.array(values, np.float32)])["y"].tolist()


def test_many_threads_may_run_at_once(version):
    servable = load(version)
    answers: list[list[float]] = []
    threads = [
        threading.Thread(target=lambda number=number: answers.append(predict(servable, float(number))))
        for number in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [[0.5 * number + 2] for number in range(20)]
    servable.close()


def test_closing_waits_for_those_who_use_it(version):
    servable = load(version)
    assert servable.acquire()
    closing = threading.Thread(target=servable.close)
    closing.start()
    closing.join(0.2)
    assert closing.is_alive()
    assert predict(servable, 1.0) == [2.5]
    servable.release()
    closing.join(10)
    assert not closing.is_alive()
    assert not servable.acquire()


@pytest.mark.parametrize(
    ("damage", "code", "message"),
    [
        (lambda path: (path / "saved_model.pb").unlink(), Code.NOT_FOUND, "Could not find SavedModel .pb or .pbtxt"),
        (lambda path: (path / "saved_model.pb").write_bytes(b"rubbish"), Code.DATA_LOSS, "Can't parse"),
        (
            lambda path: (path / "saved_model.pb").write_bytes((path / "saved_model.pb").read_bytes()[:-100]),
            Code.DATA_LOSS,
            "as binary proto",
        ),
        (lambda path: shutil.rmtree(path / "variables"), Code.NOT_FOUND, "variables"),
        (
            lambda path: (path / "variables" / "variables.data-00000-of-00001").write_bytes(b""),
            Code.OUT_OF_RANGE,
            "Read less bytes than requested",
        ),
    ],
    ids=["no graph", "rubbish", "cut graph", "no variables", "cut variables"],
)
def test_a_damaged_version_fails_with_a_code_and_a_reason(version, damage, code, message):
    damage(version)
    with pytest.raises(ServingError) as caught:
        load(version)
    assert caught.value.code is code
    assert message in caught.value.message


def warm_up(path, values, signature="serving_default") -> None:
    request = predict_pb2.PredictRequest()
    request.model_spec.signature_name = signature
    request.inputs["x"].CopyFrom(tf.make_tensor_proto(values, tf.float32))
    log = prediction_log_pb2.PredictionLog(predict_log=prediction_log_pb2.PredictLog(request=request))
    extra = path / "assets.extra"
    extra.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(extra / "tf_serving_warmup_requests")) as writer:
        writer.write(log.SerializeToString())


def test_warm_up_requests_are_replayed_and_a_failing_one_fails_the_load(version):
    warm_up(version, [1.0, 2.0])
    assert load(version).load_times.warm_up is not None
    warm_up(version, [1.0], signature="nope")
    with pytest.raises(ServingError, match='FAILED_PRECONDITION: Serving signature key "nope" not found'):
        load(version)
    assert load(version, warm_up=False).load_times.warm_up is None


def slow_model(path, steps: int) -> None:
    def spin(x):
        return {"y": tf.while_loop(lambda i, _: i < steps, lambda i, y: (i + 1, tf.sin(y)), (0, x))[1]}

    models.save(path, {"serving_default": (spin, [tf.TensorSpec([None], tf.float32, name="x")])})


def test_a_run_that_takes_too_long_is_ended(tmp_path):
    slow_model(tmp_path / "1", steps=2**30)
    servable = load(tmp_path / "1", timeout_ms=200)
    with pytest.raises(ServingError) as caught:
        predict(servable, 1.0)
    assert caught.value.code is Code.DEADLINE_EXCEEDED


def test_a_run_without_loops_that_took_too_long_fails_too(tmp_path):
    def heavy(x):
        square = tf.random.uniform([1500, 1500]) + x[0]
        for _ in range(6):
            square = square @ square
        return {"y": tf.reduce_sum(square)[None]}

    models.save(tmp_path / "1", {"serving_default": (heavy, [tf.TensorSpec([None], tf.float32, name="x")])})
    with pytest.raises(ServingError) as caught:
        predict(load(tmp_path / "1", timeout_ms=1), 1.0)
    assert caught.value.code is Code.DEADLINE_EXCEEDED


def test_string_outputs_of_rank_zero_are_tensors(toy_models):
    servable = load(toy_models / "identity" / "1")
    signature = servable.signature("str")
    outputs = servable.run(signature, [np.array(b"hi", dtype=object)])
    assert outputs["out"].shape == ()
    assert outputs["out"].item() == b"hi"
