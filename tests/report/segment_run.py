"""A report on a segmentation with everything on its page, without a pipeline."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from analysis.segmentation import SearchResult, Segmentation
from report.segments.gather import SegmentReport
from runs.summary import Check, GateResult
from tests.report.report_run import records
from tests.support import segmentations
from tests.support.summaries import changed


def whole(found: Segmentation | None = None, tried: SearchResult | None = None, **changes: Any) -> SegmentReport:
    """A run with everything; changes as for `tests.support.summaries.changed`."""
    found, tried = found or segmentations.segmentation(), tried or segmentations.search()
    before = segmentations.summary(
        segmentations.segmentation(4), segmentations.search(), "20261231-000000", dataset__source="/data/before.csv"
    )
    usual = SegmentReport(
        summary=segmentations.summary(found, tried),
        records=records(),
        search=tried,
        segmentation=found,
        previous=before,
    )
    return changed(usual, **changes)


def refused(report: SegmentReport) -> SegmentReport:
    """The same report of a model that failed the gate."""
    checks = (Check("stability", 0.6123, 0.8, False), Check("silhouette_above_shuffled", 0.003, 0.012, False))
    return replace(report, summary=replace(report.summary, pushed=None, gate=GateResult(False, checks, "-")))
