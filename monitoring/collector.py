"""Measures a model server and its recent customers, once per scrape."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import numpy as np
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from analysis import drift
from analysis.bins import NumberBins
from analysis.figures import Metrics
from analysis.profile import Counts, Profile
from data.errors import ServiceError
from data.model_folder import ModelFolder, newest
from data.paths import runs_folder, serving_folder
from monitoring.process import ServerProcess
from monitoring.server_api import ServerApi, VersionStatus
from monitoring.watch import WatchedFolder
from runs import summary
from runs.summary import RunSummary

log = logging.getLogger("monitoring.collector")

QUALITY = ("accuracy", "majority_accuracy", "auc", "pr_auc", "ece", "log_loss")
"""Metrics of the test split that are exported."""
GOLDEN_TOLERANCE = 1e-4
"""Relative or absolute difference from the stored answer that rounding explains."""
SERVER_SOURCE = "server"
"""Value of the label `source` for the customers that the server counted; for a customer list it is the file name."""

Labels: TypeAlias = tuple[str, ...]
"""Values of a metric's labels, without `model_name`."""


@dataclass(frozen=True)
class Settings:
    """What to measure.

    Attributes:
      server: its URL, such as http://localhost:8501.
      model: its name.
      artifacts: the folder that pipeline runs write to.
      watch: a folder of customer lists whose drift is measured, or None.
    """

    server: str
    model: str
    artifacts: Path
    watch: Path | None = None


class ModelCollector(Collector):
    """Measures server and model once per scrape."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._models = serving_folder(settings.artifacts, settings.model)
        self._process = ServerProcess(urlsplit(settings.server).port or 80)
        self._api = ServerApi(settings.server, settings.model)
        self._checks = {"success": 0, "failure": 0}
        self._lock = threading.Lock()
        self._serving: ModelFolder | None = None
        self._summary: tuple[int, RunSummary] | None = None
        self._watched = WatchedFolder(settings.watch, self._compared_version) if settings.watch else None
        if self._watched:
            self._watched.start()

    def describe(self) -> list[Metric]:
        """Returns nothing, so that registering the collector does not measure."""
        return []

    def collect(self) -> Iterator[Metric]:
        with self._lock:
            started = time.perf_counter()
            yield from self._process_metrics()
            try:
                versions = self._api.versions()
            except ServiceError as error:
                log.info("%s does not answer: %s", self._settings.server, error)
                versions = None
            yield self._gauge("model_server_up", "Whether the server answers a status request.", versions is not None)
            if versions is not None:
                yield from self._version_metrics(versions)
                yield from self._golden_request_metrics()
            yield from self._quality_metrics()
            yield from self._drift_metrics()
            seconds = time.perf_counter() - started
            yield self._gauge("model_exporter_collect_duration_seconds", "Time of this measurement.", seconds)

    def _gauge(self, name: str, text: str, value: float) -> GaugeMetricFamily:
        return self._gauges(name, text, (), {(): value})

    def _gauges(self, name: str, text: str, labels: Labels, values: Mapping[Labels, float]) -> GaugeMetricFamily:
        family = GaugeMetricFamily(name, text, labels=("model_name", *labels))
        for label_values, value in values.items():
            family.add_metric((self._settings.model, *label_values), float(value))
        return family

    # --- process ----------------------------------------------------------------------------------------------------

    def _process_metrics(self) -> Iterator[Metric]:
        usage = self._process.usage()
        yield self._gauge(
            "model_server_process_up", "Whether the serving process runs on this host.", usage is not None
        )
        if usage is None:
            return
        for name, text, value in (
            ("resident_memory_bytes", "Resident memory (RSS) of the serving process.", usage.resident_bytes),
            ("memory_limit_bytes", "Memory limit of the container or host of the serving process.", usage.limit_bytes),
            ("threads", "Threads of the serving process.", usage.threads),
            ("open_fds", "Open file descriptors of the serving process.", usage.open_files),
            ("start_time_seconds", "Unix time at which the serving process started.", usage.started),
        ):
            if value is not None:
                yield self._gauge(f"model_server_process_{name}", text, value)
        cpu = CounterMetricFamily(
            "model_server_process_cpu_seconds_total", "CPU time of the serving process.", labels=("model_name",)
        )
        cpu.add_metric((self._settings.model,), usage.cpu_seconds)
        yield cpu

    # --- versions ---------------------------------------------------------------------------------------------------

    def _version_metrics(self, versions: list[VersionStatus]) -> Iterator[Metric]:
        states: dict[Labels, float] = {(v.version, v.state, v.error_code): 1 for v in versions}
        labels = ("version", "state", "error_code")
        yield self._gauges("model_server_version_state", "1 for the present state of each version.", labels, states)
        available = [ModelFolder(self._models / v.version) for v in versions if v.state == "AVAILABLE"]
        yield self._gauge("model_server_available_versions", "Number of versions that serve.", len(available))
        pushed = newest(self._models)
        if pushed:
            text = "Number of the newest version on disk."
            yield self._gauge("model_server_pushed_version_number", text, pushed.version)
        self._serving = max(available, key=lambda folder: folder.version, default=None)
        if self._serving is None:
            return
        text = "Number of the newest version that serves."
        yield self._gauge("model_server_serving_version_number", text, self._serving.version)
        try:
            changed = (self._serving.path / "saved_model.pb").stat().st_mtime
        except OSError:
            return
        yield self._gauges(
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
            success = _same(answer, golden.predictions)
            if not success:
                log.warning("the golden request was answered %s, expected %s", answer, golden.predictions)
            text = "Time of the golden request, with the connection."
            yield self._gauge("model_server_golden_request_duration_seconds", text, seconds)
        self._checks["success" if success else "failure"] += 1
        text = "Whether the golden request gets the answer stored with the model."
        yield self._gauge("model_server_golden_request_success", text, success)
        checks = CounterMetricFamily(
            "model_server_golden_request_checks_total", "Golden requests sent.", labels=("model_name", "result")
        )
        for result, count in self._checks.items():
            checks.add_metric((self._settings.model, result), count)
        yield checks

    # --- quality ----------------------------------------------------------------------------------------------------

    def _quality_metrics(self) -> Iterator[Metric]:
        run = self._run_of(self._serving) if self._serving else None
        if not self._serving or not run:
            return
        version = self._serving.path.name
        yield self._gauges(
            "model_quality",
            "Metric of the served version on its test split.",
            ("version", "metric"),
            {(version, name): value for name, value in _quality(run.metrics["test"]).items()},
        )
        yield self._gauges(
            "model_training_info",
            "1, with the contract of the training data and whether they were synthetic as labels.",
            ("version", "contract", "synthetic"),
            {(version, run.dataset.contract, str(run.dataset.synthetic).lower()): 1},
        )

    def _run_of(self, folder: ModelFolder) -> RunSummary | None:
        """The summary of the run that pushed a version; it is written after the push, so None is not kept."""
        if self._summary is None or self._summary[0] != folder.version:
            run = summary.of_version(runs_folder(self._settings.artifacts, self._settings.model), folder.path.name)
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
            by_source[SERVER_SOURCE] = drift.measure(profile, recent)
            if recent.score.any():
                yield self._score_shares(profile.score, profile.reference.score, recent.score)
        if self._watched:
            by_source |= self._watched.results()
        measured = {source: result for source, result in by_source.items() if result is not None}
        text = "Whether the drift of this source can be measured."
        states: dict[Labels, float] = {(source,): result is not None for source, result in by_source.items()}
        yield self._gauges("model_drift_source_up", text, ("source",), states)
        rows: dict[Labels, float] = {(source,): result.rows for source, result in measured.items()}
        yield self._gauges("model_drift_rows", "Number of recent rows.", ("source",), rows)
        yield from self._feature_metrics(measured)
        yield from self._score_metrics(measured)

    def _feature_metrics(self, measured: Mapping[str, drift.Drift]) -> Iterator[Metric]:
        shifts: dict[Labels, drift.Shift] = {
            (source, name): shift for source, result in measured.items() for name, shift in result.features.items()
        }
        labels = ("source", "feature")
        for name, text, attribute in SHIFT_GAUGES:
            yield self._gauges(f"model_drift_{name}", f"{text}, by feature.", labels, _present(shifts, attribute))
        for share in drift.SHARES:
            values = {key: shift.shares[share] for key, shift in shifts.items() if share in shift.shares}
            text = f"Share of recent rows whose value is {share.replace('_', ' ')}, by feature."
            yield self._gauges(f"model_drift_{share}_ratio", text, labels, values)

    def _score_metrics(self, measured: Mapping[str, drift.Drift]) -> Iterator[Metric]:
        scored = {source: result for source, result in measured.items() if result.score}
        shifts: dict[Labels, drift.Shift] = {(s,): result.score for s, result in scored.items() if result.score}
        for name, text, attribute in SHIFT_GAUGES:
            yield self._gauges(
                f"model_drift_score_{name}", f"{text}, of the score.", ("source",), _present(shifts, attribute)
            )
        means: dict[Labels, float] = {(source,): result.mean_score for source, result in scored.items()}
        yield self._gauges("model_drift_mean_score", "Mean score of recent rows.", ("source",), means)
        means = {(source,): result.reference_mean_score for source, result in scored.items()}
        text = "Mean score of the training split."
        yield self._gauges("model_drift_reference_mean_score", text, ("source",), means)

    def _score_shares(self, bins: NumberBins, reference: np.ndarray, recent: np.ndarray) -> Metric:
        values: dict[Labels, float] = {}
        for window, counts in (("training", reference), ("recent", recent)):
            inside = bins.comparable(counts)[:-1]
            for upper, count in zip(bins.edges[1:], inside, strict=True):
                values[window, f"{upper:.3f}"] = count / max(inside.sum(), 1)
        text = "Share of scores in each decile of the training scores; `upper` is the upper limit of the decile."
        return self._gauges("model_drift_score_ratio", text, ("window", "upper"), values)


SHIFT_GAUGES = (
    ("psi", "Population stability index against the training split", "psi"),
    ("psi_alarm_line", "PSI above which a shift is large and not due to chance", "line"),
    ("l_infinity", "Largest difference between the shares of a bin", "l_infinity"),
    ("alarm", "Whether the PSI is above its alarm line", "alarm"),
)
"""Name, help and attribute of `drift.Shift`."""


def _present(shifts: Mapping[Labels, drift.Shift], attribute: str) -> dict[Labels, float]:
    """One attribute of each shift, without those where it is None."""
    values = {key: getattr(shift, attribute) for key, shift in shifts.items()}
    return {key: value for key, value in values.items() if value is not None}


def _quality(metrics: Metrics) -> dict[str, float]:
    values = {name: getattr(metrics, name) for name in QUALITY}
    return {name: value for name, value in values.items() if value is not None}


def _same(answer: Any, expected: Any) -> bool:
    """Whether two JSON values are the same, but for the rounding of numbers."""
    if isinstance(expected, dict):
        return (
            isinstance(answer, dict)
            and answer.keys() == expected.keys()
            and all(_same(answer[name], value) for name, value in expected.items())
        )
    if isinstance(expected, list):
        return isinstance(answer, list) and len(answer) == len(expected) and all(map(_same, answer, expected))
    if isinstance(expected, int | float) and isinstance(answer, int | float):
        return math.isclose(answer, expected, rel_tol=GOLDEN_TOLERANCE, abs_tol=GOLDEN_TOLERANCE)
    return answer == expected


# The files of a version do not change after the push, so each is read once.
_golden_request = lru_cache(maxsize=4)(ModelFolder.golden_request)
