"""Renders templates that extend `base.html.j2` and use the macros of `blocks.html.j2`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from pages import blocks
from pages.forms import Form
from pages.language import language, tr

_HERE = Path(__file__).parent
_TYPES = {
    "paragraph": blocks.Paragraph,
    "status": blocks.Status,
    "table": blocks.Table,
    "figure": blocks.Figure,
    "command": blocks.Command,
    "lines": blocks.Lines,
    "card": blocks.Card,
    "notice": blocks.Notice,
    "progress": blocks.Progress,
    "links": blocks.Links,
    "form": Form,
}


def render(template: Path, **values: Any) -> str:
    """The HTML of a page.

    Args:
      template: a file that extends `base.html.j2`.
      values: the variables of the template; the base needs `title` and `sections`.
    """
    return _environment(template.parent).get_template(template.name).render(**values)


@lru_cache
def _environment(folder: Path) -> jinja2.Environment:
    """Finds templates in a folder and among those of this package; compiled templates are kept."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([folder, _HERE / "templates"]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["kind"] = _kind
    environment.filters["shade"] = _shade
    environment.tests["link"] = lambda cell: isinstance(cell, blocks.Link)
    environment.globals.update(tr=tr, language=language.get)
    environment.globals["style"] = Markup((_HERE / "style.css").read_text(encoding="utf-8"))
    return environment


def _kind(block: blocks.Block) -> str:
    return next(name for name, kind in _TYPES.items() if isinstance(block, kind))


def _shade(heat: Sequence[Sequence[float | None]], row: int, column: int) -> str:
    """The class of the shade of a cell: `warm1` to `warm4` above the average, `cold1` to `cold4` below it."""
    value = heat[row][column - 1] if heat else None
    level = 0 if value is None else round(4 * min(max(value, -1.0), 1.0))
    return f"{'warm' if level > 0 else 'cold'}{abs(level)}" if level else ""
