"""Gathers the result of a run that segmented customers from its artifacts."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.segmentation import SearchResult, Segmentation
from modules import artifacts
from modules.segments import gate
from pipeline.settings import SegmentSettings, Settings
from pipeline.summarize import shared
from runs import outputs as of_run
from runs.outputs import RunOutputs
from runs.summary import SegmentRunSettings, SegmentShare, SegmentSummary, Stage


def summarize(
    settings: Settings[SegmentSettings], outputs: RunOutputs, stages: Sequence[Stage], seconds: float
) -> SegmentSummary:
    """The summary of a run that reached its end.

    Args:
      settings: the run's.
      outputs: the run's artifacts.
      stages: what each component did.
      seconds: wall time of the whole run.
    """
    search = SearchResult.from_dict(artifacts.read_json(outputs.uri(of_run.SEARCH), artifacts.SEARCH))
    found = Segmentation.from_dict(artifacts.read_json(outputs.uri(of_run.SEGMENTATION), artifacts.SEGMENTATION))
    spec = settings.spec
    return SegmentSummary(
        **shared.common(settings, outputs, stages, seconds),
        chosen=search.best,
        segments=tuple(SegmentShare(segment.name, segment.shares) for segment in found.segments),
        silhouette=found.silhouette,
        macro_silhouette=found.macro_silhouette,
        agreement=found.agreement,
        gate=shared.gate(outputs, [of_run.SEGMENT_BLESSING], gate.checks(search, found)),
        settings=SegmentRunSettings(
            **shared.common_settings(settings, outputs),
            view=spec.view,
            method=spec.method,
            fewest=spec.fewest,
            most=spec.most,
        ),
    )
