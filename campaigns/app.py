"""The desk as an ASGI application."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from threading import Event

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from fastapi.routing import iter_route_contexts
from sqlalchemy.exc import OperationalError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles

from campaigns import api, downloads, events, failures, login, pages
from campaigns.addresses import desk_of
from campaigns.callers import Callers
from campaigns.desk import Desk, NotFoundError
from campaigns.jobs import Worker
from campaigns.languages import Languages
from campaigns.lists import LARGEST_LIST
from campaigns.metrics import Measured, Metrics, stored
from campaigns.models import NoVersionError
from campaigns.request_log import key as log_key
from campaigns.request_log.queue import RequestLog
from campaigns.retention import Retention
from campaigns.score_route import ScoreRoute
from campaigns.scores import Scores
from campaigns.security import SMALL, Guard, StaleFormError, TooLargeError
from campaigns.settings import Settings
from campaigns.store import keys
from campaigns.store.database import FILE, open_database
from campaigns.store.errors import StateError
from campaigns.uploads import Uploads
from data.errors import BadOptionError, ExpectedError, RefusedError, ServiceError
from data.object_store import locate

STATIC = Path(__file__).parent / "static"
"""The script of the pages."""
STOP_SECONDS = 30
"""How long the desk waits at its end for the batch that is being scored, and then for the request log."""
_STATUS = {
    NotFoundError: 404,
    NoVersionError: 404,
    StateError: 409,
    StaleFormError: 403,
    TooLargeError: 413,
    RefusedError: 400,
    ServiceError: 503,
}
"""HTTP statuses of errors; any other expected error is the user's, 400."""

_NO_KEY = (
    "others can reach the desk with these options (--host, --public), and nobody has a key with the role admin; first "
    "run `python -m campaigns.keys add NAME --role admin` with the same --artifacts and --database"
)

_log = logging.getLogger(__name__)


def create(settings: Settings) -> FastAPI:
    """Opens the store and builds the application, which starts and stops the background job with itself.

    Raises:
      UserError, ServiceError: the database cannot be opened; others can reach the desk, and nobody has an admin key;
        the secret of the request log cannot be used.
    """
    engine = open_database(settings.database, settings.folder)
    if settings.needs_keys and not any(key.role == "admin" for key in keys.valid(engine).values()):
        engine.dispose()
        raise BadOptionError(_NO_KEY)
    folder = settings.folder
    log = RequestLog(settings.database, folder, folder / FILE, log_key.load(folder), settings.log_inputs)
    uploads = Uploads(folder, locate(settings.uploads).check() if settings.uploads else None)
    worker = Worker(engine, settings.server, uploads, settings.artifacts, log)
    retention = Retention(engine, uploads, worker, settings.retain) if settings.retain else None
    scores = Scores(settings, log.add)

    desk = Desk(settings, engine, uploads, worker, log)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        log.start()
        await run_in_threadpool(desk.catch_up)
        worker.start()
        if retention:
            retention.start()
        yield
        if retention:
            retention.stop(STOP_SECONDS)
        scores.close()
        worker.stop(STOP_SECONDS)
        log.stop(STOP_SECONDS)
        engine.dispose()

    app = FastAPI(
        title="Campaign desk",
        description="From a list of customers to calls that pay, and back. A desk that others than the people of its "
        "own machine can reach needs `Authorization: Bearer KEY` with each request.",
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
        lifespan=lifespan,
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    app.state.desk = desk
    app.state.stopping = Event()
    app.state.callers = Callers(engine)
    app.state.metrics = Metrics(partial(stored, engine), log.state)
    app.router.routes.insert(0, ScoreRoute(scores))
    app.include_router(api.router, responses=failures.DECLARED)
    app.include_router(downloads.router, prefix="/api", responses=failures.DECLARED)
    app.include_router(downloads.router, include_in_schema=False)
    app.include_router(events.router)
    app.include_router(pages.router)
    app.include_router(login.router)
    app.mount("/static", StaticFiles(directory=STATIC))
    app.add_api_route("/livez", _alive, include_in_schema=False)
    app.add_api_route("/readyz", _ready, include_in_schema=False)
    app.add_api_route("/metrics", _metrics, include_in_schema=False)
    app.add_exception_handler(ExpectedError, _expected)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(OperationalError, _without_store)
    app.add_middleware(Guard, settings=settings, callers=app.state.callers, most=LARGEST_LIST + SMALL)
    app.add_middleware(Languages)
    app.add_middleware(Measured, metrics=app.state.metrics)
    return app


def _alive() -> Response:
    return PlainTextResponse("ok")


def _ready(request: Request) -> Response:
    """Whether a model serves and the store answers."""
    desk = desk_of(request)
    model = desk.served()
    with desk.engine.connect() as connection:
        connection.exec_driver_sql("SELECT 1")
    return JSONResponse({"model": model.name, "version": model.version})


def _metrics(request: Request) -> Response:
    text, content_type = request.app.state.metrics.exposition(request.headers.get("accept", ""))
    return Response(text, media_type=content_type)


def _expected(request: Request, error: Exception) -> Response:
    status = next((status for kind, status in _STATUS.items() if isinstance(error, kind)), 400)
    return failures.answer(request.scope["path"], status, str(error))


def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if isinstance(error.__cause__, ExpectedError):  # while FastAPI was reading the body
        return _expected(request, error.__cause__)
    headers = dict(error.headers or {})
    if error.status_code == 405:
        headers["Allow"] = ", ".join(_methods(request))  # of all routes with the address, and not of the first only
    return failures.answer(request.scope["path"], error.status_code, str(error.detail), headers)


def _methods(request: Request) -> list[str]:
    """The methods that an address takes."""
    found: set[str] = set()
    for route in iter_route_contexts(request.app.routes):
        if route.methods and route.path_regex.match(request.scope["path"]):
            found |= route.methods
    return sorted(found)


def _without_store(request: Request, error: Exception) -> Response:
    _log.warning("the store does not answer: %s", error)
    return failures.answer(request.scope["path"], 503, "the store does not answer")


def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    lines = [f"{'.'.join(map(str, one['loc'][1:]))}: {one['msg']}" for one in error.errors()]
    return failures.answer(request.scope["path"], 422, "\n".join(lines))
