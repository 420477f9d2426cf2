"""Contributions of the columns to a prediction: the signature `explain`.

The contribution of a column is close to its Shapley value (Lundberg and Lee 2017, arXiv:1705.07874) in the game v(S),
the mean calibrated logit of rows that have the columns S of the customer and the other columns of training rows. The
Shapley value is a mean over all sets S of what the column adds to S. Here it is the mean of the two ends:

    alone_j = v({j}) - v({})       the column is the only one of the customer
    last_j  = v(all) - v(all - j)  the column is the only one of the training rows
    half_j  = (alone_j + last_j) / 2

This is the exact Shapley value where the logit is a sum of functions of one or two columns. The rest, which is what
interactions of three and more columns and the samples below leave over, is shared in proportion to the size of the
contributions, so that contributions and base add up to the logit:

    contribution_j = half_j + (logit - base - sum(half)) * |half_j| / sum(|half|)

`last_j` needs values of the column in training rows, not whole rows: VALUES of them, at even steps of the sorted
column, each distinct value once with its share. All columns but one keep their values, so the first layer of the
network is not computed again: it is linear, and only the part of the column changes. `alone_j` depends on the value of
one column only. It is computed at export against BACKGROUND training rows, and fitted as a linear function of the
column's features: exact for categories, piecewise linear for numbers.

The columns are worked through one after the other, so memory grows with the rows of a request but not with the columns.
The graph has no loops: they would cost the embedded server its short way for plain predictions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from analysis.sampling import evenly_spaced
from data.contract import MISSING_NUMBER, MISSING_TEXT
from modules.purchase.calibration import Calibration
from modules.purchase.transform import Layout

VALUES = 12
"""Training values that replace a column's value."""
BACKGROUND = 256
"""Training rows behind the base and `alone`."""
_FITTED_VALUES = 32
"""Training values of a column between which `alone` is interpolated."""
_SAMPLE = 20_000
"""Training rows, at even steps, that the values are taken from."""
_UNKNOWN = b"\0unknown"
"""A text that no contract has."""

Encode = Callable[[Mapping[str, tf.Tensor]], tf.Tensor]
"""From raw columns [batch] to features float32 [batch, D]."""


@dataclass(frozen=True)
class _Cross:
    """A cross of the replaced column with another one.

    Attributes:
      places: int [categories, other categories], of the cross's features.
      categories: float32 [values, categories], one-hot categories of the training values.
      others: int [other categories], places of the other column's one-hot features.
    """

    places: np.ndarray
    categories: np.ndarray
    others: np.ndarray


@dataclass(frozen=True)
class _Replacement:
    """What is needed to put training values of a column in the place of a customer's value.

    Attributes:
      places: int [features that depend on the column].
      own: int [own], places of the features that depend on no other column.
      values: float32 [values, own], these features of each training value.
      shares: float32 [values], of the training rows; they add up to 1.
      crosses: all that the column is part of.
    """

    places: np.ndarray
    own: np.ndarray
    values: np.ndarray
    shares: np.ndarray
    crosses: tuple[_Cross, ...]


class Explainer:
    """The contributions of each column to the calibrated logit, as operations of a graph.

    Args:
      columns: names of the model's inputs, in the order of the contributions.
      layout: of the features.
      encode: computes the features.
      network: from features to the logit; its first layer is `hidden0`.
      calibration: of the logit.
      train: raw training rows, columns by name.
    """

    def __init__(
        self,
        columns: Sequence[str],
        layout: Layout,
        encode: Encode,
        network: keras.Model,
        calibration: Calibration,
        train: Mapping[str, np.ndarray],
    ):
        first = network.get_layer("hidden0")
        self._kernel, self._bias = first.kernel.value, first.bias.value
        after_first = keras.Model(first.output, network.output)

        def after(before: tf.Tensor) -> tf.Tensor:
            return calibration.calibrated(after_first(first.activation(before), training=False)[:, 0])

        units = tf.TensorSpec([None, self._bias.shape[0]])
        self._after = tf.function(after, input_signature=[units], autograph=False)
        """The calibrated logit [batch] of the first layer before its activation [batch, units]. As one function that is
        called for each column it is in the SavedModel once."""
        self._layout = layout
        self._train = _evenly_spaced(train, columns, _SAMPLE)
        spec = {name: tf.TensorSpec([None], tf.constant(cells[:1]).dtype) for name, cells in self._train.items()}

        def run(rows: Mapping[str, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
            features = encode(rows)
            return features, self._after(self._before(features))

        self._run = tf.function(run, input_signature=[spec], autograph=False)
        self._replacements = [self._replacement(name) for name in columns]
        background = _evenly_spaced(self._train, columns, BACKGROUND)
        self._base = float(np.float32(self._logits(background).mean()))
        alone = [self._alone(name, background) for name in columns]
        self._alone_weights = np.stack([weights for weights, _ in alone], axis=1).astype(np.float32)
        self._alone_bias = np.array([bias for _, bias in alone], np.float32)

    def __call__(self, features: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Contributions float32 [batch, columns], base float32 [batch] and calibrated logit float32 [batch]."""
        first = self._before(features)
        logit = self._after(first)
        without: list[tf.Tensor] = []
        for replacement in self._replacements:
            with tf.control_dependencies(without[-1:]):  # one after the other, so that only one is in memory
                without.append(self._without(tf.identity(features), first, replacement))
        last = logit[:, tf.newaxis] - tf.stack(without, axis=1)
        half = (last + features @ self._alone_weights + self._alone_bias) / 2.0
        size = tf.abs(half) + 1e-9
        rest = logit - self._base - tf.reduce_sum(half, axis=1)
        shares = size / tf.reduce_sum(size, axis=1, keepdims=True)
        return half + rest[:, tf.newaxis] * shares, tf.fill(tf.shape(logit), self._base), logit

    def _before(self, features: tf.Tensor) -> tf.Tensor:
        """The first layer before its activation: [batch, units]."""
        return features @ self._kernel + self._bias

    def _without(self, features: tf.Tensor, first: tf.Tensor, column: _Replacement) -> tf.Tensor:
        """The mean logit with the column's value replaced by training values: [batch]."""
        units = first.shape[1]
        kept = first - tf.gather(features, column.places, axis=1) @ tf.gather(self._kernel, column.places)
        replaced = kept[:, tf.newaxis] + column.values @ tf.gather(self._kernel, column.own)
        for cross in column.crosses:
            kernel = tf.tensordot(cross.categories, tf.gather(self._kernel, cross.places), 1)
            by_other = tf.reshape(tf.transpose(kernel, [1, 0, 2]), [len(cross.others), -1])
            added = tf.gather(features, cross.others, axis=1) @ by_other
            replaced += tf.reshape(added, tf.shape(replaced))
        logits = self._after(tf.reshape(replaced, [-1, units]))
        return tf.linalg.matvec(tf.reshape(logits, [-1, len(column.shares)]), column.shares)

    def _replacement(self, name: str) -> _Replacement:
        layout = self._layout
        values, counts = np.unique(_quantiles(self._train[name], VALUES), return_counts=True)
        features = self._features_of(name, values)
        own = self._own(name)
        crosses = []
        for pair, block in layout.crosses.items():
            if name in pair:
                places = np.reshape(np.array(block, np.int32), [len(layout.categories[column]) for column in pair])
                other = pair[pair[0] == name]
                crosses.append(
                    _Cross(
                        places if pair[0] == name else places.T,
                        features[:, list(layout.categories[name])],
                        np.array(layout.categories[other], np.int32),
                    )
                )
        shares = (counts / counts.sum()).astype(np.float32)
        return _Replacement(np.array(layout.places(name), np.int32), own, features[:, own], shares, tuple(crosses))

    def _alone(self, name: str, background: Mapping[str, np.ndarray]) -> tuple[np.ndarray, float]:
        """`alone` of a column as a linear function of the features: weights [D] and bias."""
        values = np.unique(self._train[name])
        if len(values) > _FITTED_VALUES:
            values = np.concatenate([_quantiles(self._train[name], _FITTED_VALUES), values[[0, -1]]])
        absent = [MISSING_TEXT.encode(), _UNKNOWN] if values.dtype == object else [MISSING_NUMBER]
        values = np.unique(np.concatenate([values, np.array(absent, values.dtype)]))
        count = len(background[name])
        rows = {column: np.tile(cells, len(values)) for column, cells in background.items()}
        logits = self._logits({**rows, name: np.repeat(values, count)}).reshape(len(values), count)
        own = self._own(name)
        known = np.column_stack([self._features_of(name, values)[:, own], np.ones(len(values))])
        solution, *_ = np.linalg.lstsq(known.astype(np.float64), logits.mean(axis=1) - self._base, rcond=1e-6)
        weights = np.zeros(len(self._layout.owners))
        weights[own] = solution[:-1]
        return weights, float(solution[-1])

    def _own(self, name: str) -> np.ndarray:
        """Where the features are that depend on this column alone."""
        return np.array([place for place, owners in enumerate(self._layout.owners) if owners == (name,)], np.int32)

    def _features_of(self, name: str, values: np.ndarray) -> np.ndarray:
        """Features of rows that have these values of a column, and in the other columns those of the first row."""
        rows = {column: np.repeat(cells[:1], len(values)) for column, cells in self._train.items()}
        return self._run(_tensors({**rows, name: values}))[0].numpy()

    def _logits(self, rows: Mapping[str, np.ndarray]) -> np.ndarray:
        return self._run(_tensors(rows))[1].numpy().astype(np.float64)


def _tensors(rows: Mapping[str, np.ndarray]) -> dict[str, tf.Tensor]:
    return {name: tf.constant(cells) for name, cells in rows.items()}


def _evenly_spaced(rows: Mapping[str, np.ndarray], columns: Sequence[str], most: int) -> dict[str, np.ndarray]:
    """Columns of at most this many rows, from the first to the last. Only one whole column is in memory at a time."""
    chosen = evenly_spaced(len(rows[columns[0]]), most)
    return {name: rows[name][chosen] for name in columns}


def _quantiles(column: np.ndarray, count: int) -> np.ndarray:
    """The values in the middle of `count` equal parts of the sorted column; missing numbers are at its end."""
    ordered = np.sort(column)
    return ordered[((np.arange(count) + 0.5) / count * len(ordered)).astype(int)]
