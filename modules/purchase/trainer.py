"""TFX Trainer's entry point: fits, calibrates and exports the model, with the files that belong to it."""

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
from data.model_folder import CARD, CONTRACT, EXTRAS, GOLDEN_REQUEST, PROFILE, WARM_UP, GoldenRequest, PurchaseCard
from data.model_spec import PURCHASE_MODEL, RAW_SIGNATURE
from modules import artifacts
from modules.purchase.config import TrainingConfig
from modules.purchase.export import ServingModule
from modules.purchase.hyperparameters import Hyperparameters
from modules.purchase.rows import Split, load
from modules.purchase.training import FittedModel, fit_calibrated

WARM_UP_ROWS = (1, 32)
"""Rows of each warm-up request: a single customer, and a list."""
FIT = "fit.json"
"""Beside the TensorBoard logs: `seconds` from raw rows on disk to a calibrated model."""


def run_fn(fn_args: FnArgs) -> None:
    """Trains on the train split and exports to `fn_args.serving_model_dir`.

    Calibration and threshold are fitted on the eval split. `assets.extra`, beside the SavedModel, gets warm-up
    requests, a golden request, the reference profile of the training rows, the contract and the model card. TensorBoard
    logs, the history of the fit and the time that it took go to `fn_args.model_run_dir`.

    Args:
      fn_args: its `custom_config` is a TrainingConfig.
    """
    started = time.monotonic()
    config = TrainingConfig.from_config(fn_args.custom_config)
    hyperparameters = choose_hyperparameters(fn_args.hyperparameters, config.contract, config.members)
    graph = tft.TFTransformOutput(fn_args.transform_output)
    train, evaluation = (load(files, config, graph) for files in (fn_args.train_files, fn_args.eval_files))
    fitted = fit_calibrated(train.rows, evaluation.rows, hyperparameters, config.seed, fn_args.model_run_dir)
    seconds = time.monotonic() - started

    module = ServingModule(
        fitted.network, graph, config.contract, config.features, fitted.calibration, fitted.threshold
    )
    module.save(fn_args.serving_model_dir)
    extras = artifacts.join(fn_args.serving_model_dir, EXTRAS)
    fileio.makedirs(extras)
    _write_warm_up(artifacts.join(extras, WARM_UP), evaluation.raw, config.features)
    artifacts.write_text(_card(config, hyperparameters, fitted).to_json(), extras, CARD)
    artifacts.write_text(config.contract.model_dump_json(indent=1), extras, CONTRACT)
    artifacts.write_text(_golden_request(module, evaluation.raw, config.features).to_json(), extras, GOLDEN_REQUEST)
    artifacts.write_text(_profile(config, train, fitted).to_json(), extras, PROFILE)
    artifacts.write_json(fitted.history, fn_args.model_run_dir, artifacts.HISTORY)
    artifacts.write_json({"seconds": seconds}, fn_args.model_run_dir, FIT)


def choose_hyperparameters(tuned: Mapping[str, Any] | None, contract: Contract, members: int | None) -> Hyperparameters:
    """The contract's hyperparameters, replaced by the Tuner's best and by the given number of members."""
    given = {} if members is None else {"members": members}
    return Hyperparameters.from_mapping(
        {**contract.modelling.hyperparameters, **(tuned or {}).get("values", {}), **given}
    )


def _card(config: TrainingConfig, hyperparameters: Hyperparameters, fitted: FittedModel) -> PurchaseCard:
    return PurchaseCard(
        contract=config.contract.name,
        synthetic=config.synthetic,
        features=config.features,
        hyperparameters=hyperparameters.asdict(),
        parameters=fitted.network.count_params(),
        members=hyperparameters.members,
        best_epoch=fitted.best_epoch,
        calibration=dataclasses.asdict(fitted.calibration),
        threshold=fitted.threshold,
    )


def _profile(config: TrainingConfig, train: Split, fitted: FittedModel) -> profile.Profile:
    columns = {name: train.raw[name] for name in config.features}
    scores = fitted.score(train.rows.features)
    return profile.build(columns, scores, config.contract, config.features, PURCHASE_MODEL.score)


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
    """The first row as a REST request, with the answer that it must get."""
    row = _first_rows(raw, features, 1)
    values = {name: column.numpy()[0] for name, column in row.items()}
    instance = {name: v.decode() if isinstance(v, bytes) else v.item() for name, v in values.items()}
    prediction = {name: column.numpy()[0].item() for name, column in module.predict(row).items()}
    return GoldenRequest([instance], [prediction])
