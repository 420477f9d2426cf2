"""Renders templates that extend `base.html.j2` and use the macros of `blocks.html.j2`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from pages import blocks

_HERE = Path(__file__).parent
_TYPES = {
    "paragraph": blocks.Paragraph,
    "table": blocks.Table,
    "figure": blocks.Figure,
    "command": blocks.Command,
}


def render(template: Path, **values: Any) -> str:
    """The HTML of a page.

    Args:
      template: a file that extends `base.html.j2`.
      values: the variables of the template; the base needs `title` and `sections`.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([template.parent, _HERE / "templates"]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["kind"] = _kind
    style = Markup((_HERE / "style.css").read_text(encoding="utf-8"))
    return environment.get_template(template.name).render(style=style, **values)


def _kind(block: blocks.Block) -> str:
    return next(name for name, kind in _TYPES.items() if isinstance(block, kind))
