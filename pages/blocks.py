"""What a page is made of; a picture cannot be had without its numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pages.charts import Chart


@dataclass(frozen=True)
class Table:
    """Rows of texts; the first of each row names it."""

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    texts: frozenset[int] = frozenset({0})
    """Columns that hold words and are set flush left; the others hold figures."""
    narrow: bool = False
    """Whether another table fits beside it."""
    marked: int | None = None
    """The row that the section is about."""


@dataclass(frozen=True)
class Figure:
    """A picture, what it says, and its numbers."""

    chart: Chart
    says: str
    table: Table


@dataclass(frozen=True)
class Command:
    """Something to type into a terminal."""

    line: str


Block = str | Table | Figure | Command
"""A string is a paragraph."""


@dataclass(frozen=True)
class Section:
    """A part of the page under a heading of its own."""

    name: str
    """Its address within the page."""
    title: str
    blocks: Sequence[Block]
