"""Reads what the report of a segmentation shows, from a run's folder and from the run's artifacts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from analysis.segmentation import SearchResult, Segment, Segmentation
from report.gather import Records, check_files, find_outputs, last_blessed_run, records
from report.segments.words import flags
from runs.summary import SegmentSummary


@dataclass(frozen=True)
class SegmentReport:
    """All that the page shows.

    Attributes:
      summary: of the run.
      records: of the run's data and artifacts.
      search: what was tried, and why one candidate was chosen.
      segmentation: the segments of the exported model.
      previous: summary of the run of the last blessed model; None where there is none.
    """

    summary: SegmentSummary
    records: Records
    search: SearchResult
    segmentation: Segmentation
    previous: SegmentSummary | None = None

    @property
    def by_share(self) -> list[Segment]:
        """The segments, the largest first."""
        return sorted(self.segmentation.segments, key=lambda segment: -segment.shares["train"])

    @property
    def flags(self) -> frozenset[str]:
        """Columns that say yes or no, such as whether a customer owns a product."""
        return flags(self.segmentation)


def gather(run_folder: Path, summary: SegmentSummary) -> SegmentReport:
    """Everything a report needs.

    Args:
      run_folder: the run's folder.
      summary: of the run.

    Raises:
      NotReadyError: the run's artifacts have been pruned.
    """
    outputs = find_outputs(run_folder, summary.run_id)
    from modules import artifacts as files
    from runs import outputs as of_run

    search, segmentation = outputs.uri(of_run.SEARCH), outputs.uri(of_run.SEGMENTATION)
    check_files(summary.run_id, search, files.SEARCH)
    check_files(summary.run_id, segmentation, files.SEGMENTATION)
    return SegmentReport(
        summary=summary,
        records=records(run_folder, summary, outputs),
        search=SearchResult.from_dict(files.read_json(search, files.SEARCH)),
        segmentation=Segmentation.from_dict(files.read_json(segmentation, files.SEGMENTATION)),
        previous=last_blessed_run(run_folder, summary, outputs),
    )
