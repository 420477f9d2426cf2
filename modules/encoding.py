"""What the encodings of all models are made of: categories as numbers that compare fast, and quantiles of numbers."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft

from data.contract import MISSING_NUMBER, Categorical, Numeric

GRID = 512
"""Number of quantiles of each number. There are far more quantiles than a model needs, so that a value that most rows
share (no previous contact: 0) leaves quantiles for the other values."""
EPSILON = 0.001
"""Largest rank error of the quantile sketch."""


def fingerprint(texts: tf.Tensor) -> tf.Tensor:
    """A 63-bit number for each text: comparing numbers takes a third of the time."""
    return tf.strings.to_hash_bucket_fast(texts, 2**63 - 1)


def positions(column: Categorical) -> np.ndarray:
    """The place of each value of a category on a line or a circle, [values, 0 to 2]; a blank is in the middle."""
    turns = np.linspace(0.0, 2.0 * np.pi, len(column.values), endpoint=False)
    line = [np.linspace(-1.0, 1.0, len(column.values))] * column.ordered
    axes = line + [np.sin(turns), np.cos(turns)] * column.cyclic
    table = np.zeros((len(column.domain), len(axes)))
    for i, axis in enumerate(axes):
        table[: len(axis), i] = axis
    return table


def clipped(inputs: Mapping[str, tf.Tensor], columns: Mapping[str, Numeric]) -> tf.Tensor:
    """Numbers clipped to the contract's range, NaN where missing: float32 [batch, numbers]."""
    values = tf.stack([inputs[name] for name in columns], axis=1)
    markers = [MISSING_NUMBER if column.missing is None else column.missing for column in columns.values()]
    lowest, highest = bounds(columns)
    # A marker may lie outside the range, so it is recognised before values are clipped; NaN equals nothing.
    missing = tf.math.is_nan(values) | (values == np.array(markers, np.float32))
    return tf.where(missing, MISSING_NUMBER, tf.clip_by_value(values, lowest, highest))


def bounds(columns: Mapping[str, Numeric]) -> np.ndarray:
    """Lower and upper bounds, float32 [2, numbers]."""
    return np.array(
        [[column.min for column in columns.values()], [column.max for column in columns.values()]], np.float32
    )


def quantiles(inputs: Mapping[str, tf.Tensor], columns: Mapping[str, Numeric]) -> tf.Tensor:
    """The quantiles of all numbers, float32 [numbers, GRID]: Transform's only analysis of the data.

    It is a sketch with a rank error of EPSILON, because a sketch of many rows fits into memory.
    """
    # The sketch ignores NaN and fails on a number that is always missing, so each batch gets a row of almost no weight.
    numbers = clipped(inputs, columns)
    extended = tf.concat([numbers, bounds(columns)[:1]], axis=0)
    weights = tf.concat([tf.ones_like(numbers[:, 0]), [1e-6]], axis=0)
    return tft.quantiles(extended, GRID + 1, EPSILON, weights, reduce_instance_dims=False)


def exact_quantiles(inputs: Mapping[str, np.ndarray], columns: Mapping[str, Numeric]) -> np.ndarray:
    """The quantiles that Transform estimates, computed exactly from columns in memory.

    Args:
      inputs: raw columns [rows] by name.
      columns: the numbers.

    Returns:
      float32 [numbers, GRID]. All quantiles of a number that is always missing are its lower bound.
    """
    if not columns:
        return np.zeros((0, GRID), np.float32)
    levels = np.arange(1, GRID + 1) / (GRID + 1)
    present = (
        numbers[~np.isnan(numbers)] if not np.isnan(numbers).all() else np.array([column.min], np.float32)
        for numbers, column in zip(clipped(inputs, columns).numpy().T, columns.values(), strict=True)
    )
    return np.array([np.quantile(numbers, levels, method="inverted_cdf") for numbers in present], np.float32)
