"""Which split a row belongs to."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modules.ingest import random_splits, time_bounds


def batch_of(rows):
    numbers, texts, labels = zip(*rows, strict=True)
    return pa.RecordBatch.from_pydict(
        {
            "n": pa.array(np.array(numbers, np.float32)),
            "t": pa.array(texts, pa.string()),
            "y": pa.array(labels, pa.int64()),
        }
    )


ROWS = st.lists(
    st.tuples(
        st.floats(width=32), st.text(st.characters(exclude_categories=["Cs"]), max_size=3), st.sampled_from([0, 1])
    ),
    min_size=1,
    max_size=30,
)


def test_random_splits_are_the_same_on_every_machine():
    rows = [(number, ("rot", "grün", "")[number % 3], number % 2) for number in range(12)]
    assert random_splits(batch_of(rows)).tolist() == [2, 0, 0, 1, 2, 0, 0, 0, 0, 0, 0, 2]


@settings(deadline=None)
@given(rows=ROWS, data=st.data())
def test_random_splits_know_neither_the_rows_beside_nor_the_order_of_columns(rows, data):
    splits = random_splits(batch_of(rows))
    order = data.draw(st.permutations(range(len(rows))))
    moved = batch_of([rows[index] for index in order])
    columns = data.draw(st.permutations(range(moved.num_columns)))
    moved = pa.RecordBatch.from_arrays(
        [moved.column(index) for index in columns], [moved.schema.names[index] for index in columns]
    )
    assert random_splits(moved).tolist() == splits[list(order)].tolist()


def test_missing_numbers_and_both_zeros_are_each_one_number():
    missing = np.array([0x7FC00000, 0x7FC00001, 0xFFC00000], np.uint32).view(np.float32)
    for numbers in (missing, [0.0, -0.0]):
        for label in (0, 1):
            assert len(set(random_splits(batch_of([(number, "", label) for number in numbers])).tolist())) == 1


def test_rows_that_differ_in_one_cell_are_spread_as_rows_that_differ_in_all():
    for rows in (
        [(number, "rot", 0) for number in range(20_000)],
        [(1.0, f"text {number}", 0) for number in range(20_000)],
    ):
        shares = np.bincount(random_splits(batch_of(rows)), minlength=3) / len(rows)
        assert shares == pytest.approx([0.70, 0.15, 0.15], abs=0.012)


@pytest.mark.parametrize("counts", [[100], [70, 15, 15], [1, 98, 1], [90, 10], [10, 0, 90]])
def test_time_bounds_cut_the_files_as_one_sequence(counts):
    splits = [
        np.searchsorted(bounds, np.arange(count), side="right")
        for bounds, count in zip(time_bounds(counts), counts, strict=True)
    ]
    assert np.concatenate(splits).tolist() == [0] * 70 + [1] * 15 + [2] * 15
