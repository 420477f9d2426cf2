"""Samples of a split."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from modules.segments import reading
from modules.segments.reading import Batch
from modules.segments.rows import Rows


@dataclass(frozen=True)
class Stream:
    """A split whose customers are numbered from 0."""

    sizes: tuple[int, ...]

    def batches(self) -> Iterator[Batch]:
        start = 0
        for size in self.sizes:
            numbers = np.arange(start, start + size, dtype=np.float32)
            columns = numbers[:, np.newaxis]
            yield Batch({"number": numbers}, Rows(columns, np.zeros(1, int), columns, np.zeros(1, bool), ("number",)))
            start += size


sizes = st.lists(st.integers(1, 40), min_size=1, max_size=12).map(tuple)


@settings(deadline=None)
@given(sizes, st.integers(1, 200), st.integers(0, 9))
def test_a_sample_holds_different_customers_and_knows_how_many_there_are(sizes, size, seed):
    drawn = reading.sample(Stream(sizes), size, seed)
    numbers = drawn.batch.raw["number"]
    assert drawn.total == sum(sizes)
    assert len(drawn.batch) == len(set(numbers)) == min(size, sum(sizes))
    assert drawn.complete == (size >= sum(sizes))
    np.testing.assert_array_equal(drawn.batch.rows.features[:, 0], numbers)


@settings(deadline=None)
@given(sizes, st.integers(1, 60), st.integers(1, 60), st.integers(0, 9))
def test_a_smaller_sample_is_the_beginning_of_a_larger_one(sizes, one, other, seed):
    small, large = sorted([one, other])
    few, many = (reading.sample(Stream(sizes), size, seed).batch.raw["number"] for size in (small, large))
    np.testing.assert_array_equal(few, many[: len(few)])


def test_every_customer_is_drawn_equally_often():
    counts = np.zeros(60)
    for seed in range(600):
        counts[reading.sample(Stream((10, 30, 20)), 12, seed).batch.raw["number"].astype(int)] += 1
    assert abs(counts.reshape(6, 10).sum(axis=1) - 1200).max() < 130
