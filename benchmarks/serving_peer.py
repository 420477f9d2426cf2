"""A usual hand-made model server, the peer of `benchmarks.serving`: Flask, Waitress and an eager SavedModel.

python benchmarks/serving_peer.py MODEL_DIRECTORY PORT
"""

from __future__ import annotations

import sys

import flask
import tensorflow as tf
import waitress


def application(directory: str) -> flask.Flask:
    model = tf.saved_model.load(directory)
    predict = model.signatures["serving_default"]
    dtypes = {name: spec.dtype for name, spec in predict.structured_input_signature[1].items()}
    app = flask.Flask(__name__)

    @app.post("/v1/models/<name>:predict")
    def answer(name: str) -> flask.Response:
        instances = flask.request.get_json(force=True)["instances"]
        inputs = {name: tf.constant([row[name] for row in instances], dtype) for name, dtype in dtypes.items()}
        outputs = {name: tensor.numpy().tolist() for name, tensor in predict(**inputs).items()}
        rows = [dict(zip(outputs, row, strict=True)) for row in zip(*outputs.values(), strict=True)]
        return flask.jsonify(predictions=rows)

    return app


if __name__ == "__main__":
    waitress.serve(application(sys.argv[1]), port=int(sys.argv[2]), threads=8, _quiet=True)
