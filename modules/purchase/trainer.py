"""TFX Trainer's entry point: fit, calibrate, choose the threshold, export, and note down what was made."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft
from tensorflow_serving.apis import model_pb2, predict_pb2, prediction_log_pb2
from tfx.dsl.io import fileio
from tfx.v1.components import FnArgs

from analysis import profile
from data.contract import Contract
from data.model_folder import CARD, CONTRACT, EXTRAS, GOLDEN_REQUEST, PROFILE, WARM_UP, GoldenRequest, ModelCard
from data.model_spec import RAW_SIGNATURE
from modules import artifacts
from modules.examples import load
from modules.purchase import calibration as calibrations
from modules.purchase.export import ServingModule
from modules.purchase.hyperparameters import Hyperparameters
from modules.purchase.training import fit, logits

WARM_UP_ROWS = (1, 32)
"""Rows of each warm-up request: a single customer, and a list."""
FIT = "fit.json"
"""Beside the TensorBoard logs: `seconds` from raw rows on disk to a calibrated network."""


def run_fn(fn_args: FnArgs) -> None:
    """Trains on the train split and exports to `fn_args.serving_model_dir`.

    Calibration and threshold are fitted on the eval split. Beside the SavedModel, in `assets.extra`, go warm-up
    requests, a golden request with its answer, the reference profile of the training rows, and the model's card.
    TensorBoard logs go to `fn_args.model_run_dir`, and beside them the history of the fit and the time it took.

    Args:
      fn_args: `custom_config` holds `contract` (JSON), `with_after_call`, `seed`, `synthetic`, and `members`: the
        number of nets in the average, or None for the contract's.
    """
    started = time.monotonic()
    config = fn_args.custom_config
    contract = Contract.model_validate_json(config["contract"])
    features = contract.features(config["with_after_call"])
    hyperparameters = choose_hyperparameters(fn_args.hyperparameters, contract, config["members"])
    graph = tft.TFTransformOutput(fn_args.transform_output)
    train = load(fn_args.train_files, contract, config["with_after_call"], graph)
    evaluation = load(fn_args.eval_files, contract, config["with_after_call"], graph)

    fitted = fit(train.rows, evaluation.rows, hyperparameters, config["seed"], log_dir=fn_args.model_run_dir)
    eval_logits = logits(fitted.model, evaluation.rows.features)
    calibration = calibrations.fit(eval_logits, evaluation.rows.label)
    threshold = calibrations.best_threshold(evaluation.rows.label, calibration.apply(eval_logits))
    seconds = time.monotonic() - started

    module = ServingModule(fitted.model, graph, contract, features, calibration, threshold)
    module.save(fn_args.serving_model_dir)
    card = ModelCard(
        contract=contract.name,
        synthetic=config["synthetic"],
        features=features,
        hyperparameters=hyperparameters.asdict(),
        parameters=fitted.model.count_params(),
        members=hyperparameters.members,
        best_epoch=fitted.best_epoch,
        calibration=dataclasses.asdict(calibration),
        threshold=threshold,
    )
    scores = calibration.apply(logits(fitted.model, train.rows.features))
    columns = {name: train.raw[name] for name in features}
    extras = artifacts.join(fn_args.serving_model_dir, EXTRAS)
    fileio.makedirs(extras)
    _write_warm_up(artifacts.join(extras, WARM_UP), evaluation.raw, features)
    artifacts.write_text(card.to_json(), extras, CARD)
    artifacts.write_text(contract.model_dump_json(indent=1), extras, CONTRACT)
    artifacts.write_text(_golden_request(module, evaluation.raw, features).to_json(), extras, GOLDEN_REQUEST)
    artifacts.write_text(profile.build(columns, scores, contract, features).to_json(), extras, PROFILE)
    artifacts.write_json(fitted.history, fn_args.model_run_dir, artifacts.HISTORY)
    artifacts.write_json({"seconds": seconds}, fn_args.model_run_dir, FIT)


def choose_hyperparameters(tuned: Mapping[str, Any] | None, contract: Contract, members: int | None) -> Hyperparameters:
    """The contract's, and over them the Tuner's best and the number of members asked for."""
    asked = {} if members is None else {"members": members}
    return Hyperparameters.from_mapping(
        {**contract.modelling.hyperparameters, **(tuned or {}).get("values", {}), **asked}
    )


def _first_rows(raw: Mapping[str, np.ndarray], features: tuple[str, ...], count: int) -> dict[str, tf.Tensor]:
    return {name: tf.constant(raw[name][:count]) for name in features}


def _write_warm_up(path: str, raw: Mapping[str, np.ndarray], features: tuple[str, ...]) -> None:
    with tf.io.TFRecordWriter(path) as writer:
        for count in WARM_UP_ROWS:
            request = predict_pb2.PredictRequest(model_spec=model_pb2.ModelSpec(signature_name=RAW_SIGNATURE))
            for name, column in _first_rows(raw, features, count).items():
                request.inputs[name].CopyFrom(tf.make_tensor_proto(column))
            log = prediction_log_pb2.PredictionLog(predict_log=prediction_log_pb2.PredictLog(request=request))
            writer.write(log.SerializeToString())


def _golden_request(module: ServingModule, raw: Mapping[str, np.ndarray], features: tuple[str, ...]) -> GoldenRequest:
    """One real row as a REST request with the answer it must get."""
    row = _first_rows(raw, features, 1)
    values = {name: column.numpy()[0] for name, column in row.items()}
    instance = {name: v.decode() if isinstance(v, bytes) else v.item() for name, v in values.items()}
    prediction = {name: column.numpy()[0].item() for name, column in module.predict(row).items()}
    return GoldenRequest([instance], [prediction])
