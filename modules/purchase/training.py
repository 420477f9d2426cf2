"""Fitting the network: all members at once, stopped early on the eval split's log loss."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from modules.purchase import network
from modules.purchase.hyperparameters import Hyperparameters

PATIENCE = 6
"""Epochs without a better eval log loss after which training stops."""
WARM_UP = 0.03
"""Share of all steps over which the learning rate rises."""
_SCORING_BATCH = 4096
"""Rows scored at once, so that what the layers put out does not grow with the data."""


@dataclasses.dataclass(frozen=True)
class Fitted:
    """A trained network."""

    model: keras.Model
    """From features float32 [batch, D] to one logit [batch, 1], the mean over members."""
    history: dict[str, list[float]]
    """Per epoch: loss and accuracy of train, val_loss and val_accuracy of eval. The loss is the mean log loss."""
    best_epoch: int
    """The epoch, from 0, whose weights were kept."""


def fit(
    train: tuple[np.ndarray, np.ndarray],
    evaluation: tuple[np.ndarray, np.ndarray],
    hyperparameters: Hyperparameters,
    seed: int,
    log_dir: str | Path | None = None,
) -> Fitted:
    """Trains a network and keeps the weights of its best epoch.

    The same arguments give the same weights on the same machine.

    Args:
      train: features float32 [rows, D] and labels float32 [rows] (0 or 1).
      evaluation: likewise, for early stopping.
      hyperparameters: of the network and of the optimisation.
      seed: of the weights, the order of rows and the dropout.
      log_dir: where TensorBoard logs of loss and accuracy go, in `train` and `validation`.
    """
    keras.utils.set_random_seed(seed)
    features, labels = train
    rate = np.clip(labels.mean(), 1e-3, 1.0 - 1e-3)
    model = network.build(features.shape[1], hyperparameters, initial_logit=float(np.log(rate / (1.0 - rate))))
    batch_size = min(hyperparameters.batch_size, len(labels))
    steps = hyperparameters.epochs * (len(labels) // batch_size)
    model.compile(
        optimizer=_optimizer(hyperparameters, steps),
        loss=log_loss,
        metrics=[accuracy, average_log_loss],
        jit_compile=False,  # XLA costs seconds to compile for each fit and then steps no faster on CPUs.
    )
    best = keras.callbacks.EarlyStopping(
        "val_average_log_loss", mode="min", patience=PATIENCE, restore_best_weights=True
    )
    callbacks: list[keras.callbacks.Callback] = [best]
    if log_dir is not None:
        callbacks.append(keras.callbacks.TensorBoard(str(log_dir), write_graph=False))
    with _batches(features, labels, batch_size, seed) as rows, _batches(*evaluation, _SCORING_BATCH) as held_out:
        history = model.fit(
            rows, epochs=hyperparameters.epochs, validation_data=held_out, callbacks=callbacks, verbose=0
        )
    return Fitted(network.average(model), history.history, best.best_epoch)


def logits(model: keras.Model, features: np.ndarray) -> np.ndarray:
    """The network's logits, float32 [rows], of features float32 [rows, D]."""
    batches = (features[i : i + _SCORING_BATCH] for i in range(0, len(features), _SCORING_BATCH))
    return np.concatenate([model.predict_on_batch(batch)[:, 0] for batch in batches])


def log_loss(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Mean log loss over members: labels [batch, 1] and logits [batch, members] give [batch]."""
    losses = tf.nn.sigmoid_cross_entropy_with_logits(tf.broadcast_to(labels, tf.shape(logits)), logits)
    return tf.reduce_mean(losses, axis=1)


def average_log_loss(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Log loss of the members' mean logit: labels [batch, 1] and logits [batch, members] give [batch]."""
    return log_loss(labels, tf.reduce_mean(logits, axis=1, keepdims=True))


def accuracy(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Whether the members' mean logit falls on the label's side of 0: [batch]."""
    return tf.cast((tf.reduce_mean(logits, axis=1) > 0.0) == (labels[:, 0] > 0.5), tf.float32)


def _optimizer(hyperparameters: Hyperparameters, steps: int) -> keras.optimizers.Optimizer:
    warm_up = max(1, round(WARM_UP * steps))
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0,
        decay_steps=max(1, steps - warm_up),
        alpha=0.02,
        warmup_target=hyperparameters.learning_rate,
        warmup_steps=warm_up,
    )
    optimizer = keras.optimizers.AdamW(schedule, weight_decay=hyperparameters.weight_decay, global_clipnorm=1.0)
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer


@contextmanager
def _batches(
    features: np.ndarray, labels: np.ndarray, batch_size: int, shuffle_seed: int | None = None
) -> Iterator[tf.data.Dataset]:
    """Batches of one pass, each gathered from the arrays in one go: row by row would cost more than training.

    The arrays stay where they are, as a tensor of them would be a second copy. Only a shuffled pass leaves out the
    rows that do not fill a batch.
    """
    rows = tf.data.Dataset.range(len(labels))
    if shuffle_seed is not None:
        rows = rows.shuffle(len(labels), seed=shuffle_seed)
    shape = [None, features.shape[1]]
    columns = [features, labels]

    def take(i: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        batch = tf.numpy_function(
            lambda i: (columns[0][i], columns[1][i, np.newaxis]), [i], (tf.float32, tf.float32), stateful=False
        )
        return tf.ensure_shape(batch[0], shape), tf.ensure_shape(batch[1], [None, 1])

    try:
        yield rows.batch(batch_size, drop_remainder=shuffle_seed is not None).map(take).prefetch(2)
    finally:
        columns.clear()  # TensorFlow never forgets a function that numpy_function was given, nor what that holds.
