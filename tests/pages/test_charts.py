"""Axes hold what is drawn on them, pictures are drawn where the axes say, and names in them are text."""

import math
import re
import xml.etree.ElementTree as ET

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pages.charts import WIDTH, Axis, Band, Group, Row, Series, around, bands, curves, rows, scatter
from pages.formatting import percent, short_euro

numbers = st.floats(-1e6, 1e6).map(lambda value: round(value, 4))
ATTACK = "<script>alert(1)</script>"


def drawn(*series: Series) -> ET.Element:
    x, y = Axis("x", 0, 1, percent), Axis("y", 0, 10, str)
    return ET.fromstring(curves("name", "A title", "what it says", x, y, series).svg)


def line_of(picture: ET.Element) -> list[tuple[float, float]]:
    (path,) = (element.get("d") for element in picture.iter("path"))
    return [tuple(map(float, point.split())) for point in re.split("[ML]", path)[1:]]


@settings(deadline=None)
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


@settings(deadline=None)
@given(st.lists(numbers, max_size=8))
def test_an_axis_from_zero_has_zero(values):
    axis = around("euros", values, str, zero=True)
    assert axis.low <= 0 <= axis.high
    assert axis.low < axis.high


def test_a_line_goes_from_corner_to_corner():
    (x1, y1), (x2, y2) = line_of(drawn(Series("rising", [0, 1], [0, 10])))
    assert 0 < x1 < x2 < WIDTH
    assert 0 < y2 < y1


def test_what_is_off_the_axis_is_drawn_at_its_end():
    assert line_of(drawn(Series("high", [0, 1], [0, 10]))) == line_of(drawn(Series("higher", [-1, 2], [-5, 99])))


@pytest.mark.parametrize("unknown", [None, math.nan, math.inf])
def test_an_unknown_value_leaves_a_gap(unknown):
    picture = drawn(Series("broken", [0, 0.2, 0.5, 0.7, 1], [1, 2, unknown, 3, 4]))
    (path,) = (element.get("d") for element in picture.iter("path"))
    assert re.sub(r"[-.\d ]+", "", path) == "MLML"


def test_points_have_their_intervals_and_no_line():
    picture = drawn(Series("groups", [0.2, 0.8], [2, 8], points=True, bars=[(1, 3), (7, 9)]))
    assert not list(picture.iter("path"))
    assert len(list(picture.iter("circle"))) == 2
    whiskers = [line for line in picture.iter("line") if "whisker" in line.get("class")]
    assert [float(line.get("y1")) > float(line.get("y2")) for line in whiskers] == [True, True]


def test_bars_are_as_long_as_their_values():
    axis = Axis("share", 0, 1, percent)
    picture = ET.fromstring(
        rows("name", "A title", "says", axis, [Row("half", 0.5), Row("all", 1.0), Row("-", None)]).svg
    )
    half, whole = (float(bar.get("width")) for bar in picture.iter("rect"))
    assert whole == pytest.approx(2 * half, abs=0.2)


@settings(deadline=None)
@given(st.lists(st.tuples(st.text(max_size=30), numbers | st.none()), max_size=6), st.booleans())
def test_any_names_and_values_make_a_well_formed_picture(entries, dots):
    named = [Row(name.encode("utf-8", "ignore").decode(), value) for name, value in entries]
    named = [Row(re.sub(r"[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "", r.name), r.value) for r in named]
    axis = around("value", [row.value for row in named], str, zero=not dots)
    picture = ET.fromstring(rows("name", "A title", "says", axis, named, dots=dots).svg)
    known = [row for row in named if row.value is not None]
    assert len(list(picture.iter("circle" if dots else "rect"))) == len(known)


def test_a_picture_is_named_and_described_and_its_names_are_text():
    picture = drawn(Series(ATTACK, [0, 1], [0, 1]))
    assert picture.get("role") == "img"
    title, description = picture.get("aria-labelledby").split()
    found = {element.get("id"): element.text for element in picture.iter() if element.get("id")}
    assert found == {title: "A title", description: "what it says"}
    axis = Axis(ATTACK, 0, 1, percent)
    chart = rows("name", ATTACK, ATTACK, axis, [Row(ATTACK, 0.5)])
    assert "<script" not in chart.svg
    assert ET.fromstring(chart.svg).find("title").text == ATTACK


def test_a_share_does_not_break_before_its_sign():
    assert percent(0.634) == "63\u00a0%"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "€0"), (0.5, "€0.5"), (2000, "€2k"), (-187_500, "\u2212€188k"), (2_500_000, "€2.5M")],
)
def test_amounts_on_an_axis_are_short(value, text):
    assert short_euro(value) == text


def bars_of(picture: ET.Element, kind: str) -> list[tuple[float, float]]:
    """Widths and heights of the bars of a kind."""
    found = [bar for bar in picture.iter("rect") if kind in bar.get("class", "").split()]
    return [(float(bar.get("width", "")), float(bar.get("height", ""))) for bar in found]


def test_a_scatter_has_every_point_and_marks_each_group_beside_its_colour():
    groups = [Group("young", 0, [0.1, 0.2], [1, 2]), Group("old", 1, [0.8], [9]), Group("nobody", 2, [], [])]
    chart = scatter("name", "A title", "says", Axis("x", 0, 1, percent), Axis("y", 0, 10, str), groups)
    picture = ET.fromstring(chart.svg)
    young, old = (element for element in picture.iter("path") if "points" in element.get("class", ""))
    assert (young.get("d", "").count("M"), old.get("d", "").count("M")) == (2, 1)
    assert young.get("class") != old.get("class")
    mark = re.compile(r"M[-.\d]+ [-.\d]+")
    assert len({mark.sub("", path.get("d", "").partition("z")[0]) for path in (young, old)}) == 2
    assert [text.text for text in picture.iter("text") if text.get("class") == "on-chip"] == ["0", "1"]
    assert [key.name for key in chart.legend] == ["young", "old", "nobody"]


def test_bands_are_as_high_as_their_shares_and_as_long_as_their_quantiles():
    groups = [Band("most", 0, (-0.1, 0.2, 0.4), 0.75), Band("few", 1, (0.1, 0.2, 0.3), 0.25)]
    picture = ET.fromstring(bands("name", "A title", "says", around("silhouette", [-0.1, 0.4], str), groups, 0.2).svg)
    most, few = bars_of(picture, "c0"), bars_of(picture, "c1")
    assert most[0][1] == pytest.approx(3 * few[0][1], rel=0.02)
    assert [width for width, _ in most] == pytest.approx([4 * most[2][0], 2 * most[2][0], most[2][0]], abs=0.3)


@settings(deadline=None)
@example([([5e-324], 1.0)])
@given(st.lists(st.tuples(st.lists(st.floats(-1, 1), max_size=6).map(sorted), st.floats(0, 1)), max_size=11))
def test_any_quantiles_and_shares_make_a_well_formed_picture(groups):
    told = [Band(ATTACK, number, tuple(values), share) for number, (values, share) in enumerate(groups)]
    axis = around("silhouette", [value for band in told for value in band.quantiles], str, zero=True)
    picture = ET.fromstring(bands("name", "A title", "says", axis, told, 0.0).svg)
    assert len(bars_of(picture, "band")) == sum(len(band.quantiles) for band in told)


@pytest.mark.parametrize("name", ["x" * 21, "年" * 10, "CASH_ADVANCE_TRX"])
def test_a_name_that_has_room_is_whole_and_a_longer_one_is_cut(name):
    def drawn_name(text: str) -> str | None:
        svg = rows("name", "A title", "says", Axis("x", 0, 1, percent), [Row(text, 0.5)]).svg
        return next(element.text for element in ET.fromstring(svg).iter("text") if element.get("text-anchor") == "end")

    assert drawn_name(name) == name
    longer = drawn_name(name * 2) or ""
    assert longer.endswith("…")
    assert len(longer) <= len(name) + 1


def test_long_ticks_push_the_axis_to_the_right():
    def left(text):
        y = Axis("profit", 0.0, 1.0, lambda value: text)
        svg = curves("c", "t", "d", Axis("calls", 0.0, 1.0, percent), y, [Series("s", [0.0, 1.0], [0.0, 1.0])]).svg
        return float(re.search(r'class="grid" x1="([\d.]+)"', svg).group(1))

    assert left("€1.25M") == left("€5k") < left("−€12,5 rb")
