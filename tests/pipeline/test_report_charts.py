"""Axes hold what is drawn on them, and lines are drawn where the axes say."""

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.report.charts import HEIGHT, LEFT, RIGHT, WIDTH, Axis, Chart, Line, around, percent

numbers = st.floats(-1e6, 1e6).map(lambda value: round(value, 4))


def chart(*lines: Line) -> Chart:
    return Chart("A title", "what it says", Axis("x", 0, 1, percent), Axis("y", 0, 10, str), lines)


@given(st.lists(numbers | st.none() | st.just(math.nan), max_size=8))
def test_an_axis_holds_all_values_and_has_a_few_ticks_within_it(values):
    axis = around("euros", values, str)
    known = [value for value in values if value is not None and not math.isnan(value)]
    slack = 1e-9 * max(1, abs(axis.low), abs(axis.high))
    assert axis.low < axis.high
    assert all(axis.low - slack <= value <= axis.high + slack for value in known)
    assert 2 <= len(axis.ticks()) <= 12
    assert all(axis.low - slack <= tick <= axis.high + slack for tick in axis.ticks())


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [(0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]), (0, 8_212, [0, 2000, 4000, 6000, 8000]), (1, 3, [1, 1.5, 2, 2.5, 3])],
)
def test_ticks_are_round_numbers(low, high, ticks):
    assert Axis("", low, high, str).ticks() == pytest.approx(ticks)


def test_a_line_goes_from_corner_to_corner():
    (path,) = [path for _, path in chart(Line("rising", [0, 1], [0, 10])).paths()]
    (x1, y1), (x2, y2) = [tuple(map(float, point.split())) for point in re.split("[ML]", path)[1:]]
    assert (x1, x2) == (LEFT, WIDTH - RIGHT)
    assert y2 < y1 < HEIGHT


@pytest.mark.parametrize("unknown", [None, math.nan])
def test_an_unknown_value_leaves_a_gap(unknown):
    (path,) = [path for _, path in chart(Line("broken", [0, 0.2, 0.5, 0.7, 1], [1, 2, unknown, 3, 4])).paths()]
    assert re.sub(r"[-.\d ]+", "", path) == "MLML"
    assert "nan" not in path


def test_a_single_point_is_a_mark_and_no_line():
    drawn = chart(Line("best", [0.5], [5]))
    assert drawn.paths() == []
    ((name, x, y),) = drawn.marks()
    assert name == "best"
    assert x == pytest.approx((LEFT + WIDTH - RIGHT) / 2)
    assert 0 < y < HEIGHT


def test_a_share_does_not_break_before_its_sign():
    assert percent(0.634) == "63\u00a0%"
