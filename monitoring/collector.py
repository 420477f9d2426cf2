"""Measures a model server, once per scrape: its process and its models."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from data import model_folder
from data.model_spec import PURCHASE_MODEL
from data.paths import models_folder
from monitoring.model_metrics import ModelMetrics
from monitoring.process import ServerProcess

log = logging.getLogger("monitoring.collector")


@dataclass(frozen=True)
class Settings:
    """What to measure.

    Attributes:
      server: its URL, such as http://localhost:8501.
      artifacts: the folder that pipeline runs write to.
      model: name of the only model; None for every model that has a version in `artifacts`.
      watch: a folder of customer lists whose drift is measured, or None.
    """

    server: str
    artifacts: Path
    model: str | None = None
    watch: Path | None = None


class ServerCollector(Collector):
    """Measures a server and its models."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._process = ServerProcess(urlsplit(settings.server).port or 80)
        self._lock = threading.Lock()
        self._found: set[str] = set()
        """Names of the models that had a version once."""
        self._models: dict[str, ModelMetrics] = {}

    def describe(self) -> list[Metric]:
        """Returns nothing, so that registering the collector does not measure."""
        return []

    def collect(self) -> Iterator[Metric]:
        with self._lock:
            started = time.perf_counter()
            yield from self._process_metrics()
            yield from self._model_metrics()
            seconds = time.perf_counter() - started
            text = "Time of this measurement."
            yield GaugeMetricFamily("model_exporter_collect_duration_seconds", text, value=seconds)

    def _model_metrics(self) -> Iterator[Metric]:
        """The metrics of all models, each metric once."""
        names = self._names()
        for name in names:
            if name not in self._models:
                settings = self._settings
                self._models[name] = ModelMetrics(name, settings.server, settings.artifacts, settings.watch)
        models = [self._models[name] for name in names]
        families: dict[str, Metric] = {}
        # Side by side, so that a server that hangs delays the scrape only once.
        with ThreadPoolExecutor(len(models)) as workers:
            for metrics in workers.map(lambda model: list(model.measure()), models):
                for metric in metrics:
                    if metric.name in families:
                        families[metric.name].samples.extend(metric.samples)
                    else:
                        families[metric.name] = metric
        yield from families.values()

    def _names(self) -> list[str]:
        if self._settings.model:
            return [self._settings.model]
        try:
            self._found.update(model_folder.models(models_folder(self._settings.artifacts)))
        except OSError as error:
            log.warning("%s cannot be read: %s", error.filename, error.strerror)
        return sorted(self._found) or [PURCHASE_MODEL.name]

    def _process_metrics(self) -> Iterator[Metric]:
        """Of the serving process, which has no label `model_name` since it may serve several models."""
        usage = self._process.usage()
        up = float(usage is not None)
        text = "Whether the serving process runs on this host."
        yield GaugeMetricFamily("model_server_process_up", text, value=up)
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
                yield GaugeMetricFamily(f"model_server_process_{name}", text, value=value)
        text = "CPU time of the serving process."
        yield CounterMetricFamily("model_server_process_cpu_seconds_total", text, value=usage.cpu_seconds)
