"""The parts of a page. A chart always comes with its table.

The name of a part identifies it within the page, whatever its text says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from markupsafe import Markup

from pages.charts import Chart
from pages.forms import Form


@dataclass(frozen=True)
class Link:
    """A text that leads to another address."""

    text: str
    address: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Tile:
    """A figure, its meaning, and a figure to compare it with; the name identifies it within the page."""

    name: str
    figure: str
    what: str
    comparison: str


@dataclass(frozen=True)
class Paragraph:
    """A paragraph of text."""

    name: str
    text: str


@dataclass(frozen=True)
class Status:
    """A sentence that sums the page up; where a script of the page changes it, a screen reader says it."""

    name: str
    text: str


@dataclass(frozen=True)
class Table:
    """Rows of texts and links.

    Attributes:
      name: identifies the table.
      caption: stands above it.
      columns: headers.
      rows: the first cell of a row is its header.
      texts: indices of columns with words, which are aligned left; the others hold figures.
      narrow: whether another table fits beside it.
      marked: index of the row to highlight.
      heat: for each row the shade behind each of its cells but the first, from -1, far below the average, to 1, far
        above it, or None; without it the table has no shades.
      sorted: index of the column by which the rows are sorted, and in which direction.
    """

    name: str
    caption: str
    columns: Sequence[str | Link]
    rows: Sequence[Sequence[str | Link]]
    texts: frozenset[int] = frozenset({0})
    narrow: bool = False
    marked: int | None = None
    heat: Sequence[Sequence[float | None]] = ()
    sorted: tuple[int, Literal["ascending", "descending"]] | None = None


@dataclass(frozen=True)
class Figure:
    """A chart, what it says, and its numbers."""

    chart: Chart
    says: str
    table: Table


@dataclass(frozen=True)
class Command:
    """A line to type into a terminal."""

    name: str
    line: str


@dataclass(frozen=True)
class Lines:
    """A list of texts."""

    name: str
    lines: Sequence[str]


@dataclass(frozen=True)
class Fact:
    """A line of a card.

    Attributes:
      what: the fact is about.
      value: the fact.
      comparison: what to compare the value with.
      picture: of the value, for the eye only.
    """

    what: str
    value: str
    comparison: str = ""
    picture: Markup | None = None


@dataclass(frozen=True)
class Facts:
    """A part of a card with a heading; the name says which part it is."""

    name: str
    title: str
    facts: Sequence[Fact]
    note: str = ""


@dataclass(frozen=True)
class Card:
    """One of several things of a kind, with its facts.

    Attributes:
      name: identifies the card, and is its place in links.
      badge: its number and colour, for the eye only.
      title: its heading.
      figure: the most important figure.
      what: the figure means.
      says: short sentences below it.
      parts: facts by subject.
    """

    name: str
    badge: Markup
    title: str
    figure: str
    what: str
    says: Sequence[str]
    parts: Sequence[Facts]


@dataclass(frozen=True)
class Notice:
    """What a person has to know about the page; `good` and `bad` say how it is meant.

    Attributes:
      name: identifies the notice.
      title: says it in one sentence.
      lines: say more.
      tone: how it is meant.
      diagnosis: lines above the others that are English on every page, such as what a reader says of a file.
    """

    name: str
    title: str
    lines: Sequence[str] = ()
    tone: Literal["good", "bad", "plain"] = "plain"
    diagnosis: Sequence[str] = ()


@dataclass(frozen=True)
class Progress:
    """How far something is: `done` of `total`, where the total is known; `events` tell a script how it goes on."""

    name: str
    label: str
    done: float
    total: float | None
    events: str = ""


@dataclass(frozen=True)
class Links:
    """Where a person can go from here."""

    name: str
    links: Sequence[Link]


Block = Paragraph | Status | Table | Figure | Command | Lines | Card | Notice | Progress | Links | Form


@dataclass(frozen=True)
class Section:
    """A part of the page with a heading; its name is its `id` and its place in links.

    Attributes:
      live: whether a script of the page may replace it by a newer one.
    """

    name: str
    title: str
    blocks: Sequence[Block]
    live: bool = False
