"""Line charts as inline SVG: crisp at any size, coloured by the page's style sheet, readable without seeing them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

WIDTH, HEIGHT = 440, 300
LEFT, RIGHT, TOP, BOTTOM = 66, 24, 12, 52


@dataclass(frozen=True)
class Axis:
    """One axis: what it shows, from where to where, and how its ticks read."""

    label: str
    low: float
    high: float
    text: Callable[[float], str]

    def ticks(self) -> list[float]:
        """About five round numbers from `low` to `high`."""
        step = _round_step((self.high - self.low) / 5)
        first = math.ceil(self.low / step - 1e-9)
        return [i * step for i in range(first, math.floor(self.high / step + 1e-9) + 1)]

    def place(self, value: float, start: float, end: float) -> float:
        """Where a value lies between two coordinates."""
        return start + (value - self.low) / (self.high - self.low) * (end - start)


@dataclass(frozen=True)
class Line:
    """One line or, where it is one point, a mark; points that are None or NaN leave a gap."""

    name: str
    xs: Sequence[float]
    ys: Sequence[float | None]


@dataclass(frozen=True)
class Chart:
    """A figure with its legend."""

    title: str
    description: str
    """What a reader who cannot see the picture needs to know."""
    x: Axis
    y: Axis
    lines: Sequence[Line]
    kind: str = "chart"

    @property
    def size(self) -> tuple[int, int]:
        """Of the view box."""
        return WIDTH, HEIGHT

    @property
    def frame(self) -> dict[str, int]:
        """Edges of the plot within the view box."""
        return {"left": LEFT, "right": WIDTH - RIGHT, "top": TOP, "bottom": HEIGHT - BOTTOM}

    def x_ticks(self) -> list[tuple[float, str]]:
        """Coordinate and text of each tick."""
        return [(self._across(value), self.x.text(value)) for value in self.x.ticks()]

    def y_ticks(self) -> list[tuple[float, str]]:
        """Coordinate and text of each tick."""
        return [(self._up(value), self.y.text(value)) for value in self.y.ticks()]

    def paths(self) -> list[tuple[str, str]]:
        """Name and SVG path of each line of several points."""
        return [(line.name, self._path(line)) for line in self.lines if len(line.xs) > 1]

    def marks(self) -> list[tuple[str, float, float]]:
        """Name and place of each single point."""
        single = (line for line in self.lines if len(line.xs) == 1)
        return [(line.name, self._across(line.xs[0]), self._up(line.ys[0])) for line in single]

    def _path(self, line: Line) -> str:
        parts, pen = [], "M"
        for x, y in zip(line.xs, line.ys, strict=True):
            if y is None or math.isnan(y):
                pen = "M"
                continue
            parts.append(f"{pen}{self._across(x):.1f} {self._up(y):.1f}")
            pen = "L"
        return "".join(parts)

    def _across(self, value: float) -> float:
        return self.x.place(value, LEFT, WIDTH - RIGHT)

    def _up(self, value: float) -> float:
        return self.y.place(value, HEIGHT - BOTTOM, TOP)


def around(
    label: str, values: Sequence[float | None], text: Callable[[float], str], also: Sequence[float] = ()
) -> Axis:
    """An axis that holds all values, those of `also` included, with round ends; of no values from 0 to 1."""
    known = [value for value in (*values, *also) if value is not None and not math.isnan(value)] or [0.0, 1.0]
    low, high = min(known), max(known)
    step = _round_step((high - low) / 5 or abs(high) / 5 or 0.2)
    return Axis(label, float(np.floor(low / step) * step), float((np.ceil(high / step) + (low == high)) * step), text)


def percent(value: float) -> str:
    """`0.25` -> `25 %`, with a space at which no line breaks."""
    return f"{value:.0%}".replace("%", "\u00a0%")


def _round_step(step: float) -> float:
    """The next of 1, 2 and 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= step * (1 - 1e-9))
