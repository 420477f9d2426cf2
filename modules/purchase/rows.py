"""Reads a split, and encodes its rows by the Transform graph."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft

from analysis.sampling import drawn
from data.assumed_size import TODAY
from data.contract import CALL_DAY, Contract
from modules.examples import BATCH, read_raw
from modules.purchase.config import TrainingConfig
from modules.purchase.transform import FEATURES
from modules.raw_columns import RawColumns

WITHOUT_LIST_SIZE = 0.1
"""Share of the training rows that the model sees without the calls planned for the day, and likewise without the past
volume, so that either may be missing in use. By month from Nov 2008 to Jul 2009 this is level with rows that lack both,
where all is known; without the plan, within-month AUC is 0.02 better on bank-additional and level on bank-full."""
MOST_BYTES = 1 << 29
"""Features that take more are encoded anew whenever they are read. That takes a sixth more time in training, and a
hundredth of the memory."""


class EncodedRows:
    """The features of rows, encoded when they are read.

    Args:
      columns: the raw rows.
      encode: from `RawColumns.cells` of some rows, as tensors, to their features float32 [rows, D].
      width: D.
    """

    def __init__(self, columns: RawColumns, encode: Callable[[Mapping[str, tf.Tensor]], tf.Tensor], width: int):
        self._columns, self._encode = columns, encode
        self.shape = columns.rows, width

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: np.ndarray | slice) -> tf.Tensor:
        return self._encode({name: tf.constant(cells) for name, cells in self._columns.take(rows).cells.items()})

    def in_memory(self) -> np.ndarray:
        """The features of all rows, float32 [rows, D]."""
        features = np.empty(self.shape, np.float32)
        for start in range(0, len(self), BATCH):
            features[start : start + BATCH] = self[start : start + BATCH]
        return features


class Rows(NamedTuple):
    """Encoded rows."""

    features: np.ndarray | EncodedRows
    """float32 [rows, D]"""
    label: np.ndarray
    """float32 [rows], 0 or 1"""
    weight: np.ndarray
    """float32 [rows], with mean 1: how much a row counts."""


class Split(NamedTuple):
    """The rows of a split, raw and encoded."""

    raw: RawColumns
    """Features, label and `call_day`."""
    rows: Rows


def load(
    patterns: Iterable[str],
    config: TrainingConfig,
    graph: tft.TFTransformOutput,
    training: bool = False,
    most_rows: int | None = None,
) -> Split:
    """Reads the tf.Examples of a split, to be encoded by the Transform graph.

    Args:
      patterns: of TFRecord files.
      config: names the features and the label.
      graph: the fitted Transform graph.
      training: whether the model learns from these rows; then some are encoded without list size.
      most_rows: a random sample of this size is taken where there are more; None takes all.
    """
    raw = read_raw(patterns, config.contract, config.features)
    if most_rows is not None and raw.rows > most_rows:
        raw = raw.take(drawn(raw.rows, most_rows, np.random.default_rng(config.seed)))
    changed = without_list_size(raw, config.contract, config.seed) if training else {}
    width = graph.transformed_feature_spec()[FEATURES].shape[0]
    features = EncodedRows(raw.replaced(changed), _encoder(graph, raw.texts, config.features), width)
    small = raw.rows * width * np.float32().nbytes <= MOST_BYTES
    label = raw[config.contract.required_label.name].astype(np.float32)
    return Split(raw, Rows(features.in_memory() if small else features, label, weights(raw, config.contract)))


def _encoder(
    graph: tft.TFTransformOutput, texts: Mapping[str, np.ndarray], names: Iterable[str]
) -> Callable[[Mapping[str, tf.Tensor]], tf.Tensor]:
    """The Transform graph as a function of `RawColumns.cells`."""

    def encode(cells: Mapping[str, tf.Tensor]) -> tf.Tensor:
        raw = {
            name: tf.gather(texts[name], tf.cast(cells[name], tf.int32)) if name in texts else cells[name]
            for name in names
        }
        return graph.transform_raw_features(raw)[FEATURES]

    return tf.function(encode, reduce_retracing=True, autograph=False)


def without_list_size(columns: Mapping[str, np.ndarray], contract: Contract, seed: int) -> dict[str, np.ndarray]:
    """The list-size columns, where a random share of the rows, WITHOUT_LIST_SIZE, lacks the calls planned for the day.

    As many others lack the past volume; some lack both.

    Args:
      columns: raw columns by name.
      contract: without derived columns there is nothing to change.
      seed: of the choice of rows.

    Returns:
      The columns that change, float32 [rows] by name.
    """
    generator = np.random.default_rng(seed)
    changed: dict[str, np.ndarray] = {}
    derived = frozenset(contract.derived_columns)
    for names in (derived & {TODAY}, derived - {TODAY}):
        blank = generator.random(len(columns[contract.required_label.name])) < WITHOUT_LIST_SIZE
        changed |= {name: np.where(blank, np.float32(np.nan), columns[name]) for name in names}
    return changed


def weights(columns: Mapping[str, np.ndarray], contract: Contract) -> np.ndarray:
    """How much each row counts: half as much for each `half_life_days` of age, float32 [rows] with mean 1.

    Args:
      columns: raw columns by name; `call_day` is used where the contract has a half-life.
      contract: without a half-life all rows count alike.
    """
    half_life = contract.modelling.half_life_days
    if half_life is None:
        return np.ones(len(columns[contract.required_label.name]), np.float32)
    days = columns[CALL_DAY]
    found = 0.5 ** ((days.max() - days) / half_life)
    return (found / found.mean()).astype(np.float32)
