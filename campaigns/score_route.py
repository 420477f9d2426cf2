"""`POST /api/score`, described by OpenAPI as any route but answered without what FastAPI does for one."""

from __future__ import annotations

from typing import Any

from fastapi.routing import APIRoute
from starlette.types import Receive, Scope, Send

from campaigns import failures
from campaigns.scores import MOST_ROWS, Scores

PATH = "/api/score"
_TEXTS = {"type": "array", "items": {"type": "string"}}
_ROW = {"type": "object", "additionalProperties": {"type": ["number", "string", "null"]}}
_REQUEST = {
    "type": "object",
    "required": ["instances"],
    "properties": {
        "instances": {
            "type": "array",
            "maxItems": MOST_ROWS,
            "items": _ROW,
            "description": "the rows: columns by name; a missing value is null where the contract allows it",
        },
        "version": {"type": "string", "description": "the version that is to answer, instead of the newest"},
        "label": {"type": "string", "description": "the same by its label at the model server"},
        "reasons": {"type": "boolean", "default": False, "description": "whether rows get reasons for and against"},
        "segments": {"type": "boolean", "default": False, "description": "whether rows get their segments"},
    },
    "additionalProperties": False,
}
_PREDICTION = {
    "type": "object",
    "required": ["probability", "purchase"],
    "properties": {
        "identifier": {"type": ["string", "integer", "null"]},
        "probability": {"type": "number"},
        "purchase": {"type": "integer"},
        "reasons": {"type": "object", "properties": {"for": _TEXTS, "against": _TEXTS}},
        "segment": {"type": ["string", "null"]},
    },
}
_ANSWER = {
    "type": "object",
    "required": ["model", "version", "predictions"],
    "properties": {
        "model": {"type": "string"},
        "version": {"type": "string"},
        "assumed": {
            "type": "object",
            "additionalProperties": {"type": "integer"},
            "description": "what the model was told of the size of the list, by column, for rows that do not say it",
        },
        "predictions": {"type": "array", "items": _PREDICTION},
    },
}


def score() -> None:
    """Probability and decision for each row; rows are objects with the columns of `/api/model`, as the model server
    takes them. A column that identifies the customer comes back as `identifier`. With `reasons` each row gets the
    strongest reasons for and against, with `segments` the name of its segment, null where that is not known. `version`
    or `label` names the version of the model that is to answer. Where rows lack the size of the list (`calls_today`,
    `calls_7d`, `calls_30d`), usual values take its place, which the answer names as `assumed`."""


class ScoreRoute(APIRoute):
    """The route, with an ASGI application in the place of FastAPI's.

    Args:
      scores: answers.
    """

    def __init__(self, scores: Scores):
        super().__init__(
            PATH,
            score,
            methods=["POST"],
            tags=["desk"],
            response_model=None,
            responses={**failures.DECLARED, 200: {"content": {"application/json": {"schema": _ANSWER}}}},
            openapi_extra={"requestBody": {"required": True, "content": {"application/json": {"schema": _REQUEST}}}},
        )
        self._scores = scores
        self.app = self._serve

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        parts, more = [], True
        while more:
            message: Any = await receive()
            if message["type"] == "http.disconnect":
                return
            parts.append(message.get("body", b""))
            more = message.get("more_body", False)
        answer = await self._scores.score(parts[0] if len(parts) == 1 else b"".join(parts))
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(answer))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})
