"""Passes over rows: one learns, the other measures.

Keras's `fit` does the same. It traces a step twice, which takes as long as several passes over a bank's rows, and
returns to Python after each batch.
"""

from __future__ import annotations

from collections.abc import Iterator

import keras
import numpy as np
import tensorflow as tf

from modules.purchase.rows import Rows

FIGURES = ("loss", "average_log_loss", "accuracy")
"""What a pass measures. The loss is the mean log loss of the nets; the others are of the ensemble's mean logit."""
_BLOCK = 32_768
"""Rows that are gathered and handed to TensorFlow at once; only so many are in memory twice."""


class Passes:
    """Passes with one network and one optimizer, each compiled once.

    Args:
      model: from features float32 [batch, D] to logits float32 [batch, members].
      optimizer: its learning rate is set at every step.
      batch_size: rows per step.
    """

    def __init__(self, model: keras.Model, optimizer: keras.optimizers.Optimizer, batch_size: int):
        self._model, self._optimizer, self._batch_size = model, optimizer, batch_size
        optimizer.build(model.trainable_variables)
        rows = (tf.TensorSpec([None, model.input_shape[1]]), tf.TensorSpec([None, 1]), tf.TensorSpec([None]))
        self._learn = tf.function(self._steps, input_signature=[*rows, tf.TensorSpec([None])])
        self._measure = tf.function(self._scored, input_signature=rows, autograph=False)

    def train(self, rows: Rows, order: np.ndarray, rates: np.ndarray) -> dict[str, float]:
        """Takes one step for each learning rate.

        Args:
          rows: to learn from.
          order: places of the rows to learn from, int; each step takes the next batch.
          rates: learning rates, float32 [steps].

        Returns:
          FIGURES by name, weighted, of each batch before its step.
        """
        size = self._batch_size
        steps = max(1, _BLOCK // size)
        blocks = (slice(first, first + steps) for first in range(0, len(rates), steps))
        return _means(
            self._learn(*_tensors(rows, order[block.start * size : block.stop * size]), rates[block])
            for block in blocks
        )

    def evaluate(self, rows: Rows, places: np.ndarray) -> dict[str, float]:
        """FIGURES by name, weighted, of rows that are only scored.

        Args:
          rows: to score some of.
          places: which, int [rows to score].
        """
        blocks = (places[first : first + _BLOCK] for first in range(0, len(places), _BLOCK))
        return _means(self._measure(*_tensors(rows, block)) for block in blocks)

    def _steps(self, features: tf.Tensor, labels: tf.Tensor, weights: tf.Tensor, rates: tf.Tensor) -> tf.Tensor:
        totals = tf.zeros([len(FIGURES) + 1])
        for step in tf.range(tf.shape(rates)[0]):
            first, last = step * self._batch_size, (step + 1) * self._batch_size
            totals += self._step(features[first:last], labels[first:last], weights[first:last], rates[step])
        return totals

    @tf.autograph.experimental.do_not_convert
    def _step(self, features: tf.Tensor, labels: tf.Tensor, weights: tf.Tensor, rate: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            logits = self._model(features, training=True)
            loss = tf.reduce_mean(weights * log_loss(labels, logits))
        variables = self._model.trainable_variables
        self._optimizer.learning_rate.assign(rate)
        self._optimizer.apply(tape.gradient(loss, [variable.value for variable in variables]), variables)
        return _totals(labels, logits, weights)

    def _scored(self, features: tf.Tensor, labels: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
        return _totals(labels, self._model(features, training=False), weights)


def log_loss(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Mean log loss over the ensemble: labels [batch, 1] and logits [batch, members] give [batch]."""
    losses = tf.nn.sigmoid_cross_entropy_with_logits(tf.broadcast_to(labels, tf.shape(logits)), logits)
    return tf.reduce_mean(losses, axis=1)


def _totals(labels: tf.Tensor, logits: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """The weighted sums of FIGURES and the sum of the weights, float32 [FIGURES + 1]."""
    average = tf.reduce_mean(logits, axis=1, keepdims=True)
    right = tf.cast((average[:, 0] > 0.0) == (labels[:, 0] > 0.5), tf.float32)
    figures = tf.stack([log_loss(labels, logits), log_loss(labels, average), right, tf.ones_like(right)])
    return tf.linalg.matvec(figures, weights)


def _means(totals: Iterator[tf.Tensor]) -> dict[str, float]:
    *sums, weight = np.sum([total.numpy() for total in totals], axis=0, dtype=np.float64)
    return {name: float(total / weight) for name, total in zip(FIGURES, sums, strict=True)}


def _tensors(rows: Rows, places: np.ndarray) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    features, label, weight = (tf.convert_to_tensor(column[places]) for column in rows)
    return features, label[:, tf.newaxis], weight
