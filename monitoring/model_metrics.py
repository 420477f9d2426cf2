"""Measures one model of a server and its recent customers."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from prometheus_client.core import Metric

from analysis import drift
from analysis.profile import Counts, Profile
from data.errors import ServiceError
from data.model_folder import ModelFolder, newest
from data.paths import runs_folder, serving_folder
from monitoring.drift_metrics import drift_metrics, output_shares
from monitoring.families import Families, Labels
from monitoring.schedule_metrics import ScheduleMetrics
from monitoring.server_api import ServerApi, VersionStatus
from monitoring.watch import WatchedFolder
from runs import summary
from runs.summary import PurchaseSummary, RunSummary, SegmentSummary

log = logging.getLogger("monitoring.model_metrics")

PURCHASE_QUALITY = ("accuracy", "majority_accuracy", "auc", "pr_auc", "ece", "log_loss")
"""Metrics of the test split of a purchase model that are exported."""
GOLDEN_TOLERANCE = 1e-4
"""Relative or absolute difference from the stored answer that rounding explains."""
SERVER_SOURCE = "server"
"""Value of the label `source` for the customers that the server counted; for a customer list it is the file name."""


class ModelMetrics:
    """Measures one model.

    Args:
      name: of the model.
      server: its URL, such as http://localhost:8501.
      artifacts: the folder that pipeline runs write to.
      watch: a folder of customer lists whose drift is measured, or None.
    """

    def __init__(self, name: str, server: str, artifacts: Path, watch: Path | None = None) -> None:
        self._of = Families(name)
        self._models = serving_folder(artifacts, name)
        self._runs = runs_folder(artifacts, name)
        self._api = ServerApi(server, name)
        self._checks = {"success": 0, "failure": 0}
        self._serving: ModelFolder | None = None
        self._summary: tuple[int, RunSummary] | None = None
        self._schedule = ScheduleMetrics(self._of, artifacts, name)
        self._watched = WatchedFolder(watch, self._compared_version) if watch else None
        if self._watched:
            self._watched.start()

    def measure(self) -> Iterator[Metric]:
        """All metrics of the model, measured now."""
        try:
            versions = self._api.versions()
        except ServiceError as error:
            log.info("the server does not answer: %s", error)
            versions = None
        yield self._of.gauge("model_server_up", "Whether the server answers a status request.", versions is not None)
        if versions is not None:
            yield from self._version_metrics(versions)
            yield from self._golden_request_metrics()
        yield from self._quality_metrics()
        yield from self._schedule.measure()
        yield from self._drift_metrics()

    # --- versions ---------------------------------------------------------------------------------------------------

    def _version_metrics(self, versions: list[VersionStatus]) -> Iterator[Metric]:
        states: dict[Labels, float] = {(v.version, v.state, v.error_code): 1 for v in versions}
        labels = ("version", "state", "error_code")
        yield self._of.gauges("model_server_version_state", "1 for the present state of each version.", labels, states)
        available = [ModelFolder(self._models / v.version) for v in versions if v.state == "AVAILABLE"]
        yield self._of.gauge("model_server_available_versions", "Number of versions that serve.", len(available))
        pushed = newest(self._models)
        if pushed:
            text = "Number of the newest version on disk."
            yield self._of.gauge("model_server_pushed_version_number", text, pushed.version)
        self._serving = max(available, key=lambda folder: folder.version, default=None)
        if self._serving is None:
            return
        text = "Number of the newest version that serves."
        yield self._of.gauge("model_server_serving_version_number", text, self._serving.version)
        try:
            changed = (self._serving.path / "saved_model.pb").stat().st_mtime
        except OSError:
            return
        yield self._of.gauges(
            "model_server_serving_version_pushed_timestamp_seconds",
            "Unix time at which the serving version was written.",
            ("version",),
            {(self._serving.path.name,): changed},
        )

    # --- golden request ---------------------------------------------------------------------------------------------

    def _golden_request_metrics(self) -> Iterator[Metric]:
        golden = _golden_request(self._serving) if self._serving else None
        if golden is None:
            return
        success = False
        try:
            answer, seconds = self._api.predict(golden.instances)
        except ServiceError as error:
            log.warning("the golden request got no answer: %s", error)
        else:
            success = same_answer(answer, golden.predictions)
            if not success:
                log.warning("the golden request was answered %s, expected %s", answer, golden.predictions)
            text = "Time of the golden request, with the connection."
            yield self._of.gauge("model_server_golden_request_duration_seconds", text, seconds)
        self._checks["success" if success else "failure"] += 1
        text = "Whether the golden request gets the answer stored with the model."
        yield self._of.gauge("model_server_golden_request_success", text, success)
        checks: dict[Labels, float] = {(result,): count for result, count in self._checks.items()}
        yield self._of.counters(
            "model_server_golden_request_checks_total", "Golden requests sent.", ("result",), checks
        )

    # --- quality ----------------------------------------------------------------------------------------------------

    def _quality_metrics(self) -> Iterator[Metric]:
        run = self._run_of(self._serving) if self._serving else None
        if not self._serving or not run:
            return
        version = self._serving.path.name
        yield self._of.gauges(
            "model_quality",
            "Metric of the served version on its test split; stability is of the training split.",
            ("version", "metric"),
            {(version, name): value for name, value in _quality(run).items()},
        )
        yield self._of.gauges(
            "model_training_info",
            "1, with the contract of the training data and whether they were synthetic as labels.",
            ("version", "contract", "synthetic"),
            {(version, run.dataset.contract, str(run.dataset.synthetic).lower()): 1},
        )

    def _run_of(self, folder: ModelFolder) -> RunSummary | None:
        """The summary of the run that pushed a version; it is written after the push, so None is not kept."""
        if self._summary is None or self._summary[0] != folder.version:
            run = summary.of_version(self._runs, folder.path.name)
            self._summary = (folder.version, run) if run else None
        return self._summary[1] if self._summary else None

    # --- drift ------------------------------------------------------------------------------------------------------

    def _compared_version(self) -> ModelFolder | None:
        return self._serving or newest(self._models)

    def _drift_metrics(self) -> Iterator[Metric]:
        by_source: dict[str, drift.Drift | None] = {}
        try:
            page = self._api.recent()
            profile = Profile.from_dict(page["profile"])
            recent = Counts.from_dict(page["recent"], profile.features, profile.score)
        except ServiceError:
            pass
        except (KeyError, ValueError) as error:
            log.warning("the server's counts cannot be used: %s", error)
        else:
            result = drift.measure(profile, recent)
            by_source[SERVER_SOURCE] = result
            yield from output_shares(self._of, profile, recent, result.texts)
        if self._watched:
            by_source |= self._watched.results()
        yield from drift_metrics(self._of, by_source)


def _quality(run: RunSummary) -> dict[str, float]:
    """The figures of a model of any kind by name, without those that could not be computed."""
    values: dict[str, float | None] = {}
    if isinstance(run, PurchaseSummary):
        values = {name: getattr(run.metrics["test"], name) for name in PURCHASE_QUALITY}
    elif isinstance(run, SegmentSummary):
        values = {
            "silhouette": run.silhouette,
            "macro_silhouette": run.macro_silhouette,
            "stability": run.chosen.stability,
            "smallest_share": min(segment.shares["test"] for segment in run.segments),
        }
    return {name: value for name, value in values.items() if value is not None}


def same_answer(answer: Any, expected: Any) -> bool:
    """Whether two JSON values are the same, but for the rounding of numbers."""
    if isinstance(expected, dict):
        return (
            isinstance(answer, dict)
            and answer.keys() == expected.keys()
            and all(same_answer(answer[name], value) for name, value in expected.items())
        )
    if isinstance(expected, list):
        return isinstance(answer, list) and len(answer) == len(expected) and all(map(same_answer, answer, expected))
    if isinstance(expected, int | float) and isinstance(answer, int | float):
        return math.isclose(answer, expected, rel_tol=GOLDEN_TOLERANCE, abs_tol=GOLDEN_TOLERANCE)
    return answer == expected


# The files of a version do not change after the push, so each is read once.
_golden_request = lru_cache(maxsize=16)(ModelFolder.golden_request)
