"""The desk's metrics for Prometheus: what its requests took, and what the store says when it is scraped."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as LateError
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from prometheus_client import CollectorRegistry, Counter, Histogram, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from campaigns.performance import LivePerformance
from campaigns.records import Scored
from campaigns.store.overview import Overview

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Upper limits of the histogram of times, in seconds."""
READ_SECONDS = 3.0
"""How long a scrape waits for the database; Prometheus itself gives up after 10 seconds."""
OTHER = "other"
"""The route of a request that no route answers, and a method that is none of HTTP's usual ones."""
METHODS = ("GET", "POST", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE")

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Written:
    """What became of the entries of the request log.

    Attributes:
      queued: rows that wait to be written.
      dropped: rows that were lost since the start, because the queue and the spool were full.
      written: rows that were stored since the start.
      spooled_bytes: of the rows that wait on disk for the database.
    """

    queued: int
    dropped: int
    written: int
    spooled_bytes: int


@dataclass(frozen=True)
class Month:
    """What the calls of one version brought in one month; a figure that is not known is None.

    Attributes:
      model, version, month: of the freeze, `2026-11`.
      calls: with a known outcome.
      expected: share of buyers among them that the model expected.
      expected_low, expected_high: the interval in which the realised share lies if the probabilities hold.
      realised: share of buyers among them.
      realised_low, realised_high: its Wilson interval.
      auc, brier, ece: of the probabilities of the calls.
      expected_profit, realised_profit: in euros.
      last_outcome: when the last outcome was uploaded.
    """

    model: str
    version: str
    month: str
    calls: int
    expected: float | None
    expected_low: float | None
    expected_high: float | None
    realised: float | None
    realised_low: float | None
    realised_high: float | None
    auc: float | None
    brier: float | None
    ece: float | None
    expected_profit: float | None
    realised_profit: float | None
    last_outcome: datetime | None

    @classmethod
    def of(cls, one: LivePerformance) -> Month:
        """The figures of a month and version."""
        found, key = one.figures.together, (one.model, one.version, one.month)
        if found is None:
            return cls(*key, 0, *[None] * 11, last_outcome=one.last_outcome)
        expected, realised = found.expected_rate, found.realised
        return cls(
            *key,
            calls=realised.calls,
            expected=expected.value,
            expected_low=expected.low,
            expected_high=expected.high,
            realised=realised.rate.value,
            realised_low=realised.rate.low,
            realised_high=realised.rate.high,
            auc=found.auc.value if found.auc else None,
            brier=found.brier.value if found.brier else None,
            ece=found.ece.value if found.ece else None,
            expected_profit=realised.expected_profit.value,
            realised_profit=realised.profit,
            last_outcome=one.last_outcome,
        )


class Metrics:
    """All metrics of one desk, in a registry of their own.

    Args:
      overview: reads the figures of the campaigns.
      months: reads the figures of the months; either may raise where the database does not answer.
      written: what became of the request log.
    """

    def __init__(
        self,
        overview: Callable[[], Overview],
        months: Callable[[], Sequence[Month]],
        written: Callable[[], Written],
    ):
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self.registry.register(_StoreCollector(lambda: (overview(), months()), written))
        requests, seconds = "Requests by route, method and status.", "Time until the answer to a request begins."
        self._requests = Counter("campaigns_requests", requests, ("route", "method", "status"), registry=self.registry)
        self._seconds = Histogram(
            "campaigns_request_seconds", seconds, ("route",), buckets=BUCKETS, registry=self.registry
        )
        rows = "Customers that were scored, by where they came from."
        counter = Counter("campaigns_rows_scored", rows, ("source",), registry=self.registry)
        self._rows = {source: counter.labels(source) for source in ("api", "list")}
        # `labels` takes longer than all the rest.
        self._known: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    def answered(self, route: str, method: str, status: int, seconds: float) -> None:
        """Counts a request."""
        known = self._known.get((route, method, status))
        if known is None:
            known = self._requests.labels(route, method, str(status)), self._seconds.labels(route)
            self._known[route, method, status] = known
        known[0].inc()
        known[1].observe(seconds)

    def scored(self, entry: Scored) -> None:
        """Counts the customers of a request or of a batch of a list."""
        self._rows["api" if entry.campaign_id is None else "list"].inc(len(entry.probabilities))

    def exposition(self, accept: str) -> tuple[bytes, str]:
        """All metrics as text, and its content type.

        Args:
          accept: the header of the request.
        """
        encode, content_type = choose_encoder(accept)
        return encode(self.registry), content_type


class Measured:
    """An ASGI middleware that counts requests and takes the time until their answer begins.

    A stream, such as the progress of a list, may last long after that.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics):
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, began = 500, None  # an error without an answer becomes one with this status further out
        started = time.perf_counter()

        async def answer(message: Message) -> None:
            nonlocal status, began
            if message["type"] == "http.response.start":
                status, began = message["status"], time.perf_counter()
            await send(message)

        try:
            await self._app(scope, receive, answer)
        finally:
            method = scope["method"]
            self._metrics.answered(
                route(scope), method if method in METHODS else OTHER, status, (began or time.perf_counter()) - started
            )


def route(scope: Scope) -> str:
    """The template of the route that answered, such as `/campaigns/{campaign_id}`, so that there are few of them."""
    template: str | None = getattr(scope.get("route"), "path", None)
    if template is None:
        return OTHER
    # FastAPI's route does not know the prefix that its router was included with.
    if scope["path"].startswith("/api/") and not template.startswith("/api/"):
        return f"/api{template}"
    return template


_Read: TypeAlias = "tuple[Overview, Sequence[Month]]"


class _StoreCollector(Collector):
    """Reads the store when it is scraped; a database that does not answer makes its figures absent."""

    def __init__(self, read: Callable[[], _Read], written: Callable[[], Written]):
        self._read, self._written = read, written
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="metrics")
        self._lock = threading.Lock()
        self._reading: Future[_Read] | None = None

    def describe(self) -> list[Metric]:
        """Returns nothing, so that registering the collector does not read."""
        return []

    def collect(self) -> Iterator[Metric]:
        yield from _of_the_log(self._written())
        read = self._in_time()
        yield GaugeMetricFamily("campaigns_database_up", "Whether the database answers.", float(read is not None))
        if read is not None:
            yield from _of_the_campaigns(read[0])
            yield from _of_the_months(read[1])

    def _in_time(self) -> _Read | None:
        """What the store says; None where it does not answer in time. A reading that still waits is shared."""
        with self._lock:
            if self._reading is None or self._reading.done():
                self._reading = self._pool.submit(self._read)
            reading = self._reading
        try:
            return reading.result(READ_SECONDS)
        except LateError:
            _log.warning("the database did not answer within %g seconds", READ_SECONDS)
        except SQLAlchemyError as error:
            _log.warning("the database cannot be read: %s", error)
        return None


def _of_the_log(written: Written) -> Iterator[Metric]:
    name = "campaigns_request_log"
    yield GaugeMetricFamily(f"{name}_queued", "Rows that wait to be written to the request log.", written.queued)
    yield CounterMetricFamily(f"{name}_dropped", "Rows that the request log lost.", written.dropped)
    yield CounterMetricFamily(f"{name}_written", "Rows written to the request log.", written.written)
    text = "Size of the rows of the request log that wait on disk for the database."
    yield GaugeMetricFamily(f"{name}_spooled_bytes", text, written.spooled_bytes)


def _of_the_campaigns(overview: Overview) -> Iterator[Metric]:
    lists = GaugeMetricFamily("campaigns_lists", "Campaigns by the state of their list.", labels=("state",))
    for state, count in overview.lists.items():
        lists.add_metric((state,), count)
    yield lists
    if overview.waits_since is not None:
        name = "campaigns_oldest_list_without_outcomes_timestamp_seconds"
        text = "Unix time at which the oldest call list was frozen that has no outcome yet."
        yield GaugeMetricFamily(name, text, overview.waits_since.timestamp())


_MONTHLY: tuple[tuple[str, str, Callable[[Month], Any]], ...] = (
    ("calls", "Calls with a known outcome.", lambda month: month.calls),
    ("expected_rate", "Share of buyers among the calls that the model expected.", lambda month: month.expected),
    ("expected_rate_low", "Lower end of the interval of the expected rate.", lambda month: month.expected_low),
    ("expected_rate_high", "Upper end of the interval of the expected rate.", lambda month: month.expected_high),
    ("realised_rate", "Share of buyers among the calls.", lambda month: month.realised),
    ("realised_rate_low", "Lower end of the interval of the realised rate.", lambda month: month.realised_low),
    ("realised_rate_high", "Upper end of the interval of the realised rate.", lambda month: month.realised_high),
    ("auc", "AUC of the probabilities of the calls.", lambda month: month.auc),
    ("brier", "Brier score of the probabilities of the calls.", lambda month: month.brier),
    ("ece", "Calibration error of the probabilities of the calls.", lambda month: month.ece),
    ("expected_profit_euros", "Profit of the calls that the model expected.", lambda month: month.expected_profit),
    ("realised_profit_euros", "Profit of the calls.", lambda month: month.realised_profit),
    (
        "last_outcome_timestamp_seconds",
        "Unix time at which an outcome was uploaded last.",
        lambda month: month.last_outcome and month.last_outcome.timestamp(),
    ),
)
"""Name, text and value of each figure of a month."""


def _of_the_months(months: Sequence[Month]) -> Iterator[Metric]:
    for name, text, value in _MONTHLY:
        family = GaugeMetricFamily(f"campaigns_{name}", text, labels=("model", "version", "month"))
        for month in months:
            if value(month) is not None:
                family.add_metric((month.model, month.version, month.month), float(value(month)))
        yield family
