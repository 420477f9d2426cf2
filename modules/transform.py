"""Preprocessing for TFX Transform: raw customers in, one vector of features out.

Everything that knows raw values is here and comes from the contract, so the network needs dense layers only and a
new data set needs no code. A row becomes the concatenation of

    categories   one-hot over the contract's values, an unknown bucket (and blank, where cells may be blank) each
    positions    ordered categories as a number in [-1, 1], cyclic ones as sine and cosine
    days         `one_hot` numbers, one column per whole number
    crosses      one column per pair of values, for the contract's pairs
    scores       each number's quantile as a standard normal score
    codes        each number piecewise linearly over its quantiles (Gorishniy et al. 2022, arXiv:2203.05556)
    missing      one indicator per number that can be missing

The graph uses no lookup tables and no Python state: it runs in TF1 sessions and is as cheap for one row as it can be.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft

from data.contract import MISSING_TEXT, Contract

FEATURES = "features"
LABEL = "label"

BINS = 32
"""Bins of a number's piecewise-linear code."""
GRID = 512
"""Quantiles asked of the data, of which the distinct ones are thinned to bin edges. Far more than bins, so that a value
that most rows share (no previous contact: 0) leaves edges for the others."""

EPSILON = 0.001
"""Rank error allowed to the quantile sketch."""


def preprocessing_fn(inputs: Mapping[str, tf.Tensor], custom_config: Mapping[str, Any]) -> dict[str, tf.Tensor]:
    """TFX Transform's entry point.

    Args:
      inputs: raw features by contract name, [batch] each: float32 numbers (NaN is missing) and string categories
        ("" is missing); the label, int64 [batch], may be absent.
      custom_config: `contract`, the contract as JSON, and `with_after_call`, whether columns known only after the
        call are features.

    Returns:
      `features` float32 [batch, D], always finite, and `label` float32 [batch] where the label was given.
    """
    contract = Contract.model_validate_json(custom_config["contract"])
    with_after_call = custom_config["with_after_call"]
    names = contract.features(with_after_call)
    # The sketch passes over NaN, but fails on a number that is always missing: each batch lends it one value.
    lowest = [[contract.numeric[name].min for name in names if name in contract.numeric]]
    numbers = tf.concat([_numbers(inputs, contract, names), tf.constant(lowest, tf.float32)], axis=0)
    grid = tft.quantiles(numbers, GRID + 1, epsilon=EPSILON, reduce_instance_dims=False)
    outputs = {FEATURES: encode(inputs, grid, contract, with_after_call)}
    if contract.label.name in inputs:
        outputs[LABEL] = tf.cast(inputs[contract.label.name], tf.float32)
    return outputs


def encode(
    inputs: Mapping[str, tf.Tensor], grid: tf.Tensor, contract: Contract, with_after_call: bool = False
) -> tf.Tensor:
    """The features of raw rows, given the quantiles of the training data.

    Args:
      inputs: as for :func:`preprocessing_fn`.
      grid: float32 [numbers, GRID], rising quantiles of each number without its missing values; a row of NaN for a
        number that is always missing.
      contract: what the columns mean.
      with_after_call: whether columns known only after the call are features.

    Returns:
      float32 [batch, D], finite whatever the inputs are.
    """
    names = contract.features(with_after_call)
    numbers = _numbers(inputs, contract, names)
    present = tf.math.is_finite(numbers)
    edges, ranks = _edges(grid)
    low, width = edges[:, :-1], edges[:, 1:] - edges[:, :-1]
    offsets = tf.where(present, numbers, 0.0)[:, :, tf.newaxis] - low
    codes = tf.clip_by_value(tf.math.divide_no_nan(offsets, width), 0.0, 1.0)
    quantiles = ranks[:, 0] + tf.reduce_sum(codes * (ranks[:, 1:] - ranks[:, :-1]), axis=2)
    scores = tf.where(present, tf.math.ndtri(quantiles), 0.0)
    codes = tf.where(present[:, :, tf.newaxis], codes, 0.0)

    numeric = [name for name in names if name in contract.numeric]
    maybe_missing = [
        i
        for i, name in enumerate(numeric)
        if contract.numeric[name].blank or contract.numeric[name].missing is not None
    ]
    one_hots, indices = _categories(inputs, contract, names)
    parts = [one_hots]
    for i, name in enumerate(numeric):
        column = contract.numeric[name]
        if column.one_hot:
            index = tf.where(present[:, i], tf.round(numbers[:, i]) - column.min, -1.0)
            indices[name] = (tf.cast(index, tf.int32), int(column.max - column.min) + 1)
            parts.append(tf.one_hot(*indices[name]))
    for first, second in contract.crosses:
        if first in names and second in names:
            (left, left_size), (right, right_size) = indices[first], indices[second]
            known = (left >= 0) & (right >= 0)
            parts.append(tf.one_hot(tf.where(known, left * right_size + right, -1), left_size * right_size))
    parts.append(scores)
    parts.append(tf.reshape(codes, [-1, len(numeric) * BINS]))
    parts.append(1.0 - tf.gather(tf.cast(present, tf.float32), maybe_missing, axis=1))
    return tf.concat(parts, axis=1)


def _numbers(inputs: Mapping[str, tf.Tensor], contract: Contract, names: tuple[str, ...]) -> tf.Tensor:
    """Numbers clipped to the contract's range, NaN where missing: float32 [batch, numbers]."""
    columns = [contract.numeric[name] for name in names if name in contract.numeric]
    values = tf.stack([inputs[name] for name in names if name in contract.numeric], axis=1)
    # A marker may lie outside the range, so it is recognised before values are clipped. NaN equals nothing.
    markers = np.array([np.nan if column.missing is None else column.missing for column in columns], np.float32)
    lowest = np.array([column.min for column in columns], np.float32)
    highest = np.array([column.max for column in columns], np.float32)
    missing = tf.math.is_nan(values) | (values == markers)
    return tf.where(missing, np.float32(np.nan), tf.clip_by_value(values, lowest, highest))


def _edges(grid: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Bin edges, evenly picked among the distinct quantiles, and the share of values below each.

    Numbers with fewer distinct values than edges repeat some; their bins have no width and their codes stay 0.

    Returns:
      Two float32 tensors [numbers, BINS + 1]; shares are strictly between 0 and 1.
    """
    grid = tf.where(tf.math.is_nan(grid), 0.0, grid)
    is_new = tf.cast(grid[:, 1:] > grid[:, :-1], tf.int32)
    order = tf.pad(tf.cumsum(is_new, axis=1), [[0, 0], [1, 0]])
    spread = np.linspace(0.0, 1.0, BINS + 1, dtype=np.float32)
    wanted = tf.cast(tf.round(tf.cast(order[:, -1:], tf.float32) * spread), tf.int32)
    edges = tf.gather(grid, tf.searchsorted(order, wanted), batch_dims=1)
    below, upto = (tf.cast(tf.searchsorted(grid, edges, side=side), tf.float32) for side in ("left", "right"))
    return edges, (below + upto + 1.0) / (2.0 * (GRID + 1))


def _categories(
    inputs: Mapping[str, tf.Tensor], contract: Contract, names: tuple[str, ...]
) -> tuple[tf.Tensor, dict[str, tuple[tf.Tensor, int]]]:
    """One-hot columns and positions of all categories, by one comparison of strings.

    Returns:
      float32 [batch, columns], and by name the index of each row's value, int32 [batch], -1 where unknown, with the
      number of values.
    """
    columns = {name: contract.categorical[name] for name in names if name in contract.categorical}
    owners, values, positions = [], [], []
    position_names = []
    for owner, (name, column) in enumerate(columns.items()):
        size = len(column.values)
        for index, value in enumerate(column.domain):
            owners.append(owner)
            values.append(value.encode())
            row = {"index": index + 1.0}
            if value != MISSING_TEXT and column.ordered:
                row[name] = 2.0 * index / max(size - 1, 1) - 1.0
            if value != MISSING_TEXT and column.cyclic:
                row[f"{name} sin"] = np.sin(2.0 * np.pi * index / size)
                row[f"{name} cos"] = np.cos(2.0 * np.pi * index / size)
            positions.append(row)
            position_names += [key for key in row if key != "index" and key not in position_names]
    texts = tf.stack([inputs[name] for name in columns], axis=1)
    one_hot = tf.cast(tf.gather(texts, owners, axis=1) == tf.constant(values), tf.float32)
    belongs = np.zeros((len(values), 2 * len(columns) + len(position_names)), np.float32)
    for row, (owner, position) in enumerate(zip(owners, positions, strict=True)):
        belongs[row, owner] = 1.0
        belongs[row, len(columns) + owner] = position["index"]
        for key, value in position.items():
            if key != "index":
                belongs[row, 2 * len(columns) + position_names.index(key)] = value
    known, index, position = tf.split(one_hot @ belongs, [len(columns), len(columns), len(position_names)], axis=1)
    index = tf.cast(tf.round(index), tf.int32) - 1
    return tf.concat([one_hot, 1.0 - known, position], axis=1), {
        name: (index[:, owner], len(columns[name].domain)) for owner, name in enumerate(columns)
    }
