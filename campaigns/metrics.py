"""The desk's metrics for Prometheus: what its requests took, and what the store says when it is scraped."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as LateError
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Histogram, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from campaigns import performance
from campaigns.performance import LivePerformance
from campaigns.request_log.queue import LogState
from campaigns.store.errors import StoreDownError
from campaigns.store.overview import Overview, overview

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Upper limits of the histogram of times, in seconds."""
READ_SECONDS = 3.0
"""How long a scrape waits for the database; Prometheus itself gives up after 10 seconds."""
OTHER = "other"
"""The route of a request that no route answers, and a method that is none of HTTP's usual ones."""
METHODS = ("GET", "POST", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE")

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Stored:
    """What the store says at a scrape: figures of all campaigns, and what calls brought by month and version."""

    overview: Overview
    months: Sequence[LivePerformance]


def stored(engine: Engine) -> Stored:
    """Reads the store.

    Raises:
      SQLAlchemyError, StoreDownError: the database does not answer.
    """
    return Stored(overview(engine), performance.all_months(engine))


class Metrics:
    """All metrics of one desk, in a registry of their own.

    Args:
      read: reads the store; it may raise where the database does not answer.
      log: how the request log is doing.
    """

    def __init__(self, read: Callable[[], Stored], log: Callable[[], LogState]):
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self.registry.register(_StoreCollector(read, log))
        requests, seconds = "Requests by route, method and status.", "Time until the answer to a request begins."
        self._requests = Counter("campaigns_requests", requests, ("route", "method", "status"), registry=self.registry)
        self._seconds = Histogram(
            "campaigns_request_seconds", seconds, ("route",), buckets=BUCKETS, registry=self.registry
        )
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


class _StoreCollector(Collector):
    """Reads log and store when it is scraped; a database that does not answer makes the store's figures absent."""

    def __init__(self, read: Callable[[], Stored], log: Callable[[], LogState]):
        self._read, self._log = read, log
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="metrics")
        self._lock = threading.Lock()
        self._reading: Future[Stored] | None = None

    def describe(self) -> list[Metric]:
        """Returns nothing, so that registering the collector does not read."""
        return []

    def collect(self) -> Iterator[Metric]:
        yield from _of_the_log(self._log())
        read = self._in_time()
        yield GaugeMetricFamily("campaigns_database_up", "Whether the database answers.", float(read is not None))
        if read is not None:
            yield from _of_the_campaigns(read.overview)
            yield from _of_the_months(read.months)

    def _in_time(self) -> Stored | None:
        """What the store says; None where it does not answer in time. A reading that still waits is shared."""
        with self._lock:
            if self._reading is None or self._reading.done():
                self._reading = self._pool.submit(self._read)
            reading = self._reading
        try:
            return reading.result(READ_SECONDS)
        except LateError:
            _log.warning("the database did not answer within %g seconds", READ_SECONDS)
        except (SQLAlchemyError, StoreDownError) as error:
            _log.warning("the database cannot be read: %s", error)
        return None


def _of_the_log(state: LogState) -> Iterator[Metric]:
    rows = CounterMetricFamily("campaigns_rows_scored", "Scored customers by where they came from.", labels=("source",))
    rows.add_metric(("api",), state.of_requests)
    rows.add_metric(("list",), state.of_lists)
    yield rows
    name = "campaigns_request_log"
    yield GaugeMetricFamily(f"{name}_queued", "Rows that wait to be written to the request log.", state.queued)
    yield CounterMetricFamily(f"{name}_dropped", "Rows that the request log lost.", state.dropped)
    yield CounterMetricFamily(f"{name}_written", "Rows written to the request log.", state.written)
    text = "Size of the rows of the request log that wait on disk for the database."
    yield GaugeMetricFamily(f"{name}_spooled_bytes", text, state.spooled_bytes)


def _of_the_campaigns(found: Overview) -> Iterator[Metric]:
    lists = GaugeMetricFamily("campaigns_lists", "Campaigns by the state of their list.", labels=("state",))
    for state, count in found.lists.items():
        lists.add_metric((state,), count)
    yield lists
    if found.waits_since is not None:
        name = "campaigns_oldest_list_without_outcomes_timestamp_seconds"
        text = "Unix time at which the oldest call list was frozen that has no outcome yet."
        yield GaugeMetricFamily(name, text, found.waits_since.timestamp())


def _of_the_months(months: Sequence[LivePerformance]) -> Iterator[Metric]:
    families: dict[str, GaugeMetricFamily] = {}
    for month in months:
        for name, text, value in _figures(month):
            if value is not None:
                labels = ("model", "version", "month")
                family = families.setdefault(name, GaugeMetricFamily(f"campaigns_{name}", text, labels=labels))
                family.add_metric((month.model, month.version, month.month), value)
    yield from families.values()


def _figures(month: LivePerformance) -> Iterator[tuple[str, str, float | None]]:
    """Name, text and value of what the calls with known outcomes of a month brought."""
    known = month.figures.together
    if known is None:
        return
    if month.last_outcome is not None:
        text = "Unix time at which an outcome was uploaded last."
        yield "last_outcome_timestamp_seconds", text, month.last_outcome.timestamp()
    yield "calls", "Calls with a known outcome.", known.realised.calls
    for name, text, share in (
        ("expected_rate", "Share of buyers among the calls that the model expected", known.expected_rate),
        ("realised_rate", "Share of buyers among the calls", known.realised.rate),
    ):
        yield name, f"{text}.", share.value
        yield f"{name}_low", f"{text}, lower end of its interval.", share.low
        yield f"{name}_high", f"{text}, upper end of its interval.", share.high
    for name, text, figure in (
        ("auc", "AUC of the probabilities of the calls.", known.auc),
        ("brier", "Brier score of the probabilities of the calls.", known.brier),
        ("ece", "Calibration error of the probabilities of the calls.", known.ece),
    ):
        yield name, text, None if figure is None else figure.value
    text = "Profit of the calls"
    yield "expected_profit_euros", f"{text} that the model expected.", known.realised.expected_profit.value
    yield "realised_profit_euros", f"{text}.", known.realised.profit
