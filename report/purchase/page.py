"""The page as a whole: which sections it has and in which order."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pages import html
from pages.blocks import Section
from report.purchase import campaign, provenance, quality, training
from report.purchase.gather import ReportData
from report.purchase.overview import changes, overview, rankable

TEMPLATE = Path(__file__).parent / "templates" / "report.html.j2"


def render(report: ReportData, cost: float, margin: float) -> str:
    """The HTML of a report; the cost of a call and the margin of a positive row are in euros."""
    return html.render(
        TEMPLATE,
        title=f"{report.summary.model_name}: report of run {report.summary.run_id}",
        overview=overview(report, cost, margin),
        sections=list(_sections(report, cost, margin)),
    )


def _sections(report: ReportData, cost: float, margin: float) -> Iterator[Section]:
    ranked = rankable(report)
    yield changes(report)
    if ranked:
        yield campaign.whom_to_call(report)
        yield campaign.what_it_earns(report, cost, margin)
    yield campaign.forecast(report)
    yield quality.calibration(report)
    if ranked:
        yield quality.ranking(report)
    yield quality.decisions(report)
    yield quality.groups(report)
    yield quality.comparison(report)
    yield training.importance(report)
    yield training.learning(report)
    yield provenance.data(report)
    yield provenance.gate(report)
    yield provenance.timings(report)
    yield provenance.lineage(report)
