"""Reads a split through the Transform graph: batch by batch, or a random sample of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft

from data.contract import Contract, View
from modules.examples import parsing_spec, serialized
from modules.segments.rows import Rows
from modules.segments.transform import Layout, rows

SAMPLE = 100_000
"""Most customers that are held in memory. A split with more is read batch by batch, and K-Means becomes mini-batch."""


@dataclass(frozen=True)
class Batch:
    """Customers, raw and encoded.

    Attributes:
      raw: columns of the view, columns that describe it and the label if there is one, each [rows]: float32, bytes
        objects, int64 for the label.
      rows: their encodings.
    """

    raw: dict[str, np.ndarray]
    rows: Rows

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, chosen: np.ndarray | slice) -> Batch:
        """Some of the customers."""
        return Batch({name: column[chosen] for name, column in self.raw.items()}, self.rows.take(chosen))


@dataclass(frozen=True)
class Split:
    """The examples of a split, to be read as often as needed.

    Attributes:
      patterns: of its TFRecord files.
      contract: of the rows.
      view: names the columns to read.
      graph: the fitted Transform graph.
    """

    patterns: Sequence[str]
    contract: Contract
    view: View
    graph: tft.TFTransformOutput

    def batches(self) -> Iterator[Batch]:
        """All customers in file order."""
        spec = parsing_spec(self.contract, (*self.view.columns, *self.view.describe))
        if self.contract.label:
            spec[self.contract.label.name] = tf.io.FixedLenFeature([], tf.int64)
        layout = Layout.of(self.contract, self.view.columns)
        transform = tf.function(self.graph.transform_features_layer(), autograph=False)
        for examples in self.examples():
            parsed = tf.io.parse_example(examples, spec)
            encoded = transform({name: parsed[name] for name in self.view.columns})
            yield Batch({name: column.numpy() for name, column in parsed.items()}, rows(encoded, layout))

    def examples(self) -> tf.data.Dataset:
        """Batches of serialized tf.Examples in file order, string [rows]."""
        return serialized(self.patterns)

    def encoded(self) -> Iterator[Rows]:
        """The encodings of all customers in file order."""
        return (batch.rows for batch in self.batches())


@dataclass(frozen=True)
class Sample:
    """A random sample of a split.

    Attributes:
      batch: the customers, in random order, so that the first n of them are a sample too.
      total: customers in the split.
    """

    batch: Batch
    total: int

    @property
    def complete(self) -> bool:
        """Whether the sample holds every customer of the split."""
        return len(self.batch) == self.total


def sample(split: Split, size: int, seed: int) -> Sample:
    """Draws customers in one pass and without replacement: each gets a random key, and the smallest keys stay.

    A smaller sample with the same seed is the beginning of a larger one.

    Args:
      split: at least one customer.
      size: most customers to draw.
      seed: of the keys.
    """
    generator = np.random.default_rng(seed)
    kept: list[Batch] = []
    keys = np.zeros(0)
    total, limit = 0, np.inf
    for batch in split.batches():
        drawn = generator.random(len(batch))
        total += len(batch)
        chosen = drawn < limit
        kept.append(batch.take(chosen))
        keys = np.concatenate([keys, drawn[chosen]])
        if len(keys) > 2 * size:
            kept, keys = _smallest(kept, keys, size)
            limit = keys[-1]
    (batch,), _ = _smallest(kept, keys, size)
    return Sample(batch, total)


def _smallest(kept: Sequence[Batch], keys: np.ndarray, size: int) -> tuple[list[Batch], np.ndarray]:
    order = np.argsort(keys)[:size]
    return [_concatenated(kept).take(order)], keys[order]


def _concatenated(batches: Sequence[Batch]) -> Batch:
    first = batches[0]
    raw = {name: np.concatenate([batch.raw[name] for batch in batches]) for name in first.raw}
    features = np.concatenate([batch.rows.features for batch in batches])
    gower = np.concatenate([batch.rows.gower for batch in batches])
    return Batch(raw, Rows(features, first.rows.owners, gower, first.rows.nominal, first.rows.columns))
