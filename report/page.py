"""The page as a whole: which sections, in which order, and the HTML of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

import pages
from pages import blocks as parts
from report import campaign, quality, training
from report import provenance as origin
from report.gather import Material
from report.overview import changes, first, rankable

TEMPLATES = Path(__file__).parent / "templates"
STYLE = Path(pages.__file__).parent / "style.css"


def render(material: Material, cost: float, margin: float) -> str:
    """The HTML of a report; cost of a call and margin of a buyer in euros."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.tests |= {
        "figure": lambda block: isinstance(block, parts.Figure),
        "table": lambda block: isinstance(block, parts.Table),
        "command": lambda block: isinstance(block, parts.Command),
    }
    return environment.get_template("report.html.j2").render(
        run=material.summary["run_id"],
        first=first(material, cost, margin),
        sections=list(_sections(material, cost, margin)),
        style=Markup(STYLE.read_text()),
    )


def _sections(material: Material, cost: float, margin: float) -> Iterator[Any]:
    ranked = rankable(material)
    yield changes(material)
    if ranked:
        yield campaign.whom_to_call(material)
        yield campaign.what_it_earns(material, cost, margin)
    yield campaign.which_to_believe(material)
    yield quality.calibration(material)
    if ranked:
        yield quality.ranking(material)
    yield quality.decisions(material)
    yield quality.groups(material)
    yield quality.comparison(material)
    yield training.importance(material)
    yield training.learning(material)
    yield origin.data(material)
    yield origin.gate(material)
    yield origin.timings(material)
    yield origin.lineage(material)
