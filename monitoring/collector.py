"""Measures a model server and its customers, once per scrape."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from analysis import drift
from analysis.profile import Counts, NumberBins, Profile
from monitoring import pushed
from monitoring.process import ServerProcess
from monitoring.server_api import NoAnswerError, ServerApi, VersionStatus
from monitoring.watch import WatchedFolder

log = logging.getLogger("monitoring.collector")

QUALITY = ("accuracy", "majority_accuracy", "auc", "pr_auc", "ece", "log_loss")
"""Metrics of the test split that are exported."""
GOLDEN_TOLERANCE = 1e-4
"""Largest difference of a probability from the stored one that is rounding."""
SERVER_SOURCE = "server"
"""Label value `source` of the requests that the server has seen; a customer list has its file name."""


@dataclass(frozen=True)
class Settings:
    """What to watch.

    Attributes:
      server: address, such as http://localhost:8501.
      model: its name under /v1/models.
      models: folder of version folders.
      runs: folder of pipeline runs.
      watch: folder of customer lists whose drift is measured, if any.
    """

    server: str
    model: str
    models: Path
    runs: Path
    watch: Path | None


class ModelCollector(Collector):
    """Measures server and model once per scrape."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._process = ServerProcess(urlsplit(settings.server).port or 80)
        self._api = ServerApi(settings.server, settings.model)
        self._checks = {"success": 0, "failure": 0}
        self._lock = threading.Lock()
        self._serving: str | None = None
        self._summaries: dict[str, dict] = {}
        self._watched = WatchedFolder(settings.watch, self._profile) if settings.watch else None
        if self._watched:
            self._watched.start()

    def describe(self) -> list[Metric]:
        """Nothing, so that registering does not measure."""
        return []

    def collect(self) -> Iterator[Metric]:
        with self._lock:
            started = time.perf_counter()
            yield from self._process_metrics()
            try:
                versions = self._api.versions()
            except NoAnswerError as error:
                log.info("%s does not answer: %s", self._settings.server, error)
                versions = None
            yield self._gauge("model_server_up", "Whether the server answers a status request.", versions is not None)
            if versions is not None:
                yield from self._version_metrics(versions)
                yield from self._golden_request_metrics()
            yield from self._quality_metrics()
            yield from self._drift_metrics()
            seconds = time.perf_counter() - started
            yield self._gauge("model_exporter_collect_duration_seconds", "How long this measurement took.", seconds)

    def _gauge(self, name: str, text: str, value: float) -> GaugeMetricFamily:
        return self._gauges(name, text, (), {(): value})

    def _gauges(
        self, name: str, text: str, labels: tuple[str, ...], values: dict[tuple[str, ...], float]
    ) -> GaugeMetricFamily:
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
            ("memory_limit_bytes", "Memory limit of the serving process's container or host.", usage.limit_bytes),
            ("threads", "Threads of the serving process.", usage.threads),
            ("open_fds", "Open file descriptors of the serving process.", usage.open_files),
            ("start_time_seconds", "Start of the serving process, Unix time.", usage.started),
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
        states = {(v.version, v.state, v.error_code): 1.0 for v in versions}
        labels = ("version", "state", "error_code")
        yield self._gauges("model_server_version_state", "1 for the present state of each version.", labels, states)
        available = sorted((v.version for v in versions if v.state == "AVAILABLE"), key=int)
        yield self._gauge("model_server_available_versions", "Versions that serve.", len(available))
        newest = pushed.newest(self._settings.models)
        if newest:
            yield self._gauge("model_server_pushed_version_number", "Newest version on disk.", int(newest.name))
        self._serving = available[-1] if available else None
        if self._serving is None:
            return
        yield self._gauge("model_server_serving_version_number", "Newest version that serves.", int(self._serving))
        try:
            changed = (self._settings.models / self._serving / "saved_model.pb").stat().st_mtime
        except OSError:
            return
        yield self._gauges(
            "model_server_serving_version_pushed_timestamp_seconds",
            "When the serving version was written, Unix time.",
            ("version",),
            {(self._serving,): changed},
        )

    # --- golden -----------------------------------------------------------------------------------------------------

    def _golden_request_metrics(self) -> Iterator[Metric]:
        golden = _golden_request(self._settings.models / self._serving) if self._serving else None
        if golden is None:
            return
        success, expected = False, golden["predictions"]
        try:
            answer, seconds = self._api.predict(golden["instances"])
        except NoAnswerError as error:
            log.warning("the golden request got no answer: %s", error)
        else:
            success = _same(answer, expected)
            if not success:
                log.warning("the golden request was answered %s, expected %s", answer, expected)
            text = "Time of the golden request, connection included."
            yield self._gauge("model_server_golden_request_duration_seconds", text, seconds)
        self._checks["success" if success else "failure"] += 1
        text = "Whether a stored row gets the probability stored with the model."
        yield self._gauge("model_server_golden_request_success", text, success)
        checks = CounterMetricFamily(
            "model_server_golden_request_checks_total", "Golden requests sent.", labels=("model_name", "result")
        )
        for result, count in self._checks.items():
            checks.add_metric((self._settings.model, result), count)
        yield checks

    # --- quality ----------------------------------------------------------------------------------------------------

    def _quality_metrics(self) -> Iterator[Metric]:
        if self._serving is None:
            return
        if self._serving not in self._summaries:
            summary = pushed.summary(self._serving, self._settings.runs)  # written soon after the push, not with it
            if summary is None:
                return
            self._summaries = {self._serving: summary}
        summary = self._summaries[self._serving]
        test, dataset = summary["metrics"]["test"], summary["dataset"]
        yield self._gauges(
            "model_quality",
            "Metric of the served version on its test split, when it was pushed.",
            ("version", "metric"),
            {(self._serving, metric): test[metric] for metric in QUALITY if metric in test},
        )
        yield self._gauges(
            "model_training_info",
            "What the served version was trained on.",
            ("version", "contract", "synthetic"),
            {(self._serving, dataset["contract"], str(dataset["synthetic"]).lower()): 1},
        )

    # --- drift ------------------------------------------------------------------------------------------------------

    def _profile(self) -> Profile | None:
        version = self._settings.models / self._serving if self._serving else pushed.newest(self._settings.models)
        return _profile(version) if version else None

    def _drift_metrics(self) -> Iterator[Metric]:
        found: dict[str, drift.Drift | None] = {}
        try:
            page = self._api.recent()
            profile = Profile.from_dict(page["profile"])
            recent = Counts.from_dict(page["recent"], profile.features, profile.score)
        except NoAnswerError:
            pass
        except (KeyError, ValueError) as error:
            log.warning("the server's counts cannot be used: %s", error)
        else:
            found[SERVER_SOURCE] = drift.measure(profile, recent)
            if recent.score.any():
                yield self._score_shares(profile.score, profile.reference.score, recent.score)
        if self._watched:
            found |= self._watched.results()
        readable = {source: result for source, result in found.items() if result is not None}
        text = "Whether the customers of this source can be compared with the training split."
        yield self._gauges("model_drift_source_up", text, ("source",), {(s,): f is not None for s, f in found.items()})
        yield self._gauges("model_drift_rows", "Recent rows.", ("source",), {(s,): d.rows for s, d in readable.items()})
        yield from self._feature_metrics(readable)
        yield from self._score_metrics(readable)

    def _feature_metrics(self, found: dict[str, drift.Drift]) -> Iterator[Metric]:
        shifts = {(s, name): shift for s, result in found.items() for name, shift in result.features.items()}
        labels = ("source", "feature")
        for name, text, field in SHIFT_GAUGES:
            values = {key: getattr(shift, field) for key, shift in shifts.items() if getattr(shift, field) is not None}
            yield self._gauges(f"model_drift_{name}", f"{text}, by feature.", labels, values)
        for share in drift.SHARES:
            values = {key: shift.shares[share] for key, shift in shifts.items() if share in shift.shares}
            text = f"Share of recent rows whose value is {share.replace('_', ' ')}."
            yield self._gauges(f"model_drift_{share}_ratio", text, labels, values)

    def _score_metrics(self, found: dict[str, drift.Drift]) -> Iterator[Metric]:
        scored = {(source,): result for source, result in found.items() if result.score}
        for name, text, field in SHIFT_GAUGES:
            values = {key: getattr(result.score, field) for key, result in scored.items()}
            values = {key: value for key, value in values.items() if value is not None}
            yield self._gauges(f"model_drift_score_{name}", f"{text}, of the score.", ("source",), values)
        for name, text, field in (
            ("mean_score", "Mean probability of recent rows.", "mean_score"),
            ("reference_mean_score", "Mean probability of the training split.", "reference_mean_score"),
        ):
            values = {key: getattr(result, field) for key, result in scored.items()}
            yield self._gauges(f"model_drift_{name}", text, ("source",), values)

    def _score_shares(self, bins: NumberBins, reference: np.ndarray, recent: np.ndarray) -> Metric:
        values = {}
        for window, counts in (("training", reference), ("recent", recent)):
            inside = bins.comparable(counts)[:-1]
            for upper, count in zip(bins.edges[1:], inside, strict=True):
                values[window, f"{upper:.3f}"] = count / max(inside.sum(), 1)
        text = "Share of scores up to `upper` and above the limit before it; the limits are training deciles."
        return self._gauges("model_drift_score_ratio", text, ("window", "upper"), values)


SHIFT_GAUGES = (
    ("psi", "Population stability index against the training split", "psi"),
    ("psi_alarm_line", "PSI above which a shift is neither small nor chance", "line"),
    ("l_infinity", "Largest difference of a bin's share from training", "l_infinity"),
    ("alarm", "Whether the PSI is above its alarm line", "alarm"),
)
"""Name, help and field of `drift.Shift`."""


def _same(answer: list[dict], expected: list[dict]) -> bool:
    try:
        return len(answer) == len(expected) and all(
            abs(got["probability"] - wanted["probability"]) <= GOLDEN_TOLERANCE
            and got["purchase"] == wanted["purchase"]
            for got, wanted in zip(answer, expected, strict=True)
        )
    except (KeyError, TypeError):
        return False


# Files of a version never change once pushed, so each is read once.
_golden_request = lru_cache(maxsize=4)(pushed.golden)
_profile = lru_cache(maxsize=4)(pushed.profile)
