"""Answers that say what went wrong: JSON for programs, a page for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel
from starlette.responses import HTMLResponse, JSONResponse, Response

from campaigns import context
from campaigns.views.screen import failure

_FOR_PROGRAMS = ("/livez", "/readyz", "/metrics")


class Problem(BaseModel):
    """What went wrong, and the id of the request, which the desk's log has too."""

    error: str
    request_id: str


STATUSES = {
    400: "an answer or a file is wrong",
    401: "a key is missing or wrong",
    403: "the key's role does not allow it, or the request comes from another site",
    404: "there is no such campaign or customer",
    409: "the campaign's state does not allow it",
    413: "the body is too large",
    421: "the request names another host",
    422: "a value of the address or of the body is wrong",
    429: "too many requests",
    503: "the model server or the store does not answer",
}
DECLARED: dict[int | str, dict[str, Any]] = {
    status: {"description": text, "model": Problem} for status, text in STATUSES.items()
}
"""The same for OpenAPI."""


def for_programs(path: str) -> bool:
    """Whether an address answers programs, and not people."""
    return path.startswith("/api/") or path in _FOR_PROGRAMS


def answer(path: str, status: int, text: str, headers: Mapping[str, str] | None = None) -> Response:
    """The answer to a request for an address; the text may have several lines."""
    if for_programs(path):
        return JSONResponse({"error": text, "request_id": context.request_id.get()}, status, headers)
    return HTMLResponse(failure(status, text), status, headers)
