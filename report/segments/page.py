"""The page as a whole: which sections it has and in which order."""

from __future__ import annotations

from collections.abc import Iterator

from pages import html
from pages.blocks import Section, Table
from pages.formatting import any_value
from report import provenance
from report.overview import TEMPLATE
from report.segments import belief, choice, words
from report.segments.cards import segments
from report.segments.comparison import changes, side_by_side
from report.segments.gather import SegmentReport
from report.segments.overview import overview
from report.segments.published import published
from report.segments.spaces import spaces

USES = {
    "train": "the choice, the segments, and their shares and values",
    "eval": "nothing but drift",
    "test": "silhouettes, rules, and the agreement with the last blessed model",
}
"""What each split is used for."""

GATE = (
    "The silhouette and the stability are measured on a sample of the training split, the smallest segment on all of "
    "it, and what the model serves on every row."
)
"""Where the gate's checks are measured."""


def render(report: SegmentReport) -> str:
    """The HTML of a report."""
    return html.render(
        TEMPLATE,
        title=f"{report.summary.model_name}: report of run {report.summary.run_id}",
        overview=overview(report),
        figures_of="Figures are for the training customers unless the text says otherwise.",
        sections=list(_sections(report)),
    )


def _sections(report: SegmentReport) -> Iterator[Section]:
    yield segments(report)
    yield side_by_side(report)
    yield changes(report)
    yield belief.belief(report)
    yield belief.rules(report)
    yield choice.choice(report)
    yield choice.methods(report)
    yield spaces(report)
    if report.search.published:
        yield published(report)
    yield provenance.data(report.summary, report.records, USES)
    yield provenance.gate(report.summary, GATE)
    yield provenance.timings(report.summary)
    chosen = report.search.chosen
    model = f"{words.way(chosen)}, {chosen.clusters} segments"
    yield provenance.lineage(report.summary, report.records, model, _settings(report))


def _settings(report: SegmentReport) -> Table:
    settings, found = report.summary.settings, report.segmentation
    cells = [
        ("View", settings.view),
        ("Columns that form the segments", ", ".join(found.columns)),
        ("Columns that describe them", ", ".join(found.describe) or "none"),
        ("Method asked for", settings.method),
        ("Numbers of segments tried", f"{settings.fewest} to {settings.most}"),
        ("Distance from which on a customer is unusual", any_value(found.outlier_distance)),
    ]
    return Table("settings", "Settings of the segmentation", ("What", "Value"), cells, frozenset({0, 1}))
