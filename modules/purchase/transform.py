"""Preprocessing for TFX Transform: raw customers in, one vector of features out.

Everything that depends on raw values is here and comes from the contract. The network therefore needs dense layers
only, and a new data set needs no code. A row becomes the concatenation of

    categories   one-hot over the contract's values (blank is one of them where cells may be blank); an unknown value
                 is all 0, which the dropout of features trains although no training row has such a value
    positions    ordered categories as a number in [-1, 1], cyclic ones as sine and cosine
    one_hot      the contract's `one_hot` numbers, one column per whole number
    bins         the contract's `bins` numbers, one column per quantile bin
    crosses      one column per pair of values, for the contract's pairs
    scores       each number's quantile as a standard normal score, 0 where missing
    codes        each number piecewise linearly over its quantiles (Gorishniy et al. 2022, arXiv:2203.05556)
    missing      for each number that may be missing, whether it is

The graph holds no lookup tables and no Python state, so it runs in TF1 sessions. It has few operations, so a single
row takes little time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg
import tensorflow as tf

from data.contract import Categorical, Contract, Numeric
from modules.encoding import GRID, clipped, fingerprint, positions, quantiles
from modules.purchase.config import TrainingConfig

FEATURES = "features"
LABEL = "label"

BINS = 16
"""Bins of a number's piecewise-linear code."""


@dataclass(frozen=True)
class Layout:
    """Which columns the features are computed from.

    Attributes:
      owners: for each of the D features the columns that it depends on: one, or the two of a cross.
      categories: by column, the places of its one-hot features.
      crosses: by pair of columns, the places of its features; a place for each pair of categories, row by row.
    """

    owners: tuple[tuple[str, ...], ...]
    categories: Mapping[str, range]
    crosses: Mapping[tuple[str, str], range]

    def places(self, column: str) -> list[int]:
        """Where the features are that depend on a column."""
        return [place for place, owners in enumerate(self.owners) if column in owners]


def preprocessing_fn(inputs: Mapping[str, tf.Tensor], custom_config: Mapping[str, Any]) -> dict[str, tf.Tensor]:
    """TFX Transform's entry point.

    Args:
      inputs: raw features by contract name, [batch] each: float32 numbers (NaN is missing) and string categories
        ("" is missing); the label, int64 [batch], may be absent.
      custom_config: a TrainingConfig.

    Returns:
      `features` float32 [batch, D], always finite, and `label` float32 [batch] where the label was given.
    """
    config = TrainingConfig.from_config(custom_config)
    columns = numbers(config.contract, config.with_after_call)
    grid = quantiles(inputs, columns) if columns else tf.zeros([0, GRID])
    outputs = {FEATURES: encode(inputs, grid, config.contract, config.with_after_call)}
    label = config.contract.required_label.name
    if label in inputs:
        outputs[LABEL] = tf.cast(inputs[label], tf.float32)
    return outputs


def numbers(contract: Contract, with_after_call: bool = False) -> dict[str, Numeric]:
    """The number columns among the features."""
    features = contract.features(with_after_call)
    return {name: column for name, column in contract.numeric.items() if name in features}


def encode(
    inputs: Mapping[str, tf.Tensor], grid: tf.Tensor, contract: Contract, with_after_call: bool = False
) -> tf.Tensor:
    """The features of raw rows, given the quantiles of the training rows.

    Args:
      inputs: as for :func:`preprocessing_fn`.
      grid: float32 [numbers, GRID], ascending quantiles of each number without its missing values.
      contract: what the columns mean.
      with_after_call: whether columns known only after the call are features too.

    Returns:
      float32 [batch, D], finite whatever the inputs are.
    """
    names = contract.features(with_after_call)
    categorical = {name: column for name, column in contract.categorical.items() if name in names}
    numeric = numbers(contract, with_after_call)
    parts: list[tf.Tensor] = []
    indices: dict[str, tuple[tf.Tensor, int]] = {}
    if categorical:
        parts += _categories(inputs, categorical, indices)
    if numeric:
        values = clipped(inputs, numeric)
        parts += _number_categories(values, numeric, grid, indices)
    parts += [
        _cross(indices[first], indices[second])
        for first, second in contract.modelling.crosses
        if {first, second} <= {*names}
    ]
    if numeric:
        parts += _number_codes(values, numeric, grid)
    return tf.concat(parts, axis=1)


def layout(contract: Contract, with_after_call: bool = False) -> Layout:
    """Which columns the features of :func:`encode` are computed from."""
    names = contract.features(with_after_call)
    categorical = {name: column for name, column in contract.categorical.items() if name in names}
    numeric = numbers(contract, with_after_call)
    owners: list[tuple[str, ...]] = []

    def add(columns: tuple[str, ...], size: int) -> range:
        owners.extend([columns] * size)
        return range(len(owners) - size, len(owners))

    categories = {name: add((name,), len(column.domain)) for name, column in categorical.items()}
    for name, column in categorical.items():
        add((name,), positions(column).shape[1])
    categories |= {name: add((name,), size) for name, number in numeric.items() if (size := _size(number))}
    crosses = {
        pair: add(pair, len(categories[pair[0]]) * len(categories[pair[1]]))
        for pair in contract.modelling.crosses
        if {*pair} <= {*names}
    }
    for size in (1, BINS):
        for name in numeric:
            add((name,), size)
    for name, number in numeric.items():
        add((name,), int(_may_be_missing(number)))
    return Layout(tuple(owners), categories, crosses)


def _size(column: Numeric) -> int:
    """Categories of a number: 0 without `one_hot` and `bins`."""
    return int(column.max - column.min) + 1 if column.one_hot else column.bins or 0


def _may_be_missing(column: Numeric) -> bool:
    return column.blank or column.missing is not None


def _categories(
    inputs: Mapping[str, tf.Tensor], columns: Mapping[str, Categorical], indices: dict[str, tuple[tf.Tensor, int]]
) -> list[tf.Tensor]:
    """One-hot columns and positions; adds each category's index to `indices`, -1 where unknown.

    All values of all columns are compared at once.
    """
    domains = [column.domain for column in columns.values()]
    owners = np.repeat(np.arange(len(domains)), [len(domain) for domain in domains])
    texts = fingerprint(tf.stack([inputs[name] for name in columns], axis=1))
    values = fingerprint(tf.constant([value for domain in domains for value in domain]))
    one_hot = tf.cast(tf.gather(texts, owners, axis=1) == values, tf.float32)
    owned = (owners[:, np.newaxis] == np.arange(len(domains))).astype(np.float32)
    ranks = np.concatenate([np.arange(1.0, len(domain) + 1.0, dtype=np.float32) for domain in domains])
    index = tf.cast(tf.round(one_hot @ (owned * ranks[:, np.newaxis])), tf.int32) - 1
    indices.update({name: (index[:, i], len(domains[i])) for i, name in enumerate(columns)})
    return [one_hot, one_hot @ scipy.linalg.block_diag(*map(positions, columns.values())).astype(np.float32)]


def _number_categories(
    numbers: tf.Tensor, columns: Mapping[str, Numeric], grid: tf.Tensor, indices: dict[str, tuple[tf.Tensor, int]]
) -> list[tf.Tensor]:
    """One-hot columns of `one_hot` and `bins` numbers; adds each number's index to `indices`, -1 where missing."""
    parts = []
    for i, (name, column) in enumerate(columns.items()):
        if column.one_hot:
            index = tf.round(numbers[:, i] - column.min)
        elif column.bins:
            lows, _ = _edges(grid[i : i + 1], column.bins - 1)
            index = tf.cast(tf.maximum(tf.searchsorted(lows[0], numbers[:, i], side="right") - 1, 0), tf.float32)
        else:
            continue
        indices[name] = tf.cast(tf.where(tf.math.is_nan(numbers[:, i]), -1.0, index), tf.int32), _size(column)
        parts.append(tf.one_hot(*indices[name]))
    return parts


def _cross(first: tuple[tf.Tensor, int], second: tuple[tf.Tensor, int]) -> tf.Tensor:
    """One-hot columns of all pairs of values; all 0 where either is unknown or missing."""
    (left, left_size), (right, right_size) = first, second
    known = (left >= 0) & (right >= 0)
    return tf.one_hot(tf.where(known, left * right_size + right, -1), left_size * right_size)


def _number_codes(numbers: tf.Tensor, columns: Mapping[str, Numeric], grid: tf.Tensor) -> list[tf.Tensor]:
    """Normal scores, piecewise-linear codes and missing indicators."""
    missing = tf.math.is_nan(numbers)
    edges, ranks = _edges(grid, BINS)
    low, width = edges[:, :-1], edges[:, 1:] - edges[:, :-1]
    offsets = tf.where(missing, tf.float32.min, numbers)[:, :, tf.newaxis] - low
    codes = tf.clip_by_value(offsets * tf.math.divide_no_nan(1.0, width), 0.0, 1.0)
    quantiles = ranks[:, 0] + tf.reduce_sum(codes * (ranks[:, 1:] - ranks[:, :-1]), axis=2)
    # The type is named because TensorFlow takes an empty list for float32.
    may_be_missing = np.array([i for i, c in enumerate(columns.values()) if _may_be_missing(c)], np.int32)
    return [
        tf.where(missing, 0.0, tf.math.ndtri(quantiles)),
        tf.reshape(codes, [-1, len(columns) * BINS]),
        tf.cast(tf.gather(missing, may_be_missing, axis=1), tf.float32),
    ]


def _edges(grid: tf.Tensor, bins: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Bin edges, evenly spread over the distinct quantiles, and the share of values below each.

    Where a number has fewer distinct quantiles than edges, some edges repeat; these bins have no width, and their codes
    stay 0.

    Returns:
      Two float32 tensors [numbers, bins + 1]; shares are strictly between 0 and 1.
    """
    rises = tf.cast(grid[:, 1:] > grid[:, :-1], tf.int32)
    order = tf.pad(tf.cumsum(rises, axis=1), [[0, 0], [1, 0]])
    spread = np.linspace(0.0, 1.0, bins + 1, dtype=np.float32)
    wanted = tf.cast(tf.round(tf.cast(order[:, -1:], tf.float32) * spread), tf.int32)
    edges = tf.gather(grid, tf.searchsorted(order, wanted), batch_dims=1)
    below, upto = (tf.cast(tf.searchsorted(grid, edges, side=side), tf.float32) for side in ("left", "right"))
    return edges, (below + upto + 1.0) / (2.0 * (GRID + 1))
