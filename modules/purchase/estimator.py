"""The purchase model outside TFX: the same encoding, network and calibration, fitted on columns in memory.

Benchmarks and backtests use it, because they fit many models and need none of a pipeline's artifacts.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from data.contract import Contract
from modules.encoding import exact_quantiles
from modules.examples import BATCH
from modules.purchase import transform
from modules.purchase.hyperparameters import Hyperparameters
from modules.purchase.rows import Rows, weights, without_list_size
from modules.purchase.training import FittedModel, fit_calibrated


@dataclasses.dataclass(frozen=True)
class Estimator:
    """A model that scores raw columns."""

    contract: Contract
    with_after_call: bool
    grid: np.ndarray
    """float32 [numbers, GRID of `modules.encoding`], the quantiles of the training rows."""
    model: FittedModel

    @property
    def threshold(self) -> float:
        """The probability above which a row counts as positive."""
        return self.model.threshold

    def score(self, columns: Mapping[str, np.ndarray]) -> np.ndarray:
        """Calibrated probabilities, float64 [rows], of raw columns as `data.columns.read` gives them."""
        return self.model.score(encode(columns, self.grid, self.contract, self.with_after_call))


def fit(
    train: Mapping[str, np.ndarray],
    evaluation: Mapping[str, np.ndarray],
    contract: Contract,
    with_after_call: bool,
    hyperparameters: Hyperparameters | None = None,
    seed: int = 42,
) -> Estimator:
    """Fits a model as a run of the pipeline does, see :func:`modules.purchase.training.fit_calibrated`.

    Only the quantiles differ: here they are exact, in a run they are estimated, see `modules.encoding.exact_quantiles`.

    Args:
      train: columns by name, with the label, as `data.columns.read` gives them; columns that are not features are
        ignored.
      evaluation: likewise; for early stopping, the calibration and the threshold.
      contract: what the columns mean.
      with_after_call: whether columns known only after the call are features too.
      hyperparameters: the contract's if None.
      seed: of the weights, the order of rows and the dropout.
    """
    if hyperparameters is None:
        hyperparameters = Hyperparameters.from_mapping(contract.modelling.hyperparameters)
    grid = exact_quantiles(train, transform.numbers(contract, with_after_call))
    train_rows, evaluation_rows = (
        Rows(
            encode(columns, grid, contract, with_after_call),
            columns[contract.required_label.name].astype(np.float32),
            weights(columns, contract),
        )
        for columns in ({**train, **without_list_size(train, contract, seed)}, evaluation)
    )
    return Estimator(
        contract, with_after_call, grid, fit_calibrated(train_rows, evaluation_rows, hyperparameters, seed)
    )


def encode(
    columns: Mapping[str, np.ndarray], grid: np.ndarray, contract: Contract, with_after_call: bool
) -> np.ndarray:
    """The features of raw columns, float32 [rows, D], see `transform.encode`."""
    names = contract.features(with_after_call)
    starts = range(0, len(columns[names[0]]), BATCH)
    batches = ({name: tf.constant(columns[name][start : start + BATCH]) for name in names} for start in starts)
    return np.concatenate([transform.encode(batch, grid, contract, with_after_call).numpy() for batch in batches])
