"""Metrics with TensorFlow Serving's names, labels, buckets and text format, so that one dashboard serves both servers.

The Prometheus client library cannot write this page: it appends `_total` to the names of counters. Here, as in
TensorFlow Serving, there are no help lines, a metric without samples still has its type line, and numbers have six
significant digits.
"""

from __future__ import annotations

import bisect
import os
import re
import threading
import time
from collections.abc import Callable, Collection, Iterable

PAGE_PATH = "/monitoring/prometheus/metrics"
CONTENT_TYPE = b"text/plain"

UNKNOWN_MODELS = 64
"""How many unknown model names become label values of their own; scanners try thousands."""
OTHER_MODEL = "_other"

Labels = tuple[str, ...]


class Counter:
    """A number that grows, for each combination of label values."""

    kind = "counter"

    def __init__(self, name: str, *labels: str):
        self.name = name
        self.labels = labels
        self._values: dict[Labels, int] = {}
        self._lock = threading.Lock()

    def add(self, *values: str, amount: int = 1) -> None:
        with self._lock:
            self._values[values] = self._values.get(values, 0) + amount

    def lines(self) -> Iterable[str]:
        with self._lock:
            samples = sorted(self._values.items())
        for values, number in samples:
            yield f"{self.name}{{{_label_text(self.labels, values)}}} {number}"


class Gauges:
    """Samples that are read when the page is written.

    Args:
      read: returns the label values and the number of each sample.
    """

    def __init__(self, name: str, labels: Labels, read: Callable[[], Iterable[tuple[Labels, float]]], kind="gauge"):
        self.name = name
        self.labels = labels
        self.kind = kind
        self._read = read

    def lines(self) -> Iterable[str]:
        for values, number in self._read():
            yield f"{self.name}{{{_label_text(self.labels, values)}}} {number:.15g}"


class Histogram:
    """Counts of observations up to each limit, for each combination of label values."""

    kind = "histogram"

    def __init__(self, name: str, limits: Iterable[float], *labels: str):
        self.name = name
        self.labels = labels
        self._limits = tuple(limits)
        self._texts = [f"{limit:.6g}" for limit in self._limits] + ["+Inf"]
        self._cells: dict[Labels, list] = {}
        self._lock = threading.Lock()

    def observe(self, value: float, *labels: str) -> None:
        bucket = bisect.bisect_right(self._limits, value)
        with self._lock:
            cell = self._cells.get(labels)
            if cell is None:
                cell = self._cells[labels] = [[0] * len(self._texts), 0.0]
            cell[0][bucket] += 1
            cell[1] += value

    def lines(self) -> Iterable[str]:
        with self._lock:
            cells = sorted((values, list(counts), total) for values, (counts, total) in self._cells.items())
        for values, counts, total in cells:
            labels = _label_text(self.labels, values)
            prefix = f"{self.name}_bucket{{{labels}{',' if labels else ''}"
            running = 0
            for count, limit in zip(counts, self._texts, strict=True):
                running += count
                yield f'{prefix}le="{limit}"}} {running}'
            yield f"{self.name}_sum{{{labels}}} {total:.6g}"
            yield f"{self.name}_count{{{labels}}} {running}"


def _label_text(names: Labels, values: Labels) -> str:
    return ",".join(f'{name}="{_sanitize(value)}"' for name, value in zip(names, values, strict=True))


_ESCAPED = re.compile(r'[\\"\n]')


def _sanitize(value: str) -> str:
    """Escapes a label value as TensorFlow Serving does, and line feeds too, which break TensorFlow Serving's page."""
    return _ESCAPED.sub(lambda match: "\\n" if match.group() == "\n" else "\\" + match.group(), value)


def exponential(scale: float, growth: float, count: int) -> list[float]:
    """Bucket limits `scale * growth^i`, as TensorFlow's monitoring library computes them."""
    limits = []
    for _ in range(count):
        limits.append(scale)
        scale *= growth
    return limits


_LATENCY_US = exponential(10, 1.8, 33)
_ROWS = exponential(1, 2, 14)


class Metrics:
    """Every metric of the server."""

    def __init__(self) -> None:
        self._unknown: set[str] = set()
        self.request_count = Counter(":tensorflow:serving:request_count", "model_name", "status")
        self.request_latency = Histogram(
            ":tensorflow:serving:request_latency", _LATENCY_US, "model_name", "API", "entrypoint"
        )
        self.runtime_latency = Histogram(
            ":tensorflow:serving:runtime_latency", _LATENCY_US, "model_name", "API", "runtime"
        )
        self.warm_up_latency = Histogram(
            ":tensorflow:serving:model_warmup_latency", _LATENCY_US, "model_path", "status"
        )
        self.load_attempts = Counter(":tensorflow:cc:saved_model:load_attempt_count", "model_path", "status")
        self.load_latency = Counter(":tensorflow:cc:saved_model:load_latency", "model_path")
        self.load_latency_by_stage = Histogram(
            ":tensorflow:cc:saved_model:load_latency_by_stage", _LATENCY_US, "model_path", "stage"
        )
        self.batch_runs = Counter(":tensorflow:serving:batching_session:wrapped_run_count")
        self.batch_input_rows = Histogram(":tensorflow:serving:batching_session:input_batch_size", _ROWS)
        self.batch_rows = Histogram(":tensorflow:serving:batching_session:processed_batch_size", _ROWS)
        self._all = [metric for metric in vars(self).values() if hasattr(metric, "lines")]
        started = time.time()
        self.add(Gauges("process_start_time_seconds", (), lambda: [((), started)]))
        self.add(Gauges("process_cpu_seconds_total", (), lambda: [((), time.process_time())], kind="counter"))
        self.add(Gauges("process_resident_memory_bytes", (), _resident_bytes))
        self.add(Gauges("process_open_fds", (), _open_files))

    def add(self, metric: Gauges) -> None:
        self._all.append(metric)

    def model_label(self, name: str, configured: Collection[str]) -> str:
        """The label value for a model named in a URL."""
        if not name or name in configured or name in self._unknown:
            return name
        if len(self._unknown) < UNKNOWN_MODELS:
            self._unknown.add(name)
            return name
        return OTHER_MODEL

    def page(self) -> bytes:
        """The text that Prometheus reads."""
        lines = []
        for metric in sorted(self._all, key=lambda metric: metric.name):
            lines.append(f"# TYPE {metric.name} {metric.kind}")
            lines.extend(metric.lines())
        return ("\n".join(lines) + "\n").encode("utf-8", "surrogateescape")


def _resident_bytes() -> list[tuple[Labels, float]]:
    with open("/proc/self/statm", encoding="ascii") as file:
        return [((), int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE"))]


def _open_files() -> list[tuple[Labels, float]]:
    return [((), len(os.listdir("/proc/self/fd")))]
