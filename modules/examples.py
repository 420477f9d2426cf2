"""Reads tf.Examples back as raw columns."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import tensorflow as tf

from data.contract import CALL_DAY, MISSING_NUMBER, MISSING_TEXT, Contract

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


def read_raw(patterns: Iterable[str], contract: Contract, features: Iterable[str]) -> dict[str, np.ndarray]:
    """Reads features, and the label and the date of the call if the contract has them.

    Args:
      patterns: of TFRecord files.
      contract: gives the type of each column.
      features: names of the columns to read.

    Returns:
      Columns by name, each [rows]: float32 numbers, texts as bytes objects, the label and `call_day` as int64.
    """
    spec = parsing_spec(contract, features)
    if contract.label:
        spec[contract.label.name] = tf.io.FixedLenFeature([], tf.int64)
    if contract.call_date:
        spec[CALL_DAY] = tf.io.FixedLenFeature([], tf.int64)
    parts = [tf.io.parse_example(batch, spec) for batch in serialized(patterns)]
    return {name: np.concatenate([part[name].numpy() for part in parts]) for name in spec}
