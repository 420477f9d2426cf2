"""Answers requests: routes, the REST verbs, health, the metrics page. Other paths get libevent's 404 page."""

from __future__ import annotations

import json
import logging
import re
import time
from asyncio import AbstractEventLoop
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import chain
from typing import Any
from urllib.parse import unquote_to_bytes

import numpy as np

from data.model_folder import is_version
from data.models_config import STABLE
from serving.batching import MAX_ROWS, Batcher, Result, Rows, Waiting
from serving.errors import HTTP_STATUS, Code, ServingError, from_tensorflow, invalid_argument
from serving.manager import Manager
from serving.metrics import CONTENT_TYPE, Metrics
from serving.recent import PAGE_PATH as PROFILE_PATH
from serving.rest import example_request, example_results, json_writer, predict_request, row_reader
from serving.rest.http_protocol import HTML, JSON, RETRY_AFTER, Request, Respond, html_error
from serving.servable import DEFAULT_SIGNATURE, Servable, Signature, check_names

log = logging.getLogger("serving.rest.app")

_CORS = (
    b"Access-Control-Allow-Origin: *\r\n"
    b"Access-Control-Allow-Methods: POST, GET\r\n"
    b"Access-Control-Allow-Headers: Content-Type\r\n"
)
_MAX_LOOP_BODY = 16 * 1024
"""Bodies up to this length are decoded on the event loop; longer ones would hold up other requests."""

_MODEL = r"/v1/models/([^/:]+)(?:(?:/versions/(\d+))|(?:/labels/([^/:]+)))?"
_POST = re.compile(_MODEL + ":(classify|regress|predict)", re.IGNORECASE | re.ASCII)
_GET = re.compile(
    r"/v1/models(?:/([^/:]+))?(?:(?:/versions/(\d+))|(?:/labels/([^/:]+)))?(?:/(metadata))?", re.IGNORECASE | re.ASCII
)


@dataclass(frozen=True)
class Route:
    """The meaning of a path under /v1.

    Attributes:
      verb: "classify", "regress", "predict", "metadata", "status", or "" if nothing matches.
      api: the `API` label of the latency metric.
      bad_version: whether the version number is too large.
    """

    verb: str
    model: str = ""
    version: int | None = None
    label: str | None = None
    api: str = ""
    bad_version: bool = False


@lru_cache(maxsize=4096)
def find_route(method: str, target: str) -> Route:
    """Reads a path as TensorFlow Serving does: literals in any case, verbs only in lower case."""
    match = {"POST": _POST, "GET": _GET}[method].fullmatch(target) if method in ("POST", "GET") else None
    if match is None:
        return Route("")
    model, version, label, verb = match.groups()
    if method == "POST":
        api, verb = verb, verb if verb.islower() else ""
    else:
        api, verb = "", "metadata" if verb == "metadata" else "status"
    # Python refuses to read numbers of thousands of digits, so `is_version` looks first.
    digits = (version or "").lstrip("0") or "0"
    good = is_version(digits)
    return Route(
        verb,
        _unquote(model) if model else "",
        int(digits) if version and good else None,
        _unquote(label) if label else None,
        api,
        bad_version=not good,
    )


def _unquote(text: str) -> str:
    return unquote_to_bytes(text.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")


class Application:
    """Answers each request by calling its `respond` once.

    Args:
      metrics_path: the path of the metrics page, or None for no page.
      cors: whether responses have CORS headers.
      batching: whether requests share runs. None: only requests for versions that carry a golden request, since the
        pipeline of this project exports only models whose rows do not depend on each other.
      workers: threads that run TensorFlow.
      draining: whether the server is shutting down.
    """

    def __init__(
        self,
        manager: Manager,
        metrics: Metrics,
        loop: AbstractEventLoop,
        workers: Executor,
        metrics_path: str | None,
        cors: bool,
        batching: bool | None,
        draining: Callable[[], bool],
    ):
        self._manager = manager
        self._metrics = metrics
        self._loop = loop
        self._workers = workers
        self._metrics_path = metrics_path
        self._cors = _CORS if cors else b""
        self._batching = batching
        self._draining = draining
        self._batchers: dict[Signature, Batcher] = {}
        """One for each signature that has requests waiting or running."""

    def handle(self, request: Request, respond: Respond) -> None:
        target = request.target
        if target[:4].lower() == "/v1/":
            self._handle_api(request, respond)
        elif self._metrics_path and target.partition("?")[0] == self._metrics_path:
            if target == self._metrics_path:
                respond(200, self._metrics.page(), CONTENT_TYPE)
            else:
                text = f"Unexpected path: {target}. Should be {self._metrics_path}"
                respond(400, json_writer.encode(text), CONTENT_TYPE)
        elif self._metrics_path and target == PROFILE_PATH:
            respond(200, json.dumps(self._profiles()).encode())
        elif target == "/livez":
            respond(200, b'{"live": true}')
        elif target == "/readyz":
            self._ready(respond)
        else:
            respond(404, html_error(404), HTML, close=True)

    def _ready(self, respond: Respond) -> None:
        waiting = self._manager.not_ready()
        draining = self._draining()
        ready = not waiting and not draining
        body = {"ready": ready, "draining": draining, "models_without_a_version": waiting}
        respond(200 if ready else 503, json.dumps(body).encode())

    def _profiles(self) -> dict[str, Any]:
        """For each model the recent rows of its champion, and the training split that it learned from."""
        profiles = {}
        for name in self._manager.names:
            servable = self._champion(name)
            if servable is None:
                continue
            if servable.recent:
                profiles[name] = {"version": str(servable.version), **servable.recent.page()}
            servable.release()
        return profiles

    def _champion(self, model: str) -> Servable | None:
        """The version with the label `stable`, else the newest; None where none serves."""
        for label in (STABLE, None):
            try:
                return self._manager.acquire(model, label=label)
            except ServingError:
                continue
        return None

    # --- /v1 --------------------------------------------------------------------------------------------------------

    def _handle_api(self, request: Request, respond: Respond) -> None:
        route = find_route(request.method, request.target)
        call = _Call(self, route, request, respond)
        if self._draining():
            call.finish(Code.UNAVAILABLE, json_writer.error_body("The server is shutting down"), close=True)
            return
        if request.method == "OPTIONS":
            call.preflight()
            return
        try:
            self._dispatch(call)
        except ServingError as error:
            call.done(error)

    def _dispatch(self, call: _Call) -> None:
        route, request = call.route, call.request
        if route.bad_version:
            call.finish(Code.INVALID_ARGUMENT, b"")
        elif route.verb == "predict":
            if call.golden or len(request.body) > _MAX_LOOP_BODY or not self._enqueue(call):
                self._submit(partial(self._predict, call), call.done)
        elif route.verb in ("classify", "regress"):
            self._submit(partial(self._classify_or_regress, call), call.done)
        elif not route.verb:
            raise invalid_argument(f"Malformed request: {request.method} {request.target}")
        elif not route.model:
            raise invalid_argument("Missing model name in request.")
        elif route.verb == "metadata":
            call.done(call.servable.metadata)
        else:
            call.finish(Code.OK, self._status(route))

    def record(self, route: Route, code: Code, started: float) -> None:
        model = self._metrics.model_label(route.model, self._manager.names)
        self._metrics.request_count.add(model, code.name)
        if code is Code.OK:
            self._metrics.request_latency.observe((time.perf_counter() - started) * 1e6, model, route.api, "REST")

    @property
    def cors_headers(self) -> bytes:
        return self._cors

    def acquire(self, route: Route) -> Servable:
        return self._manager.acquire(route.model, route.version, route.label)

    def _status(self, route: Route) -> bytes:
        versions = [
            {
                "version": str(number),
                "state": state.name,
                "status": {
                    "error_code": error.code.name if error else Code.OK.name,
                    "error_message": error.message if error else "",
                },
            }
            for number, state, error in self._manager.status(route.model, route.version)
        ]
        return json.dumps({"model_version_status": versions}, indent=1).encode() + b"\n"

    def _submit(self, work: Callable[[], Any], done: Callable[[Any], None]) -> None:
        """Runs `work()` on a worker thread and `done(result)` on the event loop; errors are results."""

        def job() -> None:
            try:
                result = work()
            except ServingError as error:
                result = error
            except Exception as error:
                log.exception("a request failed inside the server")
                result = from_tensorflow(error)
            self._loop.call_soon_threadsafe(done, result)

        self._workers.submit(job)

    def _run(
        self,
        servable: Servable,
        signature: Signature,
        arrays: list[np.ndarray],
        api: str,
        requests: int = 1,
        golden: bool = False,
    ) -> dict[str, np.ndarray]:
        """Runs the model for the given number of requests. Every run for a request goes through here."""
        started = time.perf_counter()
        outputs = servable.run(signature, arrays)
        micros = (time.perf_counter() - started) * 1e6
        for _ in range(requests):
            self._metrics.runtime_latency.observe(micros, servable.model, api, "TF1")
        if servable.recent and signature.name == DEFAULT_SIGNATURE and not golden:
            try:
                servable.recent.add(signature.inputs, arrays, outputs)
            except Exception:
                log.exception("rows could not be counted for the drift monitor; their predictions are right")
        return outputs

    # --- predict ----------------------------------------------------------------------------------------------------

    def _enqueue(self, call: _Call) -> bool:
        """Puts a row request into the queue of its signature and returns whether it could."""
        if self._batching is False:
            return False
        document = row_reader.loads(call.request.body)
        if document is None:
            return False
        name, instances = document.get("signature_name", ""), document.get("instances")
        if type(name) is not str or type(instances) is not list or not 0 < len(instances) <= MAX_ROWS:
            return False
        if "inputs" in document:
            return False
        servable = call.servable
        signature = servable.signature(name)
        if signature is None or not signature.row_wise or not (self._batching or servable.golden_request):
            return False
        rows = row_reader.reader_of(signature).rows(instances)
        if rows is None:
            return False
        batcher = self._batchers.get(signature)
        if batcher is None:
            batcher = self._batchers[signature] = self._batcher(servable, signature)
        self._metrics.batch_input_rows.observe(len(rows))
        batcher.add(Waiting(rows, call.done))
        return True

    def _batcher(self, servable: Servable, signature: Signature) -> Batcher:
        reader = row_reader.reader_of(signature)

        def answer(requests: list[Rows]) -> list[bytes]:
            sizes = list(map(len, requests))
            self._metrics.batch_runs.add()
            self._metrics.batch_rows.observe(sum(sizes))
            arrays = reader.tensors(list(chain.from_iterable(requests)))
            outputs = self._run(servable, signature, arrays, "Predict", len(requests))
            return json_writer.split_rows(outputs, sizes) if len(sizes) > 1 else [json_writer.predict_rows(outputs)]

        return Batcher(answer, self._submit, self._loop.call_soon, idle=lambda: self._batchers.pop(signature))

    def _predict(self, call: _Call) -> bytes:
        """Answers one request with a run of its own; on a worker thread."""
        body = call.request.body
        document = row_reader.loads(body)
        request = None
        if document is not None and type(name := document.get("signature_name", "")) is str:
            signature = _signature(call.servable, name)
            request = row_reader.read(document, row_reader.reader_of(signature))
        if request is None:
            name, request = predict_request.read(body, lambda name: _signature(call.servable, name).inputs)
            signature = _signature(call.servable, name)
        check_names(signature, request.inputs)
        arrays = [request.inputs[key] for key in signature.inputs]
        outputs = self._run(call.servable, signature, arrays, "Predict", golden=call.golden)
        return (json_writer.predict_rows if request.row_format else json_writer.predict_columns)(outputs)

    # --- classify, regress ------------------------------------------------------------------------------------------

    def _classify_or_regress(self, call: _Call) -> bytes:
        verb = call.route.verb
        name, examples = example_request.read(call.request.body)
        signature = example_results.find_signature(call.servable, name, verb)
        outputs = self._run(call.servable, signature, [examples], verb.capitalize())
        answer = example_results.regressions if verb == "regress" else example_results.classifications
        return answer(outputs, len(examples))


def _signature(servable: Servable, name: str) -> Signature:
    signature = servable.signature(name)
    if signature is None:
        raise invalid_argument(f'Serving signature name: "{name or DEFAULT_SIGNATURE}" not found in signature def')
    return signature


class _Call:
    """One request under /v1 until it has its response."""

    __slots__ = ("_app", "_respond", "_servable", "_started", "request", "route")

    def __init__(self, app: Application, route: Route, request: Request, respond: Respond):
        self._app = app
        self._respond = respond
        self._started = time.perf_counter()
        self.route = route
        self.request = request
        self._servable: Servable | None = None

    @property
    def golden(self) -> bool:
        """Whether this is the exporter's check, whose row must not be counted."""
        return b"x-golden-request" in self.request.headers

    @property
    def servable(self) -> Servable:
        """The version for this request, which stays loaded until the response is sent.

        Raises:
          ServingError: see `Manager.acquire`.
        """
        if self._servable is None:
            self._servable = self._app.acquire(self.route)
        return self._servable

    def done(self, result: Result) -> None:
        if self._servable is not None:
            self._servable.release()
        if isinstance(result, ServingError):
            self.fail(result)
        else:
            self.finish(Code.OK, result)

    def fail(self, error: ServingError) -> None:
        if HTTP_STATUS[error.code] == 500:
            log.error("%s", error, extra={"method": self.request.method, "target": self.request.target})
        self.finish(error.code, json_writer.error_body(error.message))

    def finish(self, code: Code, body: bytes, close: bool = False) -> None:
        self._app.record(self.route, code, self._started)
        headers = self._app.cors_headers
        if code is Code.UNAVAILABLE:
            headers += RETRY_AFTER
        self._respond(HTTP_STATUS[code], body, JSON, headers, close)

    def preflight(self) -> None:
        origin = self.request.headers.get(b"origin", b"")
        code = Code.OK if b"http://" in origin or b"https://" in origin else Code.FAILED_PRECONDITION
        self._app.record(self.route, code, self._started)
        self._respond(HTTP_STATUS[code], b"", b"", self._app.cors_headers)
