"""The autoencoder: dense layers that restore the transformed columns from a short code.

features [rows, D] -> Dense(HIDDEN, relu) -> Dense(code) -> Dense(HIDDEN, relu) -> Dense(D)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from modules.segments.representation import Activation, Layer, Representation

HIDDEN = 32
"""Units of the layer before the code, and of the layer after it."""
EPOCHS, BATCH, LEARNING_RATE = 30, 256, 3e-3
HELD_OUT = 0.2
"""Share of the rows that the autoencoder does not learn from."""


@dataclass(frozen=True)
class Autoencoder:
    """A trained autoencoder.

    Attributes:
      representation: its encoder.
      decoder: the layers from the code back to the transformed columns.
      loss, held_out_loss: mean squared error by epoch, on the rows it learned from and on others.
      held_out: the rows it did not learn from, int64.
    """

    representation: Representation
    decoder: tuple[Layer, ...]
    loss: tuple[float, ...]
    held_out_loss: tuple[float, ...]
    held_out: np.ndarray

    @property
    def code(self) -> int:
        """Number of units of the bottleneck."""
        return len(self.representation.layers[-1].bias)

    def errors(self, features: np.ndarray, owners: np.ndarray, columns: Sequence[str]) -> dict[str, float]:
        """For each raw column the share of its variance that is lost; 0 for a constant column.

        Args:
          features: transformed columns of rows that it did not learn from, float32 [rows, D].
          owners: for each of the D features the index of its raw column, int [D].
          columns: names of the raw columns.

        Returns:
          Shares from 0 to 1; more where the mean of the column would be a better guess.
        """
        restored = Representation("autoencoder", self.decoder).encode(self.representation.encode(features))
        lost = ((features - restored) ** 2).mean(axis=0, dtype=np.float64)
        spread = features.var(axis=0, dtype=np.float64)
        return {
            column: float(lost[owners == i].sum() / total) if (total := spread[owners == i].sum()) > 0 else 0.0
            for i, column in enumerate(columns)
        }


def code_size(features: int) -> int:
    """Units of the bottleneck: a quarter of the number of transformed columns, from 2 to 8."""
    return int(np.clip(features // 4, 2, 8))


def autoencoders(fits: Sequence[tuple[np.ndarray, int]]) -> list[Autoencoder]:
    """Trains autoencoders of one shape, one after the other, so that TensorFlow traces the network once.

    Args:
      fits: for each autoencoder the transformed columns, float32 [rows, D], with the same D and at least two rows,
        and the seed of its first weights and of its batches.

    Returns:
      The autoencoders, in the order of `fits`. The same rows and seed give the same weights.
    """
    network = _Network(fits[0][0].shape[1])
    return [network.fit(features, seed) for features, seed in fits]


class _Network:
    """A network with its optimizer, which every fit starts anew."""

    def __init__(self, inputs: int) -> None:
        code = code_size(inputs)
        features = keras.Input((inputs,))
        hidden = keras.layers.Dense(HIDDEN, activation="relu")(features)
        restored = keras.layers.Dense(HIDDEN, activation="relu")(keras.layers.Dense(code)(hidden))
        self._model = keras.Model(features, keras.layers.Dense(inputs)(restored))
        self._optimizer = keras.optimizers.Adam(LEARNING_RATE)
        self._optimizer.build(self._model.trainable_variables)
        self._first_state = [variable.numpy() for variable in self._optimizer.variables]

    def fit(self, features: np.ndarray, seed: int) -> Autoencoder:
        generator = np.random.default_rng(seed)
        self._start(generator)
        order = generator.permutation(len(features))
        held_out = np.sort(order[: max(1, int(HELD_OUT * len(features)))])
        learned = tf.constant(np.delete(features, held_out, axis=0))
        others = tf.constant(features[held_out])
        batch = min(BATCH, len(learned))
        losses, held_out_losses = [], []
        for _ in range(EPOCHS):
            steps = len(learned) // batch
            batches = generator.permutation(len(learned))[: steps * batch].reshape(steps, batch)
            losses.append(float(self._epoch(learned, tf.constant(batches))))
            held_out_losses.append(float(self._loss(others)))
        encoder, decoder = self._layers()
        representation = Representation("autoencoder", encoder)
        return Autoencoder(representation, decoder, tuple(losses), tuple(held_out_losses), held_out)

    def _start(self, generator: np.random.Generator) -> None:
        """First weights by Glorot and Bengio (2010)."""
        for variable in self._model.trainable_variables:
            limit = np.sqrt(6 / sum(variable.shape)) if len(variable.shape) > 1 else 0.0
            variable.assign(generator.uniform(-limit, limit, variable.shape))
        for variable, value in zip(self._optimizer.variables, self._first_state, strict=True):
            variable.assign(value)

    def _loss(self, rows: tf.Tensor) -> tf.Tensor:
        return tf.reduce_mean(tf.square(self._model(rows) - rows))

    @tf.function(reduce_retracing=True)
    def _epoch(self, rows: tf.Tensor, batches: tf.Tensor) -> tf.Tensor:
        """One pass over the rows in the order of `batches` [steps, batch]; the mean loss of its steps."""
        total = 0.0
        for batch in batches:
            with tf.GradientTape() as tape:
                loss = self._loss(tf.gather(rows, batch))
            variables = self._model.trainable_variables
            self._optimizer.apply(tape.gradient(loss, variables), variables)
            total += loss
        return total / tf.cast(tf.shape(batches)[0], tf.float32)

    def _layers(self) -> tuple[tuple[Layer, ...], tuple[Layer, ...]]:
        """The layers of the encoder, and those of the decoder."""
        activations: tuple[Activation, ...] = ("relu", "linear", "relu", "linear")
        weights, biases = (self._model.get_weights()[start::2] for start in (0, 1))
        layers = tuple(map(Layer, weights, biases, activations))
        return layers[:2], layers[2:]
