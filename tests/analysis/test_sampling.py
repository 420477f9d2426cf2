"""Rows are taken only where there are more than are needed."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from analysis.sampling import drawn, evenly_spaced


def test_only_large_splits_are_sampled():
    generator = np.random.default_rng(0)
    assert drawn(5, 5, generator).tolist() == [0, 1, 2, 3, 4]
    some = drawn(1_000, 100, generator)
    assert len(set(some.tolist())) == 100
    assert (np.diff(some) > 0).all()


@given(count=st.integers(1, 3_000), most=st.integers(2, 3_000))
def test_evenly_spaced_rows_are_different_and_reach_from_the_first_to_the_last(count, most):
    places = evenly_spaced(count, most)
    assert len(places) == min(count, most)
    assert (places[0], places[-1]) == (0, count - 1)
    assert (np.diff(places) > 0).all()
