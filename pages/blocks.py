"""The parts of a page. A chart always comes with its table.

The name of a part identifies it within the page, whatever its text says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pages.charts import Chart


@dataclass(frozen=True)
class Paragraph:
    """A paragraph of text."""

    name: str
    text: str


@dataclass(frozen=True)
class Table:
    """Rows of texts.

    Attributes:
      name: identifies the table.
      caption: stands above it.
      columns: headers.
      rows: the first cell of a row is its header.
      texts: indices of columns with words, which are aligned left; the others hold figures.
      narrow: whether another table fits beside it.
      marked: index of the row to highlight.
    """

    name: str
    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    texts: frozenset[int] = frozenset({0})
    narrow: bool = False
    marked: int | None = None


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


Block = Paragraph | Table | Figure | Command


@dataclass(frozen=True)
class Section:
    """A part of the page with a heading; its name is its `id` and its place in links."""

    name: str
    title: str
    blocks: Sequence[Block]
