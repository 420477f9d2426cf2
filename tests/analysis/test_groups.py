"""Groups that are called seldom or often, against counts by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.groups import Shares, shares


def test_shares_are_those_of_the_list_and_of_the_called_customers():
    groups = np.array([0, 0, 1, 2, 1, 1, 1, 0], np.uint16)
    found = shares(groups, 4, np.array([0, 1, 2, 3]))
    assert [(one.listed, one.called) for one in found] == [(3 / 8, 2 / 4), (4 / 8, 1 / 4), (1 / 8, 1 / 4), (0.0, 0.0)]
    assert [one.times for one in found[:3]] == [4 / 3, 0.5, 2.0]


def test_there_are_no_shares_of_no_calls():
    assert shares(np.array([0, 1]), 2, np.array([], np.int64)) == []


@pytest.mark.parametrize(
    ("listed", "called", "apart"),
    [
        (0.4, 0.4, False),
        (0.4, 0.49, False),
        (0.4, 0.5, True),
        (0.4, 0.33, False),
        (0.5, 0.4, True),
        (0.01, 0.5, True),
        (0.009, 0.5, False),
        (0.0, 0.0, False),
    ],
)
def test_the_four_fifths_rule_says_who_is_called_seldom_or_often(listed, called, apart):
    assert Shares(listed, called).apart == apart


@given(st.lists(st.integers(0, 4), min_size=1, max_size=50), st.data())
def test_shares_add_up_and_everybody_called_is_no_difference(groups, data):
    places = data.draw(st.lists(st.integers(0, len(groups) - 1), min_size=1, unique=True))
    found = shares(np.array(groups), 5, np.array(places))
    assert sum(one.listed for one in found) == pytest.approx(1)
    assert sum(one.called for one in found) == pytest.approx(1)
    assert not any(one.apart for one in shares(np.array(groups), 5, np.arange(len(groups))))
