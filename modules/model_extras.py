"""The files beside a SavedModel that do not depend on the kind of the model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import model_pb2, predict_pb2, prediction_log_pb2
from tfx.dsl.io import fileio

from analysis.profile import Profile
from data.contract import Contract
from data.model_folder import CARD, CONTRACT, EXTRAS, GOLDEN_REQUEST, PROFILE, WARM_UP, GoldenRequest, ModelCard
from data.model_spec import RAW_SIGNATURE
from modules import artifacts

WARM_UP_ROWS = (1, 32)
"""Rows of each warm-up request: a single customer, and a list."""

Predict = Callable[[Mapping[str, tf.Tensor]], Mapping[str, tf.Tensor]]


def write(
    model: str,
    card: ModelCard,
    contract: Contract,
    profile: Profile,
    predict: Predict,
    raw: Mapping[str, np.ndarray],
) -> None:
    """Writes `assets.extra`: card, contract, reference profile, golden request and warm-up requests.

    Args:
      model: folder of the SavedModel.
      card: what the Trainer notes about it; its features name the inputs.
      contract: of the rows it learned from.
      profile: of the training split.
      predict: the exported function.
      raw: rows for the requests, columns by name.
    """
    extras = artifacts.join(model, EXTRAS)
    fileio.makedirs(extras)
    _write_warm_up(artifacts.join(extras, WARM_UP), raw, card.features)
    artifacts.write_text(card.to_json(), extras, CARD)
    artifacts.write_text(contract.model_dump_json(indent=1), extras, CONTRACT)
    artifacts.write_text(_golden_request(predict, raw, card.features).to_json(), extras, GOLDEN_REQUEST)
    artifacts.write_text(profile.to_json(), extras, PROFILE)


def _first_rows(raw: Mapping[str, np.ndarray], features: Sequence[str], count: int) -> dict[str, tf.Tensor]:
    return {name: tf.constant(raw[name][:count]) for name in features}


def _write_warm_up(path: str, raw: Mapping[str, np.ndarray], features: Sequence[str]) -> None:
    with tf.io.TFRecordWriter(path) as writer:
        for count in WARM_UP_ROWS:
            request = predict_pb2.PredictRequest(model_spec=model_pb2.ModelSpec(signature_name=RAW_SIGNATURE))
            for name, column in _first_rows(raw, features, count).items():
                request.inputs[name].CopyFrom(tf.make_tensor_proto(column))
            log = prediction_log_pb2.PredictionLog(predict_log=prediction_log_pb2.PredictLog(request=request))
            writer.write(log.SerializeToString())


def _golden_request(predict: Predict, raw: Mapping[str, np.ndarray], features: Sequence[str]) -> GoldenRequest:
    """The first row as a REST request, with the answer that it must get."""
    row = _first_rows(raw, features, 1)
    instance = {name: _jsonable(column.numpy()[0]) for name, column in row.items()}
    prediction = {name: _jsonable(column.numpy()[0]) for name, column in predict(row).items()}
    return GoldenRequest([instance], [prediction])


def _jsonable(value: bytes | np.generic | np.ndarray) -> object:
    return value.decode() if isinstance(value, bytes) else value.tolist()
