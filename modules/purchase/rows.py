"""Reads a split through the Transform graph into memory."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft

from modules.examples import BATCH, read_raw
from modules.purchase.config import TrainingConfig
from modules.purchase.transform import FEATURES


class Rows(NamedTuple):
    """Encoded rows."""

    features: np.ndarray
    """float32 [rows, D]"""
    label: np.ndarray
    """float32 [rows], 0 or 1"""


class Split(NamedTuple):
    """The rows of a split, raw and encoded."""

    raw: dict[str, np.ndarray]
    """Features and label by name, each [rows]: float32, bytes objects, int64 for the label."""
    rows: Rows


def load(patterns: Iterable[str], config: TrainingConfig, graph: tft.TFTransformOutput) -> Split:
    """Reads the tf.Examples of a split and encodes them.

    Args:
      patterns: of TFRecord files.
      config: names the features and the label.
      graph: the fitted Transform graph.
    """
    raw = read_raw(patterns, config.contract, config.features)
    label = raw[config.contract.required_label.name].astype(np.float32)
    encode = tf.function(graph.transform_raw_features, reduce_retracing=True)
    features = np.empty((len(label), graph.transformed_feature_spec()[FEATURES].shape[0]), np.float32)
    for start in range(0, len(label), BATCH):
        rows = slice(start, start + BATCH)
        features[rows] = encode({name: tf.constant(column[rows]) for name, column in raw.items()})[FEATURES]
    return Split(raw, Rows(features, label))
