"""Trains the ensemble, with early stopping on the eval split, and calibrates it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from modules.purchase import calibration as calibrations
from modules.purchase import network
from modules.purchase.calibration import Calibration
from modules.purchase.hyperparameters import Hyperparameters
from modules.purchase.rows import Rows

PATIENCE = 6
"""Training stops after this many epochs without a better eval log loss."""
WARM_UP = 0.03
"""Share of all steps over which the learning rate rises."""
_SCORING_BATCH = 4096
"""Rows scored at once, so that the memory for activations does not grow with the data."""


@dataclasses.dataclass(frozen=True)
class TrainedNetwork:
    """A network before calibration."""

    network: keras.Model
    """From features float32 [batch, D] to one logit [batch, 1], the mean over the ensemble."""
    history: dict[str, list[float]]
    """By epoch: loss and accuracy of train, val_loss and val_accuracy of eval. The loss is the mean log loss."""
    best_epoch: int
    """The epoch, from 0, whose weights were kept."""


@dataclasses.dataclass(frozen=True)
class FittedModel(TrainedNetwork):
    """A network with its calibration and its threshold."""

    calibration: Calibration
    threshold: float
    """The probability above which a row counts as positive: best F1 on the evaluation rows."""

    def score(self, features: np.ndarray) -> np.ndarray:
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
    train: Rows, evaluation: Rows, hyperparameters: Hyperparameters, seed: int, log_dir: str | Path | None = None
) -> TrainedNetwork:
    """Trains a network and keeps the weights of its best epoch.

    The same arguments give the same weights on the same machine.

    Args:
      train: the rows to learn from.
      evaluation: the rows for early stopping.
      hyperparameters: of the network and of its training.
      seed: of the weights, the order of rows and the dropout.
      log_dir: folder for TensorBoard's logs of loss and accuracy; None writes none.
    """
    keras.utils.set_random_seed(seed)
    rate = np.clip(np.average(train.label, weights=train.weight), 1e-3, 1.0 - 1e-3)
    model = network.build(train.features.shape[1], hyperparameters, initial_logit=float(np.log(rate / (1.0 - rate))))
    batch_size = min(hyperparameters.batch_size, len(train.label))
    steps = hyperparameters.epochs * (len(train.label) // batch_size)
    model.compile(
        optimizer=optimizer(hyperparameters, steps),
        loss=log_loss,
        weighted_metrics=[accuracy, average_log_loss],
        jit_compile=False,  # XLA costs seconds to compile for each fit and then steps no faster on CPUs.
    )
    best = keras.callbacks.EarlyStopping(
        "val_average_log_loss", mode="min", patience=PATIENCE, restore_best_weights=True
    )
    callbacks: list[keras.callbacks.Callback] = [best]
    if log_dir is not None:
        callbacks.append(keras.callbacks.TensorBoard(str(log_dir), write_graph=False))
    with _batches(train, batch_size, seed) as batches, _batches(evaluation, _SCORING_BATCH) as held_out:
        history = model.fit(
            batches, epochs=hyperparameters.epochs, validation_data=held_out, callbacks=callbacks, verbose=0
        )
    return TrainedNetwork(network.average(model), history.history, best.best_epoch)


def logits(model: keras.Model, features: np.ndarray) -> np.ndarray:
    """The network's logits, float32 [rows], of features float32 [rows, D]."""
    batches = (features[i : i + _SCORING_BATCH] for i in range(0, len(features), _SCORING_BATCH))
    return np.concatenate([model.predict_on_batch(batch)[:, 0] for batch in batches])


def log_loss(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Mean log loss over the ensemble: labels [batch, 1] and logits [batch, members] give [batch]."""
    losses = tf.nn.sigmoid_cross_entropy_with_logits(tf.broadcast_to(labels, tf.shape(logits)), logits)
    return tf.reduce_mean(losses, axis=1)


def average_log_loss(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Log loss of the ensemble's mean logit: labels [batch, 1] and logits [batch, members] give [batch]."""
    return log_loss(labels, tf.reduce_mean(logits, axis=1, keepdims=True))


def accuracy(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """1 where the ensemble's mean logit is on the label's side of 0, else 0: float32 [batch]."""
    return tf.cast((tf.reduce_mean(logits, axis=1) > 0.0) == (labels[:, 0] > 0.5), tf.float32)


def optimizer(hyperparameters: Hyperparameters, steps: int) -> keras.optimizers.Optimizer:
    """AdamW with a linear warm-up and a cosine decay over this many steps."""
    warm_up = max(1, round(WARM_UP * steps))
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0,
        decay_steps=max(1, steps - warm_up),
        alpha=0.02,
        warmup_target=hyperparameters.learning_rate,
        warmup_steps=warm_up,
    )
    adamw = keras.optimizers.AdamW(schedule, weight_decay=hyperparameters.weight_decay, global_clipnorm=1.0)
    adamw.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return adamw


@contextmanager
def _batches(rows: Rows, batch_size: int, shuffle_seed: int | None = None) -> Iterator[tf.data.Dataset]:
    """The batches of one pass, shuffled where there is a seed.

    Each batch is gathered from the arrays in one step: row by row would cost more than training. The arrays stay as
    they are, since a tensor of them would be a second copy. A shuffled pass leaves out the last, smaller batch.
    """
    indices = tf.data.Dataset.range(len(rows.label))
    if shuffle_seed is not None:
        indices = indices.shuffle(len(rows.label), seed=shuffle_seed)
    shape = [None, rows.features.shape[1]]
    columns = [*rows]

    def take(i: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        features, label, weight = tf.numpy_function(
            lambda i: (columns[0][i], columns[1][i, np.newaxis], columns[2][i]), [i], (tf.float32,) * 3, stateful=False
        )
        return tf.ensure_shape(features, shape), tf.ensure_shape(label, [None, 1]), tf.ensure_shape(weight, [None])

    try:
        yield indices.batch(batch_size, drop_remainder=shuffle_seed is not None).map(take).prefetch(2)
    finally:
        columns.clear()  # TensorFlow keeps every function given to numpy_function, and with it the arrays.
