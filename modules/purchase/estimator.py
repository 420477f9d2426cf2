"""The product's model outside TFX: the same encoding, network and calibration, fitted on columns in memory.

For benchmarks and backtests, which fit many models and need none of a pipeline's artifacts.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import keras
import numpy as np
import tensorflow as tf

from data.contract import Contract
from modules.purchase import calibration as calibrations
from modules.purchase import training, transform
from modules.purchase.calibration import Calibration
from modules.purchase.hyperparameters import Hyperparameters

_BATCH = 8192


@dataclasses.dataclass(frozen=True)
class Estimator:
    """A fitted model."""

    contract: Contract
    with_after_call: bool
    grid: np.ndarray
    """float32 [numbers, transform.GRID], quantiles of the training rows."""
    network: keras.Model
    """From encoded features to one logit [rows, 1]."""
    calibration: Calibration
    threshold: float
    """Above it a row counts as a purchase: best F1 on the evaluation rows."""

    def score(self, columns: Mapping[str, np.ndarray]) -> np.ndarray:
        """Calibrated probabilities float64 [rows] of raw columns as `data.columns.read` gives them."""
        features = encode(columns, self.grid, self.contract, self.with_after_call)
        return self.calibration.apply(training.logits(self.network, features))


def fit(
    train: Mapping[str, np.ndarray],
    evaluation: Mapping[str, np.ndarray],
    contract: Contract,
    with_after_call: bool,
    hyperparameters: Hyperparameters | None = None,
    seed: int = 42,
) -> Estimator:
    """Fits on `train`; stops early, calibrates and chooses the threshold on `evaluation`, as a run does.

    Args:
      train: columns by name, the label among them, as `data.columns.read` gives them; others are ignored.
      evaluation: likewise.
      contract: what the columns mean.
      with_after_call: whether columns known only after the call are features.
      hyperparameters: the contract's if none are given.
      seed: of the weights, the order of rows and the dropout.
    """
    if hyperparameters is None:
        hyperparameters = Hyperparameters.from_mapping(contract.modelling.hyperparameters)
    grid = quantiles(train, contract, with_after_call)
    rows, evaluation_rows = (
        (encode(columns, grid, contract, with_after_call), columns[contract.required_label.name].astype(np.float32))
        for columns in (train, evaluation)
    )
    network = training.fit(rows, evaluation_rows, hyperparameters, seed).model
    features, labels = evaluation_rows
    logits = training.logits(network, features)
    calibration = calibrations.fit(logits, labels)
    threshold = calibrations.best_threshold(labels, calibration.apply(logits))
    return Estimator(contract, with_after_call, grid, network, calibration, threshold)


def quantiles(columns: Mapping[str, np.ndarray], contract: Contract, with_after_call: bool) -> np.ndarray:
    """What Transform's analyzer estimates, exactly: float32 [numbers, transform.GRID], see `transform.encode`.

    A number that is always missing has its lower bound as every quantile.
    """
    names = contract.features(with_after_call)
    numeric = {name: column for name, column in contract.numeric.items() if name in names}
    if not numeric:
        return np.zeros((0, transform.GRID), np.float32)
    levels = np.arange(1, transform.GRID + 1) / (transform.GRID + 1)
    known = (
        numbers[~np.isnan(numbers)] if not np.isnan(numbers).all() else np.float32([column.min])
        for numbers, column in zip(transform.clipped(columns, numeric).numpy().T, numeric.values(), strict=True)
    )
    return np.array([np.quantile(numbers, levels, method="inverted_cdf") for numbers in known], np.float32)


def encode(
    columns: Mapping[str, np.ndarray], grid: np.ndarray, contract: Contract, with_after_call: bool
) -> np.ndarray:
    """What the network sees of raw columns: float32 [rows, D]."""
    raw = {name: columns[name] for name in contract.features(with_after_call)}
    starts = range(0, len(next(iter(raw.values()))), _BATCH)
    batches = (transform.encode(_rows(raw, start), grid, contract, with_after_call) for start in starts)
    return np.concatenate([batch.numpy() for batch in batches])


def _rows(columns: Mapping[str, np.ndarray], start: int) -> dict[str, tf.Tensor]:
    return {name: tf.constant(column[start : start + _BATCH]) for name, column in columns.items()}
