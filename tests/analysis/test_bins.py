"""Bins: where values fall, and that each value has one bin."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from analysis.bins import CategoryBins, NumberBins


def test_deciles_of_an_untied_number_hold_a_tenth_each():
    values = np.arange(1000, dtype=np.float32)
    bins = NumberBins.fit(np.append(values, np.float32("nan")))
    counts = np.bincount(bins.index(values), minlength=bins.size)
    assert counts.tolist() == [0, *[100] * 10, 0, 0]


def test_values_outside_the_training_range_and_missing_ones_have_bins_of_their_own():
    bins = NumberBins.fit(np.array([5, 10, 20, -1], np.float32), missing=-1)
    last = len(bins.edges)
    assert bins.index(np.array([4, 21, -1, np.nan], np.float32)).tolist() == [0, last, last + 1, last + 1]
    assert 0 < bins.index(np.array([5], np.float32))[0] < last
    assert 0 < bins.index(np.array([20], np.float32))[0] < last
    counts = np.bincount(bins.index(np.array([4, 5, 6, 21, 22, -1, np.nan, 20], np.float32)), minlength=bins.size)
    assert bins.shares(counts) == {"missing": 0.25, "out_of_range": 0.375}
    assert bins.comparable(counts).sum() == 8


def test_column_without_a_value_can_be_profiled():
    bins = NumberBins.fit(np.full(3, np.nan, np.float32))
    counts = np.bincount(bins.index(np.array([np.nan, 1.0], np.float32)), minlength=bins.size)
    assert bins.shares(counts) == {"missing": 0.5, "out_of_range": 0.5}


def test_text_is_counted_as_str_and_as_bytes():
    bins = CategoryBins(("no", "yes"))
    texts = np.array(["yes", "no", "perhaps", ""], object)
    assert bins.index(texts).tolist() == [1, 0, 2, 3]
    assert bins.index(np.array([text.encode() for text in texts], object)).tolist() == [1, 0, 2, 3]
    assert bins.shares(np.array([1, 1, 1, 1])) == {"missing": 0.25, "unseen": 0.25}


@given(
    arrays.arrays(np.float32, st.integers(1, 60), elements=st.floats(width=32, allow_infinity=False)),
    arrays.arrays(np.float32, st.integers(1, 20), elements=st.floats(width=32)),
    st.none() | st.integers(-2, 2).map(float),
)
def test_every_number_has_one_bin_alone_or_in_a_batch(training, values, missing):
    bins = NumberBins.fit(training, missing)
    index = bins.index(values)
    assert index.tolist() == [bins.place(value) for value in values.tolist()]
    assert ((index >= 0) & (index < bins.size)).all()
    assert bins.shares(np.bincount(bins.index(training), minlength=bins.size))["out_of_range"] == 0


@given(st.lists(st.text(max_size=3)), st.lists(st.text(max_size=3)))
def test_every_text_has_one_bin_alone_or_in_a_batch(training, texts):
    bins = CategoryBins.fit(np.array(training, object))
    index = bins.index(np.array(texts, object))
    assert index.tolist() == [bins.place(text) for text in texts] == [bins.place(text.encode()) for text in texts]
    counts = np.bincount(bins.index(np.array(training, object)), minlength=bins.size)
    assert bins.shares(counts)["unseen"] == 0
    assert counts.sum() == len(training)
    assert counts[:-2].all()


@given(
    arrays.arrays(np.float32, st.integers(1, 60), elements=st.floats(width=32, allow_infinity=False)),
    arrays.arrays(np.float32, st.integers(0, 20), elements=st.floats(width=32)),
    st.none() | st.integers(-2, 2).map(float),
)
def test_clipped_numbers_keep_their_rows_and_are_in_range(training, values, missing):
    bins = NumberBins.fit(training, missing)
    counts = np.bincount(bins.index(values), minlength=bins.size)
    clipped = bins.clipped(counts)
    assert clipped.sum() == len(values)
    assert bins.shares(clipped) == {"missing": counts[-1] / max(len(values), 1), "out_of_range": 0}


@given(
    arrays.arrays(np.float32, st.integers(1, 60), elements=st.floats(width=32, allow_infinity=False)),
    st.none() | st.integers(-2, 2).map(float),
)
def test_drawn_numbers_fall_into_bins_that_have_rows(training, missing):
    bins = NumberBins.fit(training, missing)
    counts = np.bincount(bins.index(training), minlength=bins.size)
    drawn = bins.draw(counts, 100, np.random.default_rng(0))
    assert drawn.dtype == np.float32
    assert counts[bins.index(drawn)].all()
