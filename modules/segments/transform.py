"""Preprocessing for TFX Transform: raw customers in, the two encodings of `modules.segments.rows.Rows` out.

The columns are those of a view of the contract. A row becomes

    features   for each number its scaled value, 0 where missing; for each ordered category its position in [-1, 1],
               for each cyclic one sine and cosine; for each other category its one-hot code divided by the square root
               of 2; for each number and ordered category that may be missing, whether it is
    gower      for each raw column one number: the rank of a number from 0 to 1, the position of an ordered category
               from 0 to 1, or the index of another category, -1 where unknown; NaN where missing

Ranks take the place of values in Gower's distance, as Podani (1999, Taxon 48) does for ordered columns: with values,
the range of a column with a long tail would hide all differences between ordinary customers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft

from data.contract import Categorical, Contract, Numeric
from modules.encoding import GRID, clipped, exact_quantiles, fingerprint, positions, quantiles
from modules.segments.config import SegmentConfig
from modules.segments.rows import Rows

FEATURES, GOWER = "features", "gower"
LAMBDAS = np.linspace(-3.0, 3.0, 49, dtype=np.float32)
"""Powers that the Yeo-Johnson transformation chooses from."""


class Moments(NamedTuple):
    """Mean and standard deviation of numbers, float32 [numbers] each."""

    mean: tf.Tensor
    deviation: tf.Tensor


@dataclass(frozen=True)
class Layout:
    """The columns of a view by kind, in the order of the encodings: numbers, ordered, then other categories."""

    numbers: dict[str, Numeric]
    ordered: dict[str, Categorical]
    nominal: dict[str, Categorical]

    @classmethod
    def of(cls, contract: Contract, columns: tuple[str, ...]) -> Layout:
        categories = {name: contract.categorical[name] for name in sorted(columns) if name in contract.categorical}
        return cls(
            {name: contract.numeric[name] for name in sorted(columns) if name in contract.numeric},
            {name: column for name, column in categories.items() if column.ordered},
            {name: column for name, column in categories.items() if not column.ordered},
        )

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the raw columns."""
        return *self.numbers, *self.ordered, *self.nominal

    @property
    def may_be_missing(self) -> list[int]:
        """Indices of the numbers and ordered categories that get an indicator."""
        optional = [column.blank or column.missing is not None for column in self.numbers.values()]
        return [i for i, blank in enumerate([*optional, *(c.blank for c in self.ordered.values())]) if blank]

    @property
    def owners(self) -> np.ndarray:
        """For each feature the index of its raw column, int64 [D]."""
        one_to_one = len(self.numbers) + len(self.ordered)
        widths = [_width(column) for column in self.nominal.values()]
        categories = np.repeat(np.arange(one_to_one, one_to_one + len(widths)), widths)
        return np.concatenate([np.arange(one_to_one), self.may_be_missing, categories]).astype(np.int64)

    @property
    def is_nominal(self) -> np.ndarray:
        """Which raw columns hold indices of categories, bool [C]."""
        return np.arange(len(self.columns)) >= len(self.numbers) + len(self.ordered)


def preprocessing_fn(inputs: Mapping[str, tf.Tensor], custom_config: Mapping[str, Any]) -> dict[str, tf.Tensor]:
    """TFX Transform's entry point.

    Args:
      inputs: raw features by contract name, [batch] each: float32 numbers (NaN is missing) and string categories
        ("" is missing); columns that are not in the view are ignored.
      custom_config: a SegmentConfig.

    Returns:
      `features` float32 [batch, D], always finite, and `gower` float32 [batch, C].
    """
    config = SegmentConfig.from_config(custom_config)
    layout = Layout.of(config.contract, config.view.columns)
    if not layout.numbers:
        return encode(inputs, tf.zeros([0, GRID]), Moments(tf.zeros([0]), tf.zeros([0])), layout, config.view.scaling)
    grid = quantiles(inputs, layout.numbers)
    return encode(inputs, grid, _analyzed_moments(clipped(inputs, layout.numbers)), layout, config.view.scaling)


def encode(
    inputs: Mapping[str, tf.Tensor], grid: tf.Tensor, moments: Moments, layout: Layout, scaling: str
) -> dict[str, tf.Tensor]:
    """Both encodings of raw rows, given the distribution of the numbers in the training rows.

    Args:
      inputs: as for :func:`preprocessing_fn`.
      grid: float32 [numbers, GRID], ascending quantiles of each number without its missing values.
      moments: of each number without its missing values.
      layout: of the columns.
      scaling: see `data.contract_columns.View`.
    """
    features, gower, missing = [], [], []
    if layout.numbers:
        values = clipped(inputs, layout.numbers)
        absent = tf.math.is_nan(values)
        ranks = _ranks(tf.where(absent, 0.0, values), grid)
        features.append(tf.where(absent, 0.0, _scaled(tf.where(absent, 0.0, values), ranks, grid, moments, scaling)))
        gower.append(tf.where(absent, np.nan, ranks))
        missing.append(absent)
    for name, column in layout.ordered.items():
        index = _index(inputs[name], column)
        unknown = (index < 0) | (index >= len(column.values))
        place = tf.gather(positions(column)[:, 0].astype(np.float32), tf.maximum(index, 0))
        features.append(tf.where(unknown, 0.0, place)[:, tf.newaxis])
        gower.append(tf.where(unknown, np.nan, (place + 1.0) / 2.0)[:, tf.newaxis])
        missing.append(unknown[:, tf.newaxis])
    if layout.may_be_missing:
        features.append(tf.cast(tf.gather(tf.concat(missing, axis=1), layout.may_be_missing, axis=1), tf.float32))
    for name, column in layout.nominal.items():
        index = _index(inputs[name], column)
        features.append(_one_hot(index, column))
        gower.append(tf.cast(index, tf.float32)[:, tf.newaxis])
    return {FEATURES: tf.concat(features, axis=1), GOWER: tf.concat(gower, axis=1)}


def exact(columns: Mapping[str, np.ndarray], contract: Contract, names: tuple[str, ...], scaling: str) -> Rows:
    """Encodes columns in memory with their own exact distribution, without TFX Transform.

    Args:
      columns: raw columns [rows] by name.
      contract: what the columns mean.
      names: of the columns to encode.
      scaling: see `data.contract_columns.Published`.
    """
    layout = Layout.of(contract, names)
    inputs = {name: tf.constant(columns[name]) for name in layout.columns}
    moments = Moments(tf.zeros([0]), tf.zeros([0]))
    if layout.numbers:
        moments = _moments(clipped(inputs, layout.numbers), tf.reduce_sum)
    return rows(encode(inputs, exact_quantiles(columns, layout.numbers), moments, layout, scaling), layout)


def rows(encoded: Mapping[str, tf.Tensor], layout: Layout) -> Rows:
    """The result of :func:`encode` as arrays."""
    features, gower = np.asarray(encoded[FEATURES]), np.asarray(encoded[GOWER])
    return Rows(features, layout.owners, gower, layout.is_nominal, layout.columns)


def _analyzed_moments(values: tf.Tensor) -> Moments:
    return _moments(values, lambda tensor, axis: tft.sum(tensor, reduce_instance_dims=False))


def _moments(values: tf.Tensor, total: Any) -> Moments:
    """Mean and standard deviation of the values that are not NaN; 0 and 1 for a number without any."""
    present = tf.cast(~tf.math.is_nan(values), tf.float64)
    doubles = tf.where(tf.math.is_nan(values), tf.zeros_like(present), tf.cast(values, tf.float64))
    count, first, second = total(present, axis=0), total(doubles, axis=0), total(doubles**2, axis=0)
    mean = tf.math.divide_no_nan(first, count)
    deviation = tf.sqrt(tf.maximum(tf.math.divide_no_nan(second, count) - mean**2, 0.0))
    return Moments(tf.cast(mean, tf.float32), tf.cast(tf.where(deviation > 0.0, deviation, 1.0), tf.float32))


def _ranks(values: tf.Tensor, grid: tf.Tensor) -> tf.Tensor:
    """The share of training values below each value, [batch, numbers], strictly between 0 and 1; ties share a rank."""
    across = tf.transpose(values)
    below, upto = (tf.cast(tf.searchsorted(grid, across, side=side), tf.float32) for side in ("left", "right"))
    return tf.transpose((below + upto + 1.0) / (2.0 * (GRID + 1)))


def _scaled(values: tf.Tensor, ranks: tf.Tensor, grid: tf.Tensor, moments: Moments, scaling: str) -> tf.Tensor:
    if scaling == "rank-normal":
        return tf.math.ndtri(ranks)
    if scaling == "none":
        return values - moments.mean
    standard = (values - moments.mean) / moments.deviation
    if scaling == "standard":
        return standard
    # Powers of standardised values stay in the range of float32, whatever the unit.
    reference = (grid - moments.mean[:, tf.newaxis]) / moments.deviation[:, tf.newaxis]
    power = _best_power(reference)
    bent = _yeo_johnson(reference, power[:, tf.newaxis])
    mean, deviation = tf.reduce_mean(bent, axis=1), tf.math.reduce_std(bent, axis=1)
    return tf.math.divide_no_nan(_yeo_johnson(standard, power) - mean, deviation)


def _best_power(grid: tf.Tensor) -> tf.Tensor:
    """The power with the highest likelihood for the quantiles of each number [numbers], Yeo and Johnson (2000).

    Every eighth quantile is used, since the search over all powers runs whenever the graph does.
    """
    thinned = grid[:, ::8]
    bent = _yeo_johnson(thinned[:, tf.newaxis, :], LAMBDAS[:, np.newaxis])
    jacobian = tf.reduce_mean(tf.sign(thinned) * tf.math.log1p(tf.abs(thinned)), axis=1, keepdims=True)
    likelihood = (LAMBDAS - 1.0) * jacobian - 0.5 * tf.math.log(tf.math.reduce_variance(bent, axis=2) + 1e-12)
    return tf.gather(LAMBDAS, tf.argmax(likelihood, axis=1))


def _yeo_johnson(values: tf.Tensor, power: tf.Tensor) -> tf.Tensor:
    positive, negative = tf.math.log1p(tf.maximum(values, 0.0)), tf.math.log1p(tf.maximum(-values, 0.0))
    mirrored = 2.0 - power
    raised = tf.where(power == 0.0, positive, tf.math.divide_no_nan(tf.math.expm1(power * positive), power))
    lowered = tf.where(mirrored == 0.0, negative, tf.math.divide_no_nan(tf.math.expm1(mirrored * negative), mirrored))
    return tf.where(values >= 0.0, raised, -lowered)


def _index(texts: tf.Tensor, column: Categorical) -> tf.Tensor:
    """The place of each text among the column's values, int32 [batch]; -1 where unknown."""
    matches = fingerprint(texts)[:, tf.newaxis] == fingerprint(tf.constant(column.domain))
    known = tf.reduce_any(matches, axis=1)
    return tf.where(known, tf.argmax(matches, axis=1, output_type=tf.int32), -1)


def _width(column: Categorical) -> int:
    return 2 if column.cyclic else len(column.domain)


def _one_hot(index: tf.Tensor, column: Categorical) -> tf.Tensor:
    """The features of a category that is not ordered; all 0 where it is unknown."""
    table = positions(column) if column.cyclic else np.eye(len(column.domain)) / np.sqrt(2.0)
    extended = np.vstack([np.zeros(table.shape[1]), table]).astype(np.float32)
    return tf.gather(extended, index + 1)
