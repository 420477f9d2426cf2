"""Small pictures: the colour, the mark and the number of a group, and bars that stand beside their figures in a text.

They only repeat what the text beside them says, so a screen reader skips them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

COLOURS = 10
"""Of groups, c0 to c9 in the style sheet. With any two of them, people with any usual colour blindness see two."""
_GLYPHS = (
    "m-2 0a2 2 0 1 0 4 0a2 2 0 1 0-4 0",  # a disc
    "m0-2.9l2.5 4.4h-5z",  # a triangle
    "m-1.9-1.9h3.8v3.8h-3.8z",  # a square
    "m0-2.9l2.3 2.9l-2.3 2.9l-2.3-2.9z",  # a diamond
    "m0 2.9l2.5-4.4h-5z",  # a triangle on its point
)
_BAR = 120
"""Width of a small bar."""


@dataclass(frozen=True)
class Key:
    """A name, and a small picture of how it is drawn: SVG in a box of 28 x 10."""

    name: str
    picture: Markup

    @classmethod
    def mark(cls, name: str, number: int) -> Key:
        """The number of a group, and its mark."""
        glyph = Markup('<path class="points {}" transform="translate(5 5) scale(1.8)" d="{}"/>')
        count = Markup('<text class="count" x="13" y="9">{}</text>').format(number)
        return cls(name, glyph.format(group_style(number), glyphs(number, [(0, 0)])) + count)


def group_style(number: int) -> str:
    """The class of a group's colour in the style sheet."""
    return f"c{number % COLOURS}"


def glyphs(number: int, places: Sequence[tuple[float, float]]) -> str:
    """A group's mark at each of some places, as the data of an SVG path."""
    mark = _GLYPHS[number % len(_GLYPHS)]
    return "".join(f"M{x:.1f} {y:.1f}{mark}" for x, y in places)


def chip(number: int, x: float, y: float) -> Markup:
    """A group's number in a ring of its colour, within a larger picture."""
    return Markup(
        '<circle class="chip {}" cx="{:.1f}" cy="{:.1f}" r="9"/>'
        '<text class="on-chip" x="{:.1f}" y="{:.1f}" text-anchor="middle">{}</text>'
    ).format(group_style(number), x, y, x, y + 4.3, number)


def badge(number: int) -> Markup:
    """The same as a picture of its own."""
    return _small(20, 20, chip(number, 10.0, 10.0))


def bar(value: float, style: str, limits: tuple[float, float] | None = None, average: float | None = None) -> Markup:
    """A share as a bar from 0 to 1.

    Args:
      value: of the bar; what is beyond the ends is cut off.
      style: a class of the style sheet.
      limits: both ends of its interval.
      average: marked by a line across.
    """
    parts = [
        Markup('<rect class="track" width="{}" y="4" height="8"/>').format(_BAR),
        Markup('<rect class="bar {}" width="{:.1f}" y="4" height="8"/>').format(style, _place(value)),
    ]
    if limits:
        low, high = map(_place, limits)
        parts.append(Markup('<line class="limits" x1="{:.1f}" x2="{:.1f}" y1="8" y2="8"/>').format(low, high))
    if average is not None:
        parts.append(_average(average))
    return _small(_BAR, 16, Markup("").join(parts))


def position(value: float, style: str) -> Markup:
    """Where a value is between the lowest, 0, and the highest, 1, with the middle marked."""
    track = Markup('<line class="tick" x1="0" x2="{}" y1="8" y2="8"/>').format(_BAR)
    dot = Markup('<circle class="dot {}" cx="{:.1f}" cy="8" r="5"/>').format(
        style, min(max(_place(value), 5.0), _BAR - 5.0)
    )
    return _small(_BAR, 16, track + _average(0.5) + dot)


def _average(value: float) -> Markup:
    return Markup('<line class="average" x1="{0:.1f}" x2="{0:.1f}" y1="0" y2="16"/>').format(_place(value))


def _place(value: float) -> float:
    return min(max(value, 0.0), 1.0) * _BAR


def _small(width: int, height: int, content: Markup) -> Markup:
    return Markup(
        '<svg class="small" aria-hidden="true" viewBox="0 0 {0} {1}" width="{0}" height="{1}">{2}</svg>'
    ).format(width, height, content)
