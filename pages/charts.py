"""Charts as inline SVG, coloured by the page's style sheet and described for screen readers.

There are four kinds: curves over two axes, points of several groups over two axes, one value for each named row, and
many values for each named row. Texts are escaped here, because templates insert the SVG without escaping it.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from itertools import accumulate
from unicodedata import east_asian_width

from markupsafe import Markup, escape

from pages.marks import Key, chip, glyphs, group_style

WIDTH = 400
_HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 300, 68, 24, 14, 50
_ROW, _NAME_WIDTH, _LONGEST_NAME = 25, 152, 21
_TINY = 1e-300
"""What is below is zero for an axis, since its tenth may not be a number any more."""
_LETTER = 7
"""About the width of a letter of a tick."""
_BANDS, _SPACE = 240, 7
"""Height of all bands of a chart together, and between two of them."""


@dataclass(frozen=True)
class Axis:
    """The label and the range of an axis, and how its ticks are written."""

    label: str
    low: float
    high: float
    text: Callable[[float], str]

    def ticks(self) -> list[float]:
        """About five round numbers from `low` to `high`."""
        step = _round_step((self.high - self.low) / 5)
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [i * step for i in range(first, last + 1)]

    def place(self, value: float, start: float, end: float) -> float:
        """The place of a value between two coordinates; a value off the axis is put on its end."""
        share = (value - self.low) / (self.high - self.low)
        return start + min(max(share, 0.0), 1.0) * (end - start)


@dataclass(frozen=True)
class Series:
    """A curve, or points.

    Attributes:
      name: in the legend.
      xs: horizontal values.
      ys: vertical values; None or NaN leaves a gap.
      style: one of the style sheet's colours s0 to s3; s0 is the model, s3 what it is compared with.
      points: draws points instead of a curve.
      dashed: draws the curve dashed.
      bars: low and high end of an interval for each point.
    """

    name: str
    xs: Collection[float]
    ys: Collection[float | None]
    style: int = 0
    points: bool = False
    dashed: bool = False
    bars: Collection[tuple[float, float]] = ()


@dataclass(frozen=True)
class Row:
    """A named value, with an interval around it."""

    name: str
    value: float | None
    bar: tuple[float, float] | None = None
    style: int = 0


@dataclass(frozen=True)
class Group:
    """Points that belong together.

    Attributes:
      name: as in the legend.
      number: from 0; gives the colour and the mark, and stands at the mean of the points.
      xs, ys: coordinates of points.
    """

    name: str
    number: int
    xs: Sequence[float]
    ys: Sequence[float]


@dataclass(frozen=True)
class Band:
    """The values of many rows of a group, as quantiles.

    Attributes:
      name: of the group.
      number: from 0; gives the colour, and stands beside the band.
      quantiles: evenly spaced, rising.
      share: of all rows, which gives the height.
    """

    name: str
    number: int
    quantiles: Sequence[float]
    share: float


@dataclass(frozen=True)
class Chart:
    """An SVG and its legend; the name identifies it within the page."""

    name: str
    title: str
    svg: Markup
    legend: Sequence[Key] = ()


def around(label: str, values: Sequence[float | None], text: Callable[[float], str], zero: bool = False) -> Axis:
    """An axis with round ends that holds all known values; from 0 to 1 where none is known."""
    known = [value for value in values if value is not None and math.isfinite(value)] + [0.0] * zero
    known = [0.0 if abs(value) < _TINY else value for value in known]
    low, high = (min(known), max(known)) if known else (0.0, 1.0)
    if low == high:
        low, high = low - (abs(low) or 1.0) * (not zero or low < 0) / 2, high + (abs(high) or 1.0) / 2
    step = _round_step((high - low) / 5)
    return Axis(label, math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step, text)


def curves(name: str, title: str, description: str, x: Axis, y: Axis, series: Sequence[Series]) -> Chart:
    """Curves and points over two axes.

    Args:
      name: identifies the chart within the page; letters, digits and hyphens.
      title: stands above the chart.
      description: what the chart shows, for screen readers.
      x: the horizontal axis.
      y: the vertical axis.
      series: drawn in this order, so the last one is on top.
    """
    parts, across, up = _axes(x, y)
    for line in series:
        parts += _drawn(line, across, up)
    legend = [_key(line) for line in reversed(series)]
    return Chart(name, title, _picture(name, title, description, _HEIGHT, parts), legend)


def scatter(name: str, title: str, description: str, x: Axis, y: Axis, groups: Sequence[Group]) -> Chart:
    """Points of several groups over two axes, each group with a colour, a mark, and its number at its mean.

    Args: as for :func:`curves`.
    """
    parts, across, up = _axes(x, y)
    labels = []
    for group in groups:
        places = [(across(a), up(b)) for a, b in zip(group.xs, group.ys, strict=True)]
        if not places:
            continue
        parts.append(
            Markup('<path class="points {}" d="{}"/>').format(group_style(group.number), glyphs(group.number, places))
        )
        middle = [sum(coordinates) / len(places) for coordinates in zip(*places, strict=True)]
        labels.append(chip(group.number, *middle))
    legend = [Key.mark(group.name, group.number) for group in groups]
    return Chart(name, title, _picture(name, title, description, _HEIGHT, [*parts, *labels]), legend)


def rows(name: str, title: str, description: str, axis: Axis, entries: Sequence[Row], dots: bool = False) -> Chart:
    """One value for each row, as bars from zero, or as dots where zero has no meaning.

    Args: as for :func:`curves`; `axis` is the horizontal one.
    """
    height = _TOP + _ROW * len(entries) + _BOTTOM
    left, right, bottom = _NAME_WIDTH + 8, WIDTH - _RIGHT, height - _BOTTOM

    def across(value: float) -> float:
        return axis.place(value, left, right)

    parts = []
    for value in axis.ticks():
        parts.append(_line("grid", across(value), _TOP, across(value), bottom))
        parts.append(_text(across(value), bottom + 16, axis.text(value), "middle"))
    base = across(min(max(0.0, axis.low), axis.high))
    for number, entry in enumerate(entries):
        middle = _TOP + _ROW * (number + 0.5)
        parts.append(_text(_NAME_WIDTH, middle + 4, _shortened(entry.name), "end"))
        if entry.value is None or not math.isfinite(entry.value):
            parts.append(_text(left + 4, middle + 4, "–", "start"))
            continue
        end = across(entry.value)
        if dots:
            parts.append(
                Markup('<circle class="dot s{}" cx="{:.1f}" cy="{:.1f}" r="4"/>').format(entry.style, end, middle)
            )
        else:
            parts.append(
                Markup('<rect class="bar s{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{}" rx="1.5"/>').format(
                    entry.style, min(base, end), middle - 7, max(abs(end - base), 0.8), 14
                )
            )
        if entry.bar:
            parts.append(_line(f"whisker s{entry.style}", across(entry.bar[0]), middle, across(entry.bar[1]), middle))
    parts.append(_line("axis", base, _TOP, base, bottom))
    parts.append(_text((left + right) / 2, height - 8, axis.label, "middle", "label"))
    return Chart(name, title, _picture(name, title, description, height, parts))


def bands(name: str, title: str, description: str, axis: Axis, groups: Sequence[Band], average: float) -> Chart:
    """The quantiles of each group as lines from zero, one below the other, as in a silhouette plot.

    Args: as for :func:`rows`; the height of a band is its group's share, and a line marks the average of all.
    """
    height = _TOP + _BANDS + _SPACE * len(groups) + _BOTTOM
    left, right, bottom = 34, WIDTH - _RIGHT, height - _BOTTOM

    def across(value: float) -> float:
        return axis.place(value, left, right)

    parts = []
    for value in axis.ticks():
        parts.append(_line("grid", across(value), _TOP, across(value), bottom))
        parts.append(_text(across(value), bottom + 16, axis.text(value), "middle"))
    top, whole = float(_TOP), sum(group.share for group in groups) or 1.0
    for group in groups:
        size = _BANDS * group.share / whole
        thick = size / max(len(group.quantiles), 1)
        for number, value in enumerate(reversed(group.quantiles)):
            start, end = sorted((across(0.0), across(value)))
            parts.append(
                Markup('<rect class="band {}" x="{:.1f}" y="{:.2f}" width="{:.1f}" height="{:.2f}"/>').format(
                    group_style(group.number), start, top + number * thick, max(end - start, 0.5), thick + 0.1
                )
            )
        parts.append(chip(group.number, 18.0, top + size / 2))
        top += size + _SPACE
    parts.append(_line("axis", across(0.0), _TOP, across(0.0), bottom))
    parts.append(_line("average", across(average), _TOP, across(average), bottom))
    parts.append(_text((left + right) / 2, height - 8, axis.label, "middle", "label"))
    legend = [Key.mark(group.name, group.number) for group in groups]
    return Chart(name, title, _picture(name, title, description, height, parts), legend)


def _axes(x: Axis, y: Axis) -> tuple[list[Markup], Callable[[float], float], Callable[[float], float]]:
    """Two axes, and where on them a horizontal and a vertical value is."""
    longest = max((len(y.text(value)) for value in y.ticks()), default=0)
    left, right, top, bottom = max(_LEFT, 24 + _LETTER * longest), WIDTH - _RIGHT, _TOP, _HEIGHT - _BOTTOM

    def across(value: float) -> float:
        return x.place(value, left, right)

    def up(value: float) -> float:
        return y.place(value, bottom, top)

    parts = []
    for value in y.ticks():
        parts.append(_line("grid", left, up(value), right, up(value)))
        parts.append(_text(left - 7, up(value) + 4, y.text(value), "end"))
    for value in x.ticks():
        parts.append(_line("tick", across(value), bottom, across(value), bottom + 4))
        parts.append(_text(across(value), bottom + 18, x.text(value), "middle"))
    parts.append(_line("axis", left, bottom, right, bottom))
    if y.low < 0.0 < y.high:
        parts.append(_line("axis", left, up(0.0), right, up(0.0)))
    parts.append(_text((left + right) / 2, _HEIGHT - 8, x.label, "middle", "label"))
    parts.append(
        Markup(
            '<text transform="translate(12 {:.1f}) rotate(-90)" text-anchor="middle" class="label">{}</text>'
        ).format((top + bottom) / 2, y.label)
    )
    return parts, across, up


def _key(series: Series) -> Key:
    if series.points:
        return Key(series.name, Markup('<circle class="dot s{}" cx="14" cy="5" r="4"/>').format(series.style))
    dash = " dashed" if series.dashed else ""
    return Key(series.name, Markup('<path class="curve s{}{}" d="M1 5H27"/>').format(series.style, dash))


def _drawn(series: Series, across: Callable[[float], float], up: Callable[[float], float]) -> list[Markup]:
    places = [
        None if y is None or not math.isfinite(y) else (across(x), up(y))
        for x, y in zip(series.xs, series.ys, strict=True)
    ]
    parts = []
    for x, (low, high) in zip(series.xs, series.bars, strict=False):
        parts.append(_line(f"whisker s{series.style}", across(x), up(low), across(x), up(high)))
    if series.points:
        dots = Markup('<circle class="dot s{}" cx="{:.1f}" cy="{:.1f}" r="4"/>')
        parts += [dots.format(series.style, *place) for place in places if place]
    else:
        pen, path = "M", []
        for place in places:
            if place:
                path.append(f"{pen}{place[0]:.1f} {place[1]:.1f}")
            pen = "L" if place else "M"
        dash = " dashed" if series.dashed else ""
        parts.append(Markup('<path class="curve s{}{}" d="{}"/>').format(series.style, dash, "".join(path)))
    return parts


def _picture(name: str, title: str, description: str, height: int, parts: Sequence[Markup]) -> Markup:
    return Markup(
        '<svg role="img" aria-labelledby="{name}-t {name}-d" viewBox="0 0 {width} {height}">'
        '<title id="{name}-t">{title}</title><desc id="{name}-d">{description}</desc>{parts}</svg>'
    ).format(name=name, title=title, description=description, width=WIDTH, height=height, parts=Markup("").join(parts))


def _line(kind: str, x1: float, y1: float, x2: float, y2: float) -> Markup:
    return Markup('<line class="{}" x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"/>').format(kind, x1, y1, x2, y2)


def _text(x: float, y: float, text: str, anchor: str, kind: str = "") -> Markup:
    attribute = Markup(' class="{}"').format(kind) if kind else ""
    return Markup('<text x="{:.1f}" y="{:.1f}" text-anchor="{}"{}>{}</text>').format(
        x, y, anchor, attribute, escape(text)
    )


def _shortened(name: str) -> str:
    """The beginning of a name that has no room."""
    ends = list(accumulate(map(_width, name)))
    if not ends or ends[-1] <= _LONGEST_NAME:
        return name
    return name[: bisect.bisect_right(ends, _LONGEST_NAME - 1)] + "…"


def _width(letter: str) -> float:
    """About how wide a letter is, compared with a small Latin one."""
    if east_asian_width(letter) in "WF":
        return 2.0
    return 1.3 if letter.isupper() else 1.0


def _round_step(step: float) -> float:
    """The next of 1, 2 and 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= step * (1 - 1e-9))
