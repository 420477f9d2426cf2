"""Reads tf.Examples back: as raw columns, and through the Transform graph as what the network sees."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft

from data.contract import MISSING_NUMBER, MISSING_TEXT, Contract
from modules.purchase.transform import FEATURES

SPLITS = ("train", "eval", "test")
"""Into which ingestion divides the rows."""
_BATCH = 8192


class Rows(NamedTuple):
    """Transformed rows in memory."""

    features: np.ndarray
    """float32 [rows, D]"""
    label: np.ndarray
    """float32 [rows], 0 or 1"""


class Loaded(NamedTuple):
    """A split in memory."""

    raw: dict[str, np.ndarray]
    """Raw columns and the label by name, [rows] each: float32, bytes objects, int64."""
    rows: Rows


def parsing_spec(contract: Contract, features: Iterable[str]) -> dict[str, tf.io.FixedLenFeature]:
    """How `tf.io.parse_example` reads raw features; one that is absent reads as missing."""
    return {
        name: tf.io.FixedLenFeature([], tf.float32, MISSING_NUMBER)
        if name in contract.numeric
        else tf.io.FixedLenFeature([], tf.string, MISSING_TEXT)
        for name in features
    }


def serialized(patterns: Iterable[str]) -> tf.data.Dataset:
    """Batches of serialized tf.Examples, string [batch], in file order."""
    files = sorted(file for pattern in patterns for file in tf.io.gfile.glob(pattern))
    compression = "GZIP" if files and files[0].endswith(".gz") else ""
    return tf.data.TFRecordDataset(files, compression_type=compression).batch(_BATCH)


def read_raw(patterns: Iterable[str], contract: Contract, features: Iterable[str]) -> dict[str, np.ndarray]:
    """Raw columns, and the label if the contract has one, each [rows]: float32, bytes objects, int64 for the label."""
    spec = parsing_spec(contract, features)
    if contract.label:
        spec[contract.label.name] = tf.io.FixedLenFeature([], tf.int64)
    parts = [tf.io.parse_example(batch, spec) for batch in serialized(patterns)]
    return {name: np.concatenate([part[name].numpy() for part in parts]) for name in spec}


def load(patterns: Iterable[str], contract: Contract, with_after_call: bool, graph: tft.TFTransformOutput) -> Loaded:
    """Reads a split into memory and applies the Transform graph to it."""
    raw = read_raw(patterns, contract, contract.features(with_after_call))
    label = raw[contract.required_label.name].astype(np.float32)
    encode = tf.function(graph.transform_raw_features, reduce_retracing=True)
    features = np.empty((len(label), graph.transformed_feature_spec()[FEATURES].shape[0]), np.float32)
    for start in range(0, len(label), _BATCH):
        rows = slice(start, start + _BATCH)
        features[rows] = encode({name: tf.constant(column[rows]) for name, column in raw.items()})[FEATURES]
    return Loaded(raw, Rows(features, label))
