"""Trains the ensemble, with early stopping on the eval split, and calibrates it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from analysis.sampling import evenly_spaced
from modules.purchase import calibration as calibrations
from modules.purchase import network
from modules.purchase.calibration import Calibration
from modules.purchase.hyperparameters import Hyperparameters
from modules.purchase.passes import FIGURES, Passes
from modules.purchase.rows import EncodedRows, Rows

PATIENCE = 6
"""Training stops after this many epochs without a better eval log loss."""
OBJECTIVE = "val_average_log_loss"
"""The figure of the history that early stopping and the Tuner minimise: log loss of the ensemble on the eval split."""
EPOCH_ROWS = 1_000_000
"""Most rows of an epoch. More rows are divided among several epochs, so that a fit takes no longer with more rows."""
STOPPING_ROWS = 200_000
"""Most eval rows that an epoch is measured on, evenly spread; calibration uses all."""
FEWEST_STEPS = 50
"""Of an epoch: rows that would fill fewer batches are learned in smaller ones. On 1,000, 3,000 and 8,000 rows of
bank-full this gave an AUC of 0.664, 0.686 and 0.715; batches of 256 gave 0.650, 0.682 and 0.712, batches of 512 0.597,
0.679 and 0.712 (means of three seeds, on other rows)."""
WARM_UP = 0.03
"""Share of all steps over which the learning rate rises."""
LAST_RATE = 0.02
"""Where its decay ends, as a share of the highest rate."""
_SCORING_BATCH = 4096
"""Rows scored at once, so that the memory for activations does not grow with the data."""


@dataclasses.dataclass(frozen=True)
class TrainedNetwork:
    """A network before calibration."""

    network: keras.Model
    """From features float32 [batch, D] to one logit [batch, 1], the mean over the ensemble."""
    history: dict[str, list[float]]
    """By epoch: `passes.FIGURES` of train, and with the prefix `val_` of eval."""
    best_epoch: int
    """The epoch, from 0, whose weights were kept."""


@dataclasses.dataclass(frozen=True)
class FittedModel(TrainedNetwork):
    """A network with its calibration and its threshold."""

    calibration: Calibration
    threshold: float
    """The probability above which a row counts as positive: best F1 on the evaluation rows."""

    def score(self, features: np.ndarray | EncodedRows) -> np.ndarray:
        """Calibrated probabilities, float64 [rows], of features float32 [rows, D]."""
        return self.calibration.apply(logits(self.network, features))


def fit_calibrated(
    train: Rows, evaluation: Rows, hyperparameters: Hyperparameters, seed: int, log_dir: str | Path | None = None
) -> FittedModel:
    """Trains a network, then fits its calibration and its threshold on the evaluation rows.

    Args: as for :func:`fit`.
    """
    trained = fit(train, evaluation, hyperparameters, seed, log_dir)
    evaluation_logits = logits(trained.network, evaluation.features)
    calibration = calibrations.fit(evaluation_logits, evaluation.label)
    threshold = calibrations.best_threshold(evaluation.label, calibration.apply(evaluation_logits))
    return FittedModel(trained.network, trained.history, trained.best_epoch, calibration, threshold)


def fit(
    train: Rows,
    evaluation: Rows,
    hyperparameters: Hyperparameters,
    seed: int,
    log_dir: str | Path | None = None,
    hopeless: Callable[[Sequence[float]], bool] | None = None,
) -> TrainedNetwork:
    """Trains a network and keeps the weights of its best epoch.

    The same arguments give the same weights on the same machine.

    Args:
      train: the rows to learn from.
      evaluation: the rows for early stopping.
      hyperparameters: of the network and of its training.
      seed: of the weights, the order of rows and the dropout.
      log_dir: folder for TensorBoard's logs of loss and accuracy; None writes none.
      hopeless: says after an epoch, from OBJECTIVE of all epochs so far, whether to stop at once; None never stops.
    """
    keras.utils.set_random_seed(seed)
    rate = np.clip(np.average(train.label, weights=train.weight), 1e-3, 1.0 - 1e-3)
    model = network.build(train.features.shape[1], hyperparameters, initial_logit=float(np.log(rate / (1.0 - rate))))
    count = len(train.label)
    parts = math.ceil(count / EPOCH_ROWS)
    batch_size = min(hyperparameters.batch_size, max(1, count // FEWEST_STEPS))
    passes = Passes(model, optimizer(hyperparameters), batch_size)
    rates = learning_rates(hyperparameters, count // parts // batch_size)
    orders = _orders(count, parts, np.random.default_rng(seed))
    measured = evenly_spaced(len(evaluation.label), STOPPING_ROWS)
    history: list[dict[str, float]] = []
    best, weights = 0, model.get_weights()
    for epoch in range(hyperparameters.epochs):
        figures = passes.train(train, next(orders), rates[epoch])
        figures |= {f"val_{name}": value for name, value in passes.evaluate(evaluation, measured).items()}
        history.append(figures)
        if epoch == 0 or figures[OBJECTIVE] < history[best][OBJECTIVE]:
            best, weights = epoch, model.get_weights()
        if epoch - best == PATIENCE or (hopeless and hopeless([figures[OBJECTIVE] for figures in history])):
            break
    model.set_weights(weights)
    if log_dir is not None:
        _write_logs(history, str(log_dir))
    return TrainedNetwork(
        network.average(model), {name: [epoch[name] for epoch in history] for name in history[0]}, best
    )


def logits(model: keras.Model, features: np.ndarray | EncodedRows) -> np.ndarray:
    """The network's logits, float32 [rows], of features float32 [rows, D]."""
    batches = (features[i : i + _SCORING_BATCH] for i in range(0, len(features), _SCORING_BATCH))
    return np.concatenate([model.predict_on_batch(batch)[:, 0] for batch in batches])


def optimizer(hyperparameters: Hyperparameters) -> keras.optimizers.Optimizer:
    """AdamW whose learning rate is set from outside."""
    adamw = keras.optimizers.AdamW(
        hyperparameters.learning_rate, weight_decay=hyperparameters.weight_decay, global_clipnorm=1.0
    )
    adamw.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return adamw


def learning_rates(hyperparameters: Hyperparameters, steps: int) -> np.ndarray:
    """The learning rate of each step, float32 [epochs, steps]: a linear warm-up, then a cosine decay.

    Args:
      hyperparameters: epochs and the highest rate.
      steps: of an epoch.
    """
    total = hyperparameters.epochs * steps
    warm_up = max(1, round(WARM_UP * total))
    step = np.arange(total)
    decay = np.cos(np.pi * np.clip((step - warm_up) / max(1, total - warm_up), 0.0, 1.0))
    share = np.where(step < warm_up, step / warm_up, LAST_RATE + (1.0 - LAST_RATE) * (1.0 + decay) / 2.0)
    return (hyperparameters.learning_rate * share).astype(np.float32).reshape(hyperparameters.epochs, steps)


def _orders(count: int, parts: int, generator: np.random.Generator) -> Iterator[np.ndarray]:
    """Places of the rows of one epoch after the other; after `parts` epochs each of `count` rows has had its turn."""
    while True:
        yield from np.array_split(generator.permutation(count), parts)


def _write_logs(history: list[dict[str, float]], folder: str) -> None:
    """Writes the history for TensorBoard, as Keras does: `epoch_loss` and so on in folders `train` and `validation`."""
    for split, prefix in (("train", ""), ("validation", "val_")):
        with tf.summary.create_file_writer(f"{folder}/{split}").as_default():
            for epoch, figures in enumerate(history):
                for name in FIGURES:
                    tf.summary.scalar(f"epoch_{name}", figures[prefix + name], step=epoch)
