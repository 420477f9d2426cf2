"""The desk as an ASGI application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.exceptions import HTTPException

from campaigns import api, downloads, pages
from campaigns.addresses import desk_of
from campaigns.desk import Desk, NotFoundError
from campaigns.jobs import Worker
from campaigns.languages import Languages
from campaigns.lists import LARGEST_LIST
from campaigns.security import SMALL, Guard, StaleFormError, TooLargeError
from campaigns.settings import Settings
from campaigns.store.database import open_database
from campaigns.store.errors import StateError
from campaigns.views.screen import failure
from data.errors import ExpectedError, RefusedError, ServiceError

STOP_SECONDS = 30
"""How long the desk waits at its end for the batch that is being scored."""
_STATUS = {
    NotFoundError: 404,
    StateError: 409,
    StaleFormError: 403,
    TooLargeError: 413,
    RefusedError: 400,
    ServiceError: 503,
}
"""HTTP statuses of errors; any other expected error is the user's, 400."""


def create(settings: Settings) -> FastAPI:
    """Opens the store and builds the application, which starts and stops the background job with itself.

    Raises:
      UserError, ServiceError: the database cannot be opened.
    """
    engine = open_database(settings.database, settings.folder)
    worker = Worker(engine, settings.server, settings.folder, settings.artifacts)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        worker.start()
        yield
        worker.stop(STOP_SECONDS)
        engine.dispose()

    app = FastAPI(
        title="Campaign desk",
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
        lifespan=lifespan,
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    app.state.desk = Desk(settings, engine, worker)
    app.include_router(api.router)
    app.include_router(downloads.router, prefix="/api")
    app.include_router(downloads.router, include_in_schema=False)
    app.include_router(pages.router)
    app.add_api_route("/livez", _alive, include_in_schema=False)
    app.add_api_route("/readyz", _ready, include_in_schema=False)
    app.add_exception_handler(ExpectedError, _expected)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(Exception, _unexpected)
    app.add_middleware(Guard, most=LARGEST_LIST + SMALL)
    app.add_middleware(Languages)
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


def _answer(request: Request, status: int, text: str) -> Response:
    if request.url.path.startswith("/api/") or request.url.path in ("/livez", "/readyz"):
        return JSONResponse({"error": text}, status)
    return HTMLResponse(failure(status, text), status)


def _expected(request: Request, error: Exception) -> Response:
    status = next((status for kind, status in _STATUS.items() if isinstance(error, kind)), 400)
    return _answer(request, status, str(error))


def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if isinstance(error.__cause__, ExpectedError):  # while FastAPI was reading the body
        return _expected(request, error.__cause__)
    response = _answer(request, error.status_code, str(error.detail))
    response.headers.update(error.headers or {})
    return response


def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    lines = [f"{'.'.join(map(str, one['loc'][1:]))}: {one['msg']}" for one in error.errors()]
    return _answer(request, 422, "\n".join(lines))


def _unexpected(request: Request, error: Exception) -> Response:
    return _answer(request, 500, "the desk has failed; its log says more")
