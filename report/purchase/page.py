"""The page as a whole: which sections it has and in which order."""

from __future__ import annotations

from collections.abc import Iterator

from pages import html
from pages.blocks import Section
from report import provenance
from report.overview import TEMPLATE
from report.purchase import campaign, quality, training
from report.purchase.gather import PurchaseReport
from report.purchase.overview import changes, overview, rankable

USES = {
    "train": "learning",
    "eval": "early stopping, calibration, threshold",
    "test": "the figures of this page",
}
"""What each split is used for."""

GATE = (
    "All are measured on the test split. The comparison with the last blessed model starts with the second run. Where "
    "calls have dates, a model must also not be worse than the champion, which is the version in service, on the "
    "newest months: a gain passes if its 95 % interval reaches 0. These months favour the new model, which has learned "
    "from other calls of them, so their figures do not say what to expect."
)
"""Where the gate's checks are measured."""


def render(report: PurchaseReport, cost: float, margin: float) -> str:
    """The HTML of a report; the cost of a call and the margin of a positive row are in euros."""
    return html.render(
        TEMPLATE,
        title=f"{report.summary.model_name}: report of run {report.summary.run_id}",
        overview=overview(report, cost, margin),
        figures_of="Figures are for the test customers unless the text says otherwise.",
        sections=list(_sections(report, cost, margin)),
    )


def _sections(report: PurchaseReport, cost: float, margin: float) -> Iterator[Section]:
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
    yield provenance.data(report.summary, report.records, USES)
    yield provenance.gate(report.summary, GATE)
    yield provenance.timings(report.summary)
    yield provenance.lineage(report.summary, report.records, training.network(report), training.hyperparameters(report))
