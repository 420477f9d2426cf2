"""TFX Trainer's entry point: fit, calibrate, choose the threshold, export, and note down what was made."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft
from tensorflow_serving.apis import model_pb2, predict_pb2, prediction_log_pb2
from tfx.v1.components import FnArgs

from analysis import profile
from data.contract import Contract
from data.model_folder import CANARY, CARD, PROFILE, RAW_SIGNATURE, WARMUP, extras
from modules.examples import load
from modules.purchase import calibration as calibrations
from modules.purchase.export import ServingModule
from modules.purchase.hyperparameters import Hyperparameters
from modules.purchase.training import fit, logits

WARMUP_ROWS = (1, 32)
"""Rows of each warm-up request: a single customer, and a list."""
FIT = "fit.json"
"""Beside the TensorBoard logs: `seconds` from raw rows on disk to a calibrated network."""


def run_fn(fn_args: FnArgs) -> None:
    """Trains on the train split and exports to `fn_args.serving_model_dir`.

    Calibration and threshold are fitted on the eval split. Beside the SavedModel, in `assets.extra`, go warm-up
    requests, a canary request with its answer, the reference profile of the training rows, and the model's card.
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
    beside = extras(fn_args.serving_model_dir)
    beside.mkdir()
    _write_warmup(beside / WARMUP, evaluation.raw, features)
    _write_json(beside / CANARY, _canary(module, evaluation.raw, features))
    scores = calibration.apply(logits(fitted.model, train.rows.features))
    columns = {name: train.raw[name] for name in features}
    (beside / PROFILE).write_text(profile.build(columns, scores, contract, features).to_json())
    _write_json(
        beside / CARD,
        {
            "contract": contract.name,
            "synthetic": config["synthetic"],
            "features": list(features),
            "hyperparameters": hyperparameters.asdict(),
            "parameters": fitted.model.count_params(),
            "members": hyperparameters.members,
            "best_epoch": fitted.best_epoch,
            "calibration": dataclasses.asdict(calibration),
            "threshold": threshold,
        },
    )
    _write_json(Path(fn_args.model_run_dir) / "history.json", fitted.history)
    _write_json(Path(fn_args.model_run_dir) / FIT, {"seconds": seconds})


def choose_hyperparameters(tuned: Mapping[str, Any] | None, contract: Contract, members: int | None) -> Hyperparameters:
    """The contract's, and over them the Tuner's best and the number of members asked for."""
    asked = {} if members is None else {"members": members}
    return Hyperparameters.from_mapping({**contract.hyperparameters, **(tuned or {}).get("values", {}), **asked})


def _first_rows(raw: Mapping[str, np.ndarray], features: tuple[str, ...], count: int) -> dict[str, tf.Tensor]:
    return {name: tf.constant(raw[name][:count]) for name in features}


def _write_warmup(path: Path, raw: Mapping[str, np.ndarray], features: tuple[str, ...]) -> None:
    with tf.io.TFRecordWriter(str(path)) as writer:
        for count in WARMUP_ROWS:
            request = predict_pb2.PredictRequest(model_spec=model_pb2.ModelSpec(signature_name=RAW_SIGNATURE))
            for name, column in _first_rows(raw, features, count).items():
                request.inputs[name].CopyFrom(tf.make_tensor_proto(column))
            log = prediction_log_pb2.PredictionLog(predict_log=prediction_log_pb2.PredictLog(request=request))
            writer.write(log.SerializeToString())


def _canary(module: ServingModule, raw: Mapping[str, np.ndarray], features: tuple[str, ...]) -> dict[str, Any]:
    """One real row as a REST request with the answer it must get."""
    row = _first_rows(raw, features, 1)
    values = {name: column.numpy()[0] for name, column in row.items()}
    instance = {name: v.decode() if isinstance(v, bytes) else v.item() for name, v in values.items()}
    prediction = {name: column.numpy()[0].item() for name, column in module.predict(row).items()}
    return {"instances": [instance], "predictions": [prediction]}


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1))
