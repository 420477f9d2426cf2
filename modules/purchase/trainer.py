"""TFX Trainer's entry point: fits, calibrates and exports the model, with the files that belong to it."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow_transform as tft
from tfx.components.trainer.fn_args_utils import FnArgs

from analysis import profile
from data.contract import Contract
from data.model_folder import ListSize, PurchaseCard
from data.model_spec import PURCHASE_MODEL
from modules import artifacts, model_extras
from modules.purchase.config import TrainingConfig
from modules.purchase.export import PurchaseModule
from modules.purchase.hyperparameters import Hyperparameters
from modules.purchase.rows import Split, load
from modules.purchase.training import FittedModel, fit_calibrated

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
    train, evaluation = load(fn_args.train_files, config, graph, training=True), load(fn_args.eval_files, config, graph)
    fitted = fit_calibrated(train.rows, evaluation.rows, hyperparameters, config.seed, fn_args.model_run_dir)
    seconds = time.monotonic() - started

    module = PurchaseModule(
        fitted.network, graph, config.contract, config.features, fitted.calibration, fitted.threshold, train.raw
    )
    module.save(fn_args.serving_model_dir)
    model_extras.write(
        fn_args.serving_model_dir,
        _card(config, hyperparameters, fitted, fn_args.train_files),
        config.contract,
        _profile(config, train, fitted),
        module.predict,
        evaluation.raw,
    )
    artifacts.write_json(fitted.history, fn_args.model_run_dir, artifacts.HISTORY)
    artifacts.write_json({"seconds": seconds}, fn_args.model_run_dir, FIT)


def choose_hyperparameters(tuned: Mapping[str, Any] | None, contract: Contract, members: int | None) -> Hyperparameters:
    """The contract's hyperparameters, replaced by the Tuner's best and by the given number of members."""
    given = {} if members is None else {"members": members}
    return Hyperparameters.from_mapping(
        {**contract.modelling.hyperparameters, **(tuned or {}).get("values", {}), **given}
    )


def _card(
    config: TrainingConfig, hyperparameters: Hyperparameters, fitted: FittedModel, patterns: Sequence[str]
) -> PurchaseCard:
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
        list_size=_list_size(patterns[0]) if config.contract.derived else None,
    )


def _list_size(pattern: str) -> ListSize:
    """What was usual in the newest month, from the Examples that a pattern of one split's files lies in."""
    examples, _, _ = pattern.rpartition("/Split-")
    return ListSize(**artifacts.read_json(examples, artifacts.LIST_SIZE))


def _profile(config: TrainingConfig, train: Split, fitted: FittedModel) -> profile.Profile:
    scores = fitted.score(train.rows.features)
    return profile.build(train.raw, scores, config.contract, config.features, PURCHASE_MODEL.score)
