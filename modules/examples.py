"""Reads tf.Examples back as raw columns."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import tensorflow as tf

from data.contract import CALL_DAY, MISSING_NUMBER, MISSING_TEXT, Contract
from modules.raw_columns import RawColumns

SPLITS = ("train", "eval", "test")
"""The splits that ingestion divides the rows into."""
BATCH = 8192
"""Rows that are parsed, encoded or scored at once."""


def parsing_spec(contract: Contract, features: Iterable[str]) -> dict[str, tf.io.FixedLenFeature]:
    """How `tf.io.parse_example` reads raw features. An absent feature reads as missing."""
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
    return tf.data.TFRecordDataset(files, compression_type=compression).batch(BATCH)


def read_raw(patterns: Iterable[str], contract: Contract, features: Iterable[str]) -> RawColumns:
    """Reads features, and the label and the date of the call if the contract has them.

    Args:
      patterns: of TFRecord files.
      contract: gives the type of each column.
      features: names of the columns to read.

    Raises:
      ValueError: a text is none of the values that the contract has for its column.
    """
    spec = parsing_spec(contract, features)
    if contract.label:
        spec[contract.label.name] = tf.io.FixedLenFeature([], tf.int64)
    if contract.call_date:
        spec[CALL_DAY] = tf.io.FixedLenFeature([], tf.int64)
    texts = {
        name: np.array([text.encode() for text in (*contract.categorical[name].values, MISSING_TEXT)], object)
        for name, feature in spec.items()
        if feature.dtype == tf.string
    }
    tables = {name: _Places(name, values) for name, values in texts.items()}
    parts: dict[str, list[np.ndarray]] = {name: [] for name in spec}
    for batch in serialized(patterns):
        for name, column in tf.io.parse_example(batch, spec).items():
            parts[name].append(tables[name](column) if name in tables else _stored(column.numpy()))
    return RawColumns({name: np.concatenate(found) for name, found in parts.items()}, texts)


def _stored(column: np.ndarray) -> np.ndarray:
    """Labels and days need no 64 bits."""
    return column.astype(np.int32) if column.dtype == np.int64 else column


class _Places:
    """From texts to their places among the values of a column."""

    def __init__(self, name: str, values: np.ndarray):
        self._name, self._dtype = name, np.min_scalar_type(len(values))
        initializer = tf.lookup.KeyValueTensorInitializer(tf.constant(values), np.arange(len(values), dtype=np.int64))
        self._table = tf.lookup.StaticHashTable(initializer, default_value=-1)

    def __call__(self, texts: tf.Tensor) -> np.ndarray:
        places = self._table.lookup(texts).numpy()
        if (unknown := places < 0).any():
            text = texts.numpy()[unknown][0].decode()
            raise ValueError(f"column {self._name}: the contract has no value {text!r}")
        return places.astype(self._dtype)
