"""Gower's distance."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modules.segments import gower as module
from modules.segments.gower import gower

NAN = float("nan")


def _one(a, b, nominal):
    """The definition, for one pair."""
    parts = [
        float(x != y) if category else abs(x - y)
        for x, y, category in zip(a, b, nominal, strict=True)
        if not (np.isnan(x) or np.isnan(y))
    ]
    return sum(parts) / len(parts) if parts else 1.0


def _rows(generator, count):
    numbers = generator.uniform(size=(count, 2))
    categories = generator.integers(0, 3, (count, 2)).astype(float)
    rows = np.hstack([numbers, categories]).astype(np.float32)
    rows[generator.uniform(size=rows.shape) < 0.3] = NAN
    return rows


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000))
def test_distances_are_those_of_the_definition(seed):
    generator = np.random.default_rng(seed)
    rows, others, nominal = _rows(generator, 6), _rows(generator, 4), np.array([False, False, True, True])
    expected = [[_one(a, b, nominal) for b in others] for a in rows]
    found = gower(rows, others, nominal)
    assert found.dtype == np.float32
    assert found == pytest.approx(np.array(expected), abs=1e-6)


def test_two_customers_without_a_common_column_are_as_different_as_can_be():
    rows = np.array([[0.5, NAN], [NAN, 2.0]], np.float32)
    assert gower(rows, rows, np.array([False, True])).tolist() == [[0, 1], [1, 0]]
    nothing = np.full((1, 2), NAN, np.float32)
    assert gower(nothing, rows, np.array([False, True])).tolist() == [[1, 1]]


def test_blocks_do_not_change_a_bit(monkeypatch):
    rows = _rows(np.random.default_rng(0), 50)
    nominal = np.array([False, False, True, True])
    at_once = gower(rows, rows, nominal)
    monkeypatch.setattr(module, "BLOCK", 120)
    assert (gower(rows, rows, nominal) == at_once).all()
    assert (at_once == at_once.T).all()
