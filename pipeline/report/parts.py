"""What a page is put together from, and how its figures read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.report.charts import Chart


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str
    kind: str = "text"


@dataclass(frozen=True)
class Table:
    """Rows of texts; the first cell of each names it."""

    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    words: bool = False
    """Whether cells are words, not figures."""
    kind: str = "table"


@dataclass(frozen=True)
class Section:
    """A heading and what stands under it."""

    id: str
    title: str
    parts: Sequence[Text | Table | Chart]


def share(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}".replace("%", "\u00a0%")


def number(value: float | bool | None, digits: int = 4) -> str:
    if value is None:
        return "-"
    return ("no", "yes")[value] if isinstance(value, bool) else f"{value:.{digits}f}"


def times(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f} ×"


def plain(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "-", False: "no", True: "yes"}[value]
    return f"{value:,.6g}" if isinstance(value, (int, float)) else str(value)
