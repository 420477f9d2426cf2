"""Drift as metrics: of each feature, of the watched output, and the distribution of that output."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from prometheus_client.core import Metric

from analysis.bins import CategoryBins
from analysis.drift import SHARES, Drift, Shift, TextShare
from analysis.profile import Counts, Profile
from monitoring.families import Families, Labels

SHIFT_GAUGES = (
    ("psi", "Population stability index against the training split", "psi"),
    ("psi_alarm_line", "PSI above which a shift is large and not due to chance", "line"),
    ("l_infinity", "Largest difference between the shares of a bin", "l_infinity"),
    ("alarm", "Whether the PSI is above its alarm line", "alarm"),
)
"""Name, help and attribute of `analysis.drift.Shift`."""


def drift_metrics(of: Families, by_source: Mapping[str, Drift | None]) -> Iterator[Metric]:
    """Metrics of the drift of each source of recent customers; None for a source that cannot be measured."""
    measured = {source: result for source, result in by_source.items() if result is not None}
    text = "Whether the drift of this source can be measured."
    states: dict[Labels, float] = {(source,): result is not None for source, result in by_source.items()}
    yield of.gauges("model_drift_source_up", text, ("source",), states)
    rows: dict[Labels, float] = {(source,): result.rows for source, result in measured.items()}
    yield of.gauges("model_drift_rows", "Number of recent rows.", ("source",), rows)
    yield from _feature_metrics(of, measured)
    yield from _score_metrics(of, measured)


def output_shares(of: Families, profile: Profile, recent: Counts, texts: tuple[TextShare, ...]) -> Iterator[Metric]:
    """How the watched output is distributed in the training split and among recent customers, if it is known."""
    if not recent.score.any():
        return
    values: dict[Labels, float] = {}
    if isinstance(profile.score, CategoryBins):
        for share in texts:
            values |= {("training", share.text): share.training, ("recent", share.text): share.recent}
        yield of.gauges("model_segment_ratio", "Share of customers in each segment.", ("window", "segment"), values)
        return
    for window, counts in (("training", profile.reference.score), ("recent", recent.score)):
        inside = profile.score.comparable(counts)[:-1]
        for upper, count in zip(profile.score.edges[1:], inside, strict=True):
            values[window, f"{upper:.3f}"] = count / max(inside.sum(), 1)
    text = "Share of scores in each decile of the training scores; `upper` is the upper limit of the decile."
    yield of.gauges("model_drift_score_ratio", text, ("window", "upper"), values)


def _feature_metrics(of: Families, measured: Mapping[str, Drift]) -> Iterator[Metric]:
    shifts: dict[Labels, Shift] = {
        (source, name): shift for source, result in measured.items() for name, shift in result.features.items()
    }
    labels = ("source", "feature")
    for name, text, attribute in SHIFT_GAUGES:
        yield of.gauges(f"model_drift_{name}", f"{text}, by feature.", labels, _present(shifts, attribute))
    for share in SHARES:
        values = {key: shift.shares[share] for key, shift in shifts.items() if share in shift.shares}
        text = f"Share of recent rows whose value is {share.replace('_', ' ')}, by feature."
        yield of.gauges(f"model_drift_{share}_ratio", text, labels, values)


def _score_metrics(of: Families, measured: Mapping[str, Drift]) -> Iterator[Metric]:
    shifts: dict[Labels, Shift] = {(source,): drift.score for source, drift in measured.items() if drift.score}
    for name, text, attribute in SHIFT_GAUGES:
        text = f"{text}, of the score or the segment."
        yield of.gauges(f"model_drift_score_{name}", text, ("source",), _present(shifts, attribute))
    scored: dict[Labels, Drift] = {(source,): drift for source, drift in measured.items() if drift.score}
    for name, text, attribute in (
        ("mean_score", "Mean score of recent rows.", "mean_score"),
        ("reference_mean_score", "Mean score of the training split.", "reference_mean_score"),
    ):
        yield of.gauges(f"model_drift_{name}", text, ("source",), _present(scored, attribute))


def _present(results: Mapping[Labels, Shift] | Mapping[Labels, Drift], attribute: str) -> dict[Labels, float]:
    """One attribute of each result, without those where it is None."""
    values = {key: getattr(result, attribute) for key, result in results.items()}
    return {key: value for key, value in values.items() if value is not None}
